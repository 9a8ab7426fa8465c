"""The engine of the moment: built from the supergraph's file, and swapped when that changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from gateway.access.choice import Contract
from gateway.access.contract import ContractRefused, variants
from gateway.cache.warm_plans import WarmPlans
from gateway.engine import Engine
from gateway.federation.supergraph import Supergraph, parse_supergraph
from gateway.settings import SettingsRefused
from gateway.transport.garbage import is_settled, settle_garbage

_LOG = logging.getLogger("concord.app")


@dataclass(frozen=True, slots=True)
class Graphs:
    """A supergraph, and the variants of it that are contracts, by name."""

    whole: Supergraph
    variants: Mapping[str, Supergraph]


@dataclass(frozen=True, slots=True)
class Built:
    """An engine that can serve."""

    engine: Engine
    begin: Callable[[], None]
    """Called when it does: what all engines share is its graph's from then on."""


Build: TypeAlias = Callable[[Graphs], Built]
"""Builds the engine of a supergraph; nothing of it shows before it begins. Raises SettingsRefused."""


def read_graphs(path: Path, contracts: Mapping[str, Contract]) -> Graphs:
    """Read the composed schema and what each contract shows of it. Raises SettingsRefused."""
    whole = read_supergraph(path)
    try:
        return Graphs(whole, variants(whole, contracts))
    except ContractRefused as error:
        raise SettingsRefused((str(error),)) from error


def read_supergraph(path: Path) -> Supergraph:
    """Read the composed schema. Raises SettingsRefused if there is none, or it can't be served."""
    try:
        return parse_supergraph(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsRefused((f"There is no supergraph at {path}; run `concord compose` first.",)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsRefused((f"{path} can't be read: {error}",)) from error
    except Exception as error:
        raise SettingsRefused((f"{path} is not a supergraph: {error}",)) from error


class ReloadedEngine:
    """Call it for the engine that serves a new operation."""

    def __init__(
        self, path: Path, contracts: Mapping[str, Contract], check: Callable[[Supergraph], None] = lambda _: None
    ) -> None:
        """`check` raises SettingsRefused for a supergraph that can't be served."""
        self._path = path
        self._contracts = contracts
        self._check = check
        self._read_at = self._stamp()
        self._engine: Engine | None = None

    def __call__(self) -> Engine:
        """Return the engine for a new operation."""
        assert self._engine is not None, "it serves inside `serving` only"
        return self._engine

    def read(self) -> Graphs:
        """Return what the file says now. Raises SettingsRefused."""
        graphs = read_graphs(self._path, self._contracts)
        self._check(graphs.whole)
        return graphs

    @asynccontextmanager
    async def serving(
        self, graphs: Graphs, build: Build, plans: WarmPlans, *, interval_s: float
    ) -> AsyncIterator[None]:
        """Serve a supergraph, and each new one that appears in the file, until the end of the context.

        Each is warmed with `plans` before it serves.
        """
        built = build(graphs)
        built.begin()
        self._engine = built.engine
        await plans.warm(self._engine)
        reloading = self._reload_when_changed(build, plans, interval_s)
        tasks = (
            asyncio.create_task(reloading, name="supergraph reload"),
            asyncio.create_task(plans.keep(self), name="plans kept warm"),
        )
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            plans.remember(self._engine)
            self._engine.close()

    async def _reload_when_changed(self, build: Build, plans: WarmPlans, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            stamp = self._stamp()
            if stamp == self._read_at:
                continue
            self._read_at = stamp
            try:
                await self._reload(build, plans)
            except SettingsRefused as refused:
                _LOG.error("reload_refused", extra={"problems": refused.problems})
            except Exception as error:  # noqa: BLE001 - whatever is wrong with this one, the next one has to be read
                problem = f"{self._path} can't be served: {type(error).__name__}: {error}"
                _LOG.exception("reload_refused", extra={"problems": (problem,)})

    async def _reload(self, build: Build, plans: WarmPlans) -> None:
        graphs = await asyncio.to_thread(self.read)
        built = build(graphs)
        engine, before = built.engine, self._engine
        try:
            await plans.warm(engine, before)
        except BaseException:
            engine.close()
            raise
        built.begin()
        self._engine = engine
        # Subscriptions go over. Requests that began with the old engine end with it: they hold it themselves.
        if before is not None:
            await before.hand_over(engine)
            before.close()
        if is_settled():
            settle_garbage()
        _LOG.info("reloaded", extra={"subgraphs": list(graphs.whole.subgraphs)})

    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size
