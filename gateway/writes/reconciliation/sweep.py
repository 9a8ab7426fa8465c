"""One run: everything in its scope is read, page by page, compared, and what differs is kept."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.writes.reconciliation import contract_rules, customer_rules, documents, product_rules
from gateway.writes.reconciliation.ask import Page, PatientAsk
from gateway.writes.reconciliation.model import (
    DriftKind,
    Finding,
    Run,
    RunStatus,
    Scope,
    Tally,
    Unreachable,
)
from gateway.writes.reconciliation.store import Applied
from gateway.writes.reconciliation.tolerance import Tolerances


class Interrupted(Exception):  # noqa: N818 - reads as what it is
    """The run is taken for dead already, and somebody else may have begun another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Where a run leaves what it found. All may raise `StoreFailed`."""

    apply: Callable[[list[Finding]], Awaitable[Applied]]
    resolve_unseen: Callable[[Scope, float], Awaitable[int]]
    note: Callable[[Tally], Awaitable[bool]]
    """Notes how far it is; False where it has to stop."""


@dataclass(slots=True, kw_only=True)
class Sweep:
    """A run under way. The kinds of things are swept side by side, each in one page after the other."""

    run: Run
    ask: PatientAsk
    keeping: Keeping
    tolerances: Tolerances
    today: dt.date
    parallel: int
    tally: Tally = field(default_factory=Tally)
    _missed: dict[str, tuple[str, int]] = field(default_factory=dict)

    async def sweep(self) -> RunStatus:
        """Compare everything, and say how it ended; `tally` has the figures. Raises `Interrupted`, `StoreFailed`."""
        turns = asyncio.Semaphore(self.parallel)

        async def in_turn(kind: DriftKind) -> None:
            async with turns:
                await self._kind(kind)

        async with asyncio.TaskGroup() as group:
            for kind in self.run.scope.kinds:
                group.create_task(in_turn(kind))
        return RunStatus.PARTIAL if self._missed else RunStatus.COMPLETED

    async def _kind(self, kind: DriftKind) -> None:
        is_complete, is_counted = True, False
        async for page in self._pages(kind):
            if page.total is not None and not is_counted:
                is_counted = True
                self.tally = replace(self.tally, total=(self.tally.total or 0) + page.total)
            is_complete = await self._page(kind, page) and is_complete
        if is_complete and self.run.scope.is_whole:
            scope = Scope(kinds=(kind,))
            gone = await self.keeping.resolve_unseen(scope, self.run.started_at)
            self.tally = replace(self.tally, resolved=self.tally.resolved + gone)

    async def _page(self, kind: DriftKind, page: Page) -> bool:
        """Compare a page; whether all of it was."""
        findings: list[Finding] = []
        compared, is_complete = 0, bool(page.nodes) or not page.failed
        silent: dict[str, int] = dict.fromkeys(page.failed, 0) if not page.nodes else {}
        for node in page.nodes:
            found, missed = self._compare(kind, node, page.failed)
            findings += found
            compared += bool(found)
            for system in missed:
                silent[system] = silent.get(system, 0) + 1
        applied = await self.keeping.apply(findings)
        for system, subjects in silent.items():
            _, before = self._missed.get(system, ("", 0))
            self._missed[system] = (page.failed[system], before + subjects)
        self.tally = replace(
            self.tally,
            compared=self.tally.compared + compared,
            differing=self.tally.differing + applied.differing,
            opened=self.tally.opened + applied.opened,
            resolved=self.tally.resolved + applied.resolved,
            unreachable=tuple(
                Unreachable(system=system, code=code, subjects=subjects)
                for system, (code, subjects) in sorted(self._missed.items())
            ),
        )
        if not await self.keeping.note(self.tally):
            raise Interrupted
        return is_complete and not silent

    def _compare(
        self, kind: DriftKind, node: Mapping[str, Any], failed: Mapping[str, str]
    ) -> tuple[list[Finding], frozenset[str]]:
        match kind:
            case DriftKind.CUSTOMER:
                found = customer_rules.compare_customer(node, failed, self.tolerances)
                return list(found), customer_rules.skipped(node, failed)
            case DriftKind.CONTRACT:
                found = contract_rules.compare_contract(node, failed, self.tolerances, self.today)
                return list(found), contract_rules.skipped(node, failed)
            case DriftKind.PRODUCT:
                found = product_rules.compare_product(node, failed, self.tolerances)
                return list(found), product_rules.skipped(node, failed)

    async def _pages(self, kind: DriftKind) -> AsyncIterator[Page]:
        scope = self.run.scope
        match kind:
            case DriftKind.PRODUCT if scope.customer is not None or scope.contract is not None:
                return
            case DriftKind.PRODUCT:
                # A catalogue is small: one of it is looked for among all.
                async for page in self.ask.pages(documents.PRODUCTS, {}):
                    if scope.product is None:
                        yield page
                    else:
                        nodes = [node for node in page.nodes if node["sku"] == scope.product]
                        yield replace(page, nodes=nodes, total=len(nodes))
            case _ if scope.product is not None:
                return
            case DriftKind.CUSTOMER if scope.contract is not None:
                return
            case DriftKind.CUSTOMER if scope.customer is not None:
                yield await self._one(documents.CUSTOMER, {"id": scope.customer})
            case DriftKind.CUSTOMER:
                async for page in self.ask.pages(documents.CUSTOMERS, {}):
                    yield page
            case DriftKind.CONTRACT if scope.contract is not None:
                given = {"id": scope.contract, "lines": documents.LINES_AT_ONCE}
                yield await self._whole(await self._one(documents.CONTRACT, given))
            case DriftKind.CONTRACT:
                given = {"customer": scope.customer, "lines": documents.LINES_AT_ONCE}
                async for page in self.ask.pages(documents.CONTRACTS, given):
                    yield await self._whole(page)

    async def _one(self, document: str, variables: Mapping[str, Any]) -> Page:
        answer = await self.ask.answer(document, variables)
        node = None if answer.data is None else answer.data.get("node")
        failed = {each.system: each.code for each in answer.failures}
        return Page(nodes=() if node is None else (node,), failed=failed, total=0 if node is None else 1)

    async def _whole(self, page: Page) -> Page:
        """Return a page of contracts with all their lines and invoices, however many there are."""
        failed = dict(page.failed)
        nodes = []
        for node in page.nodes:
            whole = dict(node)
            for name, document, cursor in (
                ("billedLines", documents.MORE_LINES, "afterLine"),
                ("invoices", documents.MORE_INVOICES, "afterInvoice"),
            ):
                while whole[name] is not None and whole[name]["pageInfo"]["hasNextPage"]:
                    given = {"id": node["id"], "lines": documents.LINES_AT_ONCE}
                    after = whole[name]["pageInfo"]["endCursor"]
                    answer = await self.ask.answer(document, {**given, cursor: after})
                    failed |= {each.system: each.code for each in answer.failures}
                    more = ((answer.data or {}).get("node") or {}).get(name)
                    edges = whole[name]["edges"]
                    whole[name] = more and {"pageInfo": more["pageInfo"], "edges": [*edges, *more["edges"]]}
            nodes.append(whole)
        return replace(page, nodes=nodes, failed=failed)
