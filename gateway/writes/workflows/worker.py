"""One process's share of the workflows: DBOS resumes them, a lease says who is alive, a sweep takes over from the dead.

DBOS (https://docs.dbos.dev) keeps what each step returned and lets one execution at a time record results. It is imported
when the first workflow has to run: a gateway without workflows carries neither its memory nor its threads.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Any

from gateway.writes.store import StoreFailed
from gateway.writes.workflows.definition import Calls, Definition
from gateway.writes.workflows.drive import Driver, Outcome, Watcher
from gateway.writes.workflows.model import StepError, Superseded, WorkflowRecord
from gateway.writes.workflows.store import WorkflowStore

_LOG = logging.getLogger("concord.workflows")
_LOOK_S = 0.2
_SHORTEST_S = 0.1
"""Between two tries of a step, whatever happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """How a worker behaves."""

    engine_url: str
    """Where DBOS keeps its own state: `sqlite:///…` or `postgresql://…`."""
    lease_s: float = 10.0
    """How long a worker that says nothing is taken for alive; its workflows are resumed within about one and a half times that."""
    most_running: int = 32


class Worker:
    """Starts workflows, and resumes those whose worker died."""

    def __init__(
        self,
        settings: WorkerSettings,
        store: WorkflowStore,
        definitions: Mapping[str, Definition],
        calls: Calls,
        owners: Mapping[str, str],
        *,
        watch: Watcher | None = None,
    ) -> None:
        """Make it on the event loop that `calls` belong to. `watch` sees every boundary between two effects."""
        self.id = f"worker-{secrets.token_hex(8)}"
        self._settings = settings
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._stopping = threading.Event()
        # Guards what was heard of, and wakes the runs that wait for it.
        self._told = threading.Condition()
        self._heard: Counter[str] = Counter()
        self._launching = threading.Lock()
        self._engine: Any = None
        self._run: Callable[[str, int], str] | None = None
        watching = {} if watch is None else {"watch": watch}
        self._driver = Driver(
            store=store, definitions=definitions, calls=calls, owners=owners, surroundings=self, **watching
        )

    async def serve_forever(self) -> None:
        """Keep the lease, and take over what nobody is at. Cancel it to stop; then await `aclose`."""
        while True:
            try:
                await asyncio.to_thread(self._store.renew_lease, self.id, self._settings.lease_s)
                await asyncio.to_thread(self._sweep)
            except StoreFailed as error:
                _LOG.warning("workflow_store_failed", extra={"reason": str(error)})
            await asyncio.sleep(self._settings.lease_s / 4)

    async def start(self, record: WorkflowRecord) -> None:
        """Run a workflow that this worker is responsible for; should that fail, the sweep will."""
        try:
            await asyncio.to_thread(self._start, record.id, record.generation)
        except Exception:  # noqa: BLE001 - whatever it is, the workflow is kept and the sweep tries again
            _LOG.exception("workflow_not_started", extra={"workflow": record.id})
            await asyncio.to_thread(self._store.hand_over, record, None, is_new_run=False)

    async def aclose(self) -> None:
        """Stop between two tries, and leave the rest to other workers, or to the next start."""
        self._stopping.set()
        with self._told:
            self._told.notify_all()
        try:
            await asyncio.to_thread(self._store.end_lease, self.id)
        except StoreFailed as error:
            _LOG.warning("workflow_store_failed", extra={"reason": str(error)})
        if self._engine is not None:
            await asyncio.to_thread(self._engine.destroy, workflow_completion_timeout_sec=1, destroy_registry=True)

    def wait(self, seconds: float, awaits: frozenset[str] = frozenset(), since: int = 0) -> None:
        """Pause a run, or until it is told of an event that it awaits; raises `Superseded` where the worker stops."""
        until = time.monotonic() + seconds
        if self._stopping.wait(min(seconds, _SHORTEST_S)):  # a storm of events is no reason for a storm of requests
            raise Superseded(self.id)
        with self._told:
            while (
                not self._stopping.is_set() and self.heard(awaits) == since and (left := until - time.monotonic()) > 0
            ):
                self._told.wait(left)
        if self._stopping.is_set():
            raise Superseded(self.id)

    def heard(self, awaits: frozenset[str]) -> int:
        """Return how many events of these types this worker was told of."""
        return sum(self._heard[each] for each in awaits)

    def hear(self, types: Iterable[str]) -> None:
        """Tell of events that happened: what waits for one of these types is tried again."""
        with self._told:
            self._heard.update(types)
            self._told.notify_all()

    def on_loop(self, work: Any) -> Any:
        """Await something on the event loop, from a run's thread."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        while True:
            try:
                return future.result(_LOOK_S)
            except FutureTimeoutError:
                if future.done():
                    raise
                if self._stopping.is_set() and not self._loop.is_running():
                    future.cancel()
                    raise Superseded(self.id) from None

    def _start(self, workflow: str, generation: int) -> None:
        from dbos import SetWorkflowID  # noqa: PLC0415 - see the module's sentence

        engine = self._launched()
        assert self._run is not None
        with SetWorkflowID(f"{workflow}.{generation}"):
            engine.start_workflow(self._run, workflow, generation)

    def _sweep(self) -> None:
        """Resume orphans: by DBOS where it has them running under a dead worker, anew where it has lost them."""
        self._store.release_due()
        orphans = self._store.orphans()
        if not orphans or self._stopping.is_set():
            return
        engine = self._launched()
        known = {each.workflow_id: each for each in self._known(orphans)}
        for record in orphans:
            state = known.get(f"{record.id}.{record.generation}")
            is_kept = state is not None and state.status in ("PENDING", "ENQUEUED")
            is_new_run = state is not None and not is_kept
            if not self._store.hand_over(record, self.id, is_new_run=is_new_run):
                continue
            _LOG.warning("workflow_resumed", extra={"workflow": record.id, "from_worker": record.worker})
            if is_kept:
                engine.resume_workflow(f"{record.id}.{record.generation}")
            else:
                self._start(record.id, record.generation + int(is_new_run))

    def _known(self, orphans: Sequence[WorkflowRecord]) -> Sequence[Any]:
        ids = [f"{record.id}.{record.generation}" for record in orphans]
        found: Sequence[Any] = self._launched().list_workflows(workflow_ids=ids, load_input=False, load_output=False)
        return found

    def _launched(self) -> Any:
        with self._launching:
            if self._engine is None:
                self._engine = self._launch()
            return self._engine

    def _launch(self) -> Any:
        from dbos import DBOS  # noqa: PLC0415 - see the module's sentence

        from gateway.writes.workflows.engine_database import engine_database  # noqa: PLC0415 - as above

        url, engine = engine_database(self._settings.engine_url)
        DBOS(
            config={
                "name": "concord",
                # Every version resumes what another began: steps are known by name, and a changed order by its own kind.
                "application_version": "1",
                "executor_id": self.id,
                "system_database_url": url,
                "system_database_engine": engine,
                # It would print a trace for each run that another worker took over; what matters is logged here.
                "log_level": "CRITICAL",
                "max_executor_threads": self._settings.most_running,
            }
        )

        def run_step(name: str, work: Callable[[], Outcome]) -> Outcome:
            outcome: Outcome = DBOS.run_step({"name": name}, work)
            return outcome

        @DBOS.workflow(name="concord", max_recovery_attempts=1_000_000)
        def run(workflow: str, generation: int) -> str:
            try:
                return self._driver.drive(workflow, generation, self.id, run_step)
            except Superseded:
                _LOG.info("workflow_superseded", extra={"workflow": workflow, "worker": self.id})
                raise
            except Exception:  # noqa: BLE001 - the edge of a run: a bug becomes a case for a person, and a log line
                _LOG.exception("workflow_broke", extra={"workflow": workflow})
                return self._give_to_a_person(workflow)

        self._run = run
        DBOS.launch()
        return DBOS

    def _give_to_a_person(self, workflow: str) -> str:
        record = self._store.find(workflow)
        if record is not None and record.worker == self.id:
            error = StepError(code="INTERNAL_SERVER_ERROR", message="The workflow met a bug of ours.", system="gateway")
            self._store.stop(record, error, "graph-platform")
        return "broke"
