"""Kills workers at every boundary between two effects and at random moments, and counts what is left in each system.

    .venv/bin/python tests/crashes/campaign.py --kills 500 --store sqlite
    .venv/bin/python tests/crashes/campaign.py --kills 500 --store postgres     # two workers at a time

Each round closes some opportunities, every request sent twice; waits for their end; and takes the completed ones back.
While that goes on, workers are killed, or stopped beyond their lease and let go on, and the systems answer with faults.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "systems"), str(ROOT / "tests" / "crashes")]

from crash_worker import LEASE_S, Boundary, Forked, Place, fork_worker  # noqa: E402 - after the path
from landscape import Landscape, started_landscape  # noqa: E402

from gateway.writes.workflows.quote_to_cash import QUOTE_TO_CASH  # noqa: E402

_ROUND_S = 240.0
"""Everything of a round must have settled by then; nothing may be stuck."""


def boundaries() -> list[Boundary]:
    """Every boundary of the workflow, forward and back."""
    steps = QUOTE_TO_CASH.steps
    forward = [(step.name, moment) for step in steps for moment in ("before", "sent", "kept")]
    back = [
        (step.name, f"{moment} undo") for step in reversed(steps) if step.undo for moment in ("before", "sent", "kept")
    ]
    return [*forward, *back]


def closing(opportunity: str, version: str, sku: str) -> dict[str, Any]:
    """Return a workflow's input as the graph makes it."""
    return {
        "opportunityId": opportunity,
        "version": version,
        "items": [{"sku": sku, "quantity": 3, "interval": None}],
        "startsOn": time.strftime("%Y-%m-%d", time.gmtime()),
        "termMonths": 12,
        "noticeDays": 30,
        "daysUntilDue": 30,
        "currency": None,
    }


@dataclass
class Tally:
    """What happened, and what was found."""

    kills: Counter[str] = field(default_factory=Counter)
    workflows: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    faults: int = 0
    wrong: list[str] = field(default_factory=list)

    def print(self, seconds: float, store: str) -> None:
        total = sum(self.kills.values())
        print(
            f"{store}: {total} kills in {seconds:.0f} s: "
            + ", ".join(f"{n} {k}" for k, n in sorted(self.kills.items()))
        )
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
    fatal: Any = ()
    _next_random: float = 0.0

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
            self._next_random = now + self.chance.uniform(0.5, 2.5)
            running = [worker for worker in self.workers if worker not in [each for each, _ in self.stopped]]
            if running and self.replicas > 1 and self.chance.random() < 0.15:
                worker = self.chance.choice(running)
                os.kill(worker.pid, signal.SIGSTOP)
                self.stopped.append((worker, now + LEASE_S * 2.5))
                self.tally.kills["stopped past the lease"] += 1
            elif running and self.chance.random() < 0.5:
                self.chance.choice(running).kill()
                self.tally.kills["at a random moment"] += 1
                self.workers = [worker for worker in self.workers if not worker.is_dead]
            if self.chance.random() < 0.25:
                self.spoil()
        while len(self.workers) < self.replicas:
            self.workers.append(fork_worker(self.place, next(self.fatal) if kill else None, self.workers))

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
        calm = time.monotonic() + 20
        while True:
            is_calm = time.monotonic() > calm
            if is_calm:
                self.heal()
            found = self.ask(kill=kill and not is_calm, do="look")
            open_ones = [each for each in ids if found.get(each, ["RUNNING"])[0] in ("RUNNING", "COMPENSATING")]
            if not open_ones:
                return found
            if time.monotonic() > until:
                self.tally.wrong += [f"{each} is stuck: {found.get(each)}" for each in open_ones]
                return found
            time.sleep(0.05)

    def round(self, deals: list[dict[str, Any]], number: int) -> None:
        begun: dict[str, dict[str, Any]] = {}
        for place, deal in enumerate(deals):
            self.heal()
            before = self.landscape.deal(deal["id"])
            sku = "NO-SUCH-SKU" if place % 5 == 4 else self.chance.choice(("CORE-SEAT", "PLATFORM"))
            given = closing(deal["id"], before["version"], sku)
            key = f"{number}:{deal['id']}"
            first = self.ask(kill=True, do="begin", input=given, key=key)
            again = self.ask(kill=True, do="begin", input=given, key=key)
            if first.get("id") != again.get("id"):
                self.tally.wrong.append(f"one key, two workflows: {first} {again}")
            begun[first["id"]] = {**deal, "before": before["stage"], "sku": sku}
        found = self.settle(list(begun), kill=True)
        self.check(begun, found)
        completed = [each for each in begun if found.get(each, [""])[0] == "COMPLETED"]
        for each in completed:
            self.ask(kill=True, do="compensate", id=each)
        if completed:
            self.check(begun, self.settle(completed, kill=True))

    def check(self, begun: dict[str, dict[str, Any]], found: dict[str, Any]) -> None:
        """Compare what each system holds with what the workflow says it came to."""
        self.heal()
        for each, deal in begun.items():
            status, _, code = found.get(each, ["MISSING", None, None])
            self.tally.workflows[status] += 1
            number = f"CON-{time.strftime('%Y', time.gmtime())}-{each[-8:].upper()}"
            held = self.landscape.held(deal["id"], number)
            match status:
                case "COMPLETED":
                    is_right = (
                        (held.stage, held.contract_number) == ("WON", number)
                        and held.subscriptions == ["active"]
                        and held.bills == ["open"]
                        and held.named[0] is not None
                        and held.invoices == ["posted"]
                        and len(held.deferrals) == 1
                        and held.opening_entries == 1
                    )
                case "COMPENSATED":
                    is_right = (
                        (held.stage, held.contract_number) == (deal["before"], None)
                        and set(held.subscriptions) <= {"canceled"}
                        and len(held.subscriptions) <= 1
                        and set(held.bills) <= {"void"}
                        and set(held.invoices) <= {"cancelled"}
                        and len(held.invoices) <= 1
                        and not any(held.ledger.values())
                        and (deal["sku"] != "NO-SUCH-SKU" or held.subscriptions == [])
                    )
                case _:
                    is_right = False
            if not is_right:
                self.tally.wrong.append(f"{each} {status} {code}: {held}")
        self.tally.wrong += [f"twice: {each}" for each in self.landscape.duplicates()]

    def end(self) -> None:
        while self.stopped:
            worker, _ = self.stopped.pop()
            if not worker.is_dead:
                os.kill(worker.pid, signal.SIGCONT)
        checked = self.ask(kill=False, do="verify")
        if checked["broken"] is not None:
            self.tally.wrong.append(f"the evidence is broken at {checked['broken']}")
        for worker in self.workers:
            worker.kill()


