"""Where reconciliation is asked for, looked at and decided about; and the clock that asks for it by itself."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from gateway.errors import GatewayError
from gateway.execution.ports import CallerView
from gateway.writes.reconciliation.ask import Ask, PatientAsk
from gateway.writes.reconciliation.listing import DriftListing, DriftPage, RunPage
from gateway.writes.reconciliation.model import (
    Drift,
    DriftFilter,
    DriftKind,
    DriftStatus,
    Run,
    RunStatus,
    Scope,
    Tally,
    mended_by,
    mending_input,
)
from gateway.writes.reconciliation.store import DriftStore
from gateway.writes.reconciliation.sweep import Interrupted, Keeping, Sweep
from gateway.writes.reconciliation.tolerance import Tolerances
from gateway.writes.store import StoreFailed
from gateway.writes.workflows.database import wall_clock
from gateway.writes.workflows.desk import Asking, WorkflowDesk
from gateway.writes.workflows.model import SETTLED, WorkflowRecord

_LOG = logging.getLogger("concord.reconciliation")
_LOOK_S = 0.1
_TICK_S = 1.0
_LOOK_AGAIN_S = 30.0
ParametersT = ParamSpec("ParametersT")
ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationRules:
    """How runs behave."""

    interval_s: float | None
    """Time from one scheduled run to the next, over all gateways together; None: only on demand."""
    page_size: int = 50
    parallel: int = 2
    """Kinds of things that are swept at once."""
    patience_s: float = 30.0
    """How long a run waits in all for a system that does not answer."""
    lease_s: float = 60.0
    """How long a run whose gateway says nothing is taken for alive."""
    tolerances: Tolerances


class ReconciliationDesk:
    """Raises `GatewayError`: STORE_UNAVAILABLE, and what each decision may be refused with."""

    def __init__(
        self,
        store: DriftStore,
        ask: Ask,
        rules: ReconciliationRules,
        *,
        workflows: WorkflowDesk | None,
        mending: frozenset[str],
    ) -> None:
        """`mending`: the kinds of workflows that there are."""
        self._store = store
        self._ask = ask
        self._rules = rules
        self._workflows = workflows
        self._mending = mending if workflows is not None else frozenset[str]()
        self._listing = DriftListing(store.database)
        self._worker = f"gateway-{secrets.token_hex(6)}"
        self._runs: set[asyncio.Task[None]] = set()
        self._look_again_at: dict[Scope, float] = {}
        """What → when to compare it again, where that was tried for a mended drift."""

    async def begin(self, scope: Scope, caller: CallerView, key: str | None) -> Run:
        """Begin a run and return it; or the one that is under way over everything, or that the same key began."""
        run = self._new(scope, _run_id(caller, key), asked_by=caller.subject, is_scheduled=False)
        begun = await self._stored(self._store.begin_run, run, self._rules.lease_s)
        assert begun is not None
        if key is not None and begun.id == run.id and begun.scope != scope:
            raise GatewayError("IDEMPOTENCY_KEY_REUSED")
        if begun is run:
            self._start(run)
        return begun

    async def wait(self, run: str, seconds: float) -> Run:
        """Return a run once it has ended, or as it is when the time is up."""
        until = asyncio.get_running_loop().time() + seconds
        while True:
            found = await self.run(run)
            if found is None:
                raise GatewayError("NOT_FOUND", "There is no such run.")
            left_s = until - asyncio.get_running_loop().time()
            if found.status is not RunStatus.RUNNING or left_s <= 0:
                return found
            await asyncio.sleep(min(_LOOK_S, left_s))

    async def run(self, run: str) -> Run | None:
        """Return a run."""
        return await self._stored(self._listing.run, run)

    async def runs(self, *, size: int, after: tuple[float, str] | None) -> RunPage:
        """Return runs, the newest first."""
        return await self._stored(self._listing.runs, size=size, after=after)

    async def find(self, drift: str) -> Drift | None:
        """Return a drift."""
        return await self._stored(self._store.find, drift)

    async def drifts(self, wanted: DriftFilter, *, size: int, after: tuple[float, str] | None) -> DriftPage:
        """Return drifts, the newest first."""
        return await self._stored(self._listing.drifts, wanted, size=size, after=after)

    async def count(self, wanted: DriftFilter) -> int:
        """Return how many drifts there are."""
        return await self._stored(self._listing.count, wanted)

    async def live_of(self, column: str, keys: Sequence[str]) -> Mapping[str, Sequence[Drift]]:
        """Return what is not resolved by `customer`, its contracts' drift included, or by `subject`."""
        return await self._stored(self._store.live_of, column, keys)

    async def accept(self, drift: str, caller: CallerView, reason: str) -> Drift:
        """Say why an open drift may be."""
        return await self._stored(self._store.accept, drift, caller.subject, reason)

    def mended_by(self, drift: Drift) -> str | None:
        """Return the kind of workflow that can mend it; None where people have to."""
        kind = mended_by(drift.found.place)
        return kind if kind in self._mending else None

    async def mend(self, drift: str, asking: Asking) -> tuple[Drift, WorkflowRecord]:
        """Start the workflow that pushes the owner's value to the copy. What it did is compared once it has ended."""
        found = await self.find(drift)
        if found is None:
            raise GatewayError("NOT_FOUND", "There is no such drift.")
        under_way = None
        if found.workflow is not None and self._workflows is not None:
            under_way = await self._workflows.find(found.workflow)
        if under_way is not None and under_way.status not in SETTLED:
            return found, under_way
        kind = self.mended_by(found)
        if found.status is DriftStatus.RESOLVED or kind is None or self._workflows is None:
            told = (
                "is resolved"
                if found.status is DriftStatus.RESOLVED
                else "is for people to mend, in one of the systems"
            )
            raise GatewayError("CONFLICT", f"The drift {told}.")
        record = await self._workflows.begin(kind, mending_input(found), asking)
        return await self._stored(self._store.mend, drift, record.id), record

    async def serve_forever(self) -> None:
        """Begin runs when they are due, and compare again what workflows have mended. Cancel it to stop."""
        ready_at = asyncio.get_running_loop().time() + (self._rules.interval_s or 0.0)
        while True:
            await asyncio.sleep(_TICK_S)
            try:
                if self._rules.interval_s is not None and asyncio.get_running_loop().time() >= ready_at:
                    await self._begin_when_due(self._rules.interval_s)
                await self._look_again()
            except StoreFailed as error:
                _LOG.warning("drift_store_failed", extra={"reason": str(error)})

    async def aclose(self) -> None:
        """Interrupt the runs of this process."""
        for task in self._runs:
            task.cancel()
        await asyncio.gather(*self._runs, return_exceptions=True)

    async def _begin_when_due(self, interval_s: float) -> None:
        run = self._new(Scope(), f"run-{secrets.token_hex(10)}", asked_by=None, is_scheduled=True)
        if await asyncio.to_thread(self._store.begin_run, run, self._rules.lease_s, due_after_s=interval_s) is run:
            self._start(run)

    async def _look_again(self) -> None:
        mended = await asyncio.to_thread(self._store.to_look_at_again)
        now = asyncio.get_running_loop().time()
        scopes = {scope for drift in mended if (scope := _scope_of(drift)) is not None}
        self._look_again_at = {each: at for each, at in self._look_again_at.items() if each in scopes}
        for scope in [each for each in scopes if self._look_again_at.get(each, 0.0) <= now]:
            self._look_again_at[scope] = now + _LOOK_AGAIN_S  # a system may be down
            run = self._new(scope, f"run-{secrets.token_hex(10)}", asked_by=None, is_scheduled=True)
            await asyncio.to_thread(self._store.begin_run, run, self._rules.lease_s)
            await self._carry_out(run)

    def _new(self, scope: Scope, run: str, *, asked_by: str | None, is_scheduled: bool) -> Run:
        return Run(
            id=run,
            scope=scope,
            status=RunStatus.RUNNING,
            asked_by=asked_by,
            is_scheduled=is_scheduled,
            started_at=wall_clock(),
            worker=self._worker,
        )

    def _start(self, run: Run) -> None:
        task = asyncio.create_task(self._carry_out(run), name=f"reconciliation {run.id}")
        self._runs.add(task)
        task.add_done_callback(self._runs.discard)

    async def _carry_out(self, run: Run) -> None:
        rules, store = self._rules, self._store

        async def note(tally: Tally) -> bool:
            return await asyncio.to_thread(store.note_run, run, tally, rules.lease_s)

        sweep = Sweep(
            run=run,
            ask=PatientAsk(ask=self._ask, patience_s=rules.patience_s, page_size=rules.page_size),
            keeping=Keeping(
                apply=lambda findings: asyncio.to_thread(store.apply, findings),
                resolve_unseen=lambda scope, since: asyncio.to_thread(store.resolve_unseen, scope, since),
                note=note,
            ),
            tolerances=rules.tolerances,
            today=dt.datetime.now(dt.UTC).date(),
            parallel=rules.parallel,
        )
        status = RunStatus.INTERRUPTED
        try:
            status = await sweep.sweep()
        except* Interrupted:
            _LOG.warning("reconciliation_interrupted", extra={"run": run.id})
        except* StoreFailed as failed:
            _LOG.warning("drift_store_failed", extra={"reason": str(failed.exceptions[0])})
        except* Exception as broke:  # noqa: BLE001 - the edge of a run: a bug ends it, named, and not the gateway
            _LOG.error("reconciliation_broke", extra={"run": run.id}, exc_info=broke)
        finally:
            await asyncio.shield(self._end(run, status, sweep.tally))

    async def _end(self, run: Run, status: RunStatus, tally: Tally) -> None:
        try:
            await asyncio.to_thread(self._store.end_run, run, status, tally)
        except StoreFailed as error:
            # Its lease ends by itself, and the next run says that it was interrupted.
            _LOG.warning("drift_store_failed", extra={"reason": str(error)})
        _LOG.info("reconciled", extra={"run": run.id, "status": status, "differing": tally.differing})

    async def _stored(
        self, work: Callable[ParametersT, ResultT], *arguments: ParametersT.args, **named: ParametersT.kwargs
    ) -> ResultT:
        try:
            return await asyncio.to_thread(work, *arguments, **named)
        except StoreFailed as error:
            raise GatewayError("STORE_UNAVAILABLE") from error


def _scope_of(drift: Drift) -> Scope | None:
    """Return what to compare again once a drift is mended."""
    place = drift.found.place
    if place.kind is DriftKind.PRODUCT:
        return Scope(kinds=(DriftKind.PRODUCT,), product=place.subject)
    return None if drift.found.customer is None else Scope(customer=drift.found.customer)


def _run_id(caller: CallerView, key: str | None) -> str:
    """Return the id that the same key of the same caller always gives, or a new one."""
    if key is None:
        return f"run-{secrets.token_hex(10)}"
    parts = (caller.tenant or "", caller.subject or "", key)
    return f"run-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:20]}"