@contextmanager
def a_store(kind: str):
    """Give the Postgres to be shared, or none."""
    if kind == "sqlite":
        yield None
        return
    from postgres import started_postgres

    with started_postgres() as url:
        yield url


def run(
    landscape: Landscape,
    folder: Path,
    store: str,
    *,
    kills: int,
    seconds: float,
    at_once: int,
    seed: int,
    fatal: Sequence[Boundary] = (),
) -> Tally:
    """Kill until there were enough kills, or the time is up; at the boundaries `fatal`, or else at all of them in turn."""
    began = time.monotonic()
    with a_store(store) as url:
        place = Place(folder, url, landscape.urls)
        campaign = Campaign(landscape, place, 2 if url else 1, random.Random(seed))
        campaign.fatal = itertools.cycle(fatal or boundaries())
        deals = landscape.open_deals()
        number = 0
        while sum(campaign.tally.kills.values()) < kills and time.monotonic() - began < seconds:
            number += 1
            campaign.chance.shuffle(deals)
            campaign.round(deals[:at_once], number)
        campaign.end()
    campaign.tally.print(time.monotonic() - began, store)
    return campaign.tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=500, help="how many per store")
    parser.add_argument("--seconds", type=float, default=1800, help="the longest to go on, per store")
    parser.add_argument("--store", choices=("sqlite", "postgres"), action="append")
    parser.add_argument("--at-once", type=int, default=8, help="workflows of a round")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    wrong = 0
    for store in options.store or ["sqlite", "postgres"]:
        with (
            tempfile.TemporaryDirectory(prefix="concord-crashes-") as folder,
            started_landscape(Path(folder)) as landscape,
        ):
            tally = run(
                landscape, Path(folder), store,
                kills=options.kills, seconds=options.seconds, at_once=options.at_once, seed=options.seed,
            )  # fmt: skip
            wrong += len(tally.wrong)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
