"""Kill everything, at random moments, while events stream; then count: `python tests/events/crashes.py --events 100000`.

Publishers with outboxes, gateways over one log, subscribers that reconnect and a named consumer run as processes of their
own. Each of them, and Redis, is killed with SIGKILL again and again and started again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import httpx2
from crash_publisher import SUBJECTS, event, is_poison

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.append(str(ROOT / "tests" / "systems"))

from served_process import free_ports  # noqa: E402 - found by that path where this runs as a script

SECRET = "between ourselves"
PUBLISHERS = 2
SUBSCRIBERS = 4


@dataclass
class Tally:
    """What was counted."""

    engine: str
    published: int = 0
    poison: int = 0
    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0
    letters_lost: int = 0
    missed_by_subscribers: int = 0
    doubled_at_subscribers: int = 0
    out_of_order_at_subscribers: int = 0
    missed_by_consumer: int = 0
    reconnects: int = 0
    kills: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def faults(self) -> int:
        return (
            self.lost
            + self.doubled
            + self.out_of_order
            + self.letters_lost
            + self.missed_by_subscribers
            + self.doubled_at_subscribers
            + self.out_of_order_at_subscribers
            + self.missed_by_consumer
        )

    def __str__(self) -> str:
        kills = ", ".join(f"{count} {name}" for name, count in sorted(self.kills.items()))
        return (
            f"{self.engine}: {self.published:,} events acknowledged in {self.seconds:.0f} s under kill -9 of {kills}\n"
            f"  log:         {self.lost} lost, {self.doubled} doubled, {self.out_of_order} out of order in their subject\n"
            f"  poison:      {self.poison} put aside, {self.letters_lost} of them lost\n"
            f"  subscribers: {SUBSCRIBERS} with {self.reconnects:,} connections in all: {self.missed_by_subscribers} missed,"
            f" {self.doubled_at_subscribers} doubled, {self.out_of_order_at_subscribers} out of order\n"
            f"  consumer:    {self.missed_by_consumer} missed (what was under way at a kill comes again)"
        )


@dataclass
class Kept:
    """A process that is started again whenever it was killed."""

    name: str
    command: list[str]
    environment: dict[str, str]
    ready: Callable[[], bool]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    is_done: bool = False

    def start(self) -> None:
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{HERE}", **self.environment}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=environment, stdout=subprocess.DEVNULL, stderr=log, cwd=ROOT
            )
        within(60, self.ready, f"{self.name} is ready")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def look(self) -> None:
        """Note a process that has ended by itself: a publisher that is done, or a fault."""
        assert self.process is not None
        status = self.process.poll()
        if status is not None and not self.is_done:
            assert status == 0, f"{self.name} ended with {status}:\n{self.log.read_text()[-2000:]}"
            self.is_done = True


def within(seconds: float, look: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def run(engine: str, events: int, folder: Path, *, kills: int, seed: int, most_per_connection: int) -> Tally:
    """Publish `events` in all while `kills` processes are killed; return what was counted."""
    chance = random.Random(seed)
    tally = Tally(engine)
    began = time.monotonic()
    redis_port, *ports = free_ports(3)
    kept: list[Kept] = []
    target = str(folder / "events.sqlite")
    gateways = 1
    if engine == "redis":
        target, gateways = f"redis://127.0.0.1:{redis_port}/0", 2
        options = ["--port", str(redis_port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
        options += ["--appendonly", "yes", "--appendfsync", "always"]
        kept.append(Kept("Redis", ["redis-server", *options], {}, lambda: answers(redis_port), folder / "redis.log"))
    journals = []
    for number, port in enumerate(ports[:gateways]):
        journals.append(folder / f"consumer-{number}.journal")
        command = [
            sys.executable,
            str(HERE / "crash_gateway.py"),
            target,
            str(port),
            str(ROOT / "schema/events"),
            SECRET,
        ]
        kept.append(
            Kept(
                "gateway",
                command,
                {"CRASH_JOURNAL": str(journals[-1])},
                lambda port=port: answers(port),
                folder / f"gateway-{number}.log",
            )
        )
    addresses = ",".join(f"http://127.0.0.1:{port}" for port in ports[:gateways])
    doors = ",".join(f"{address}/events" for address in addresses.split(","))
    each = events // PUBLISHERS
    for number in range(PUBLISHERS):
        database = str(folder / f"outbox-{number}.sqlite")
        command = [sys.executable, str(HERE / "crash_publisher.py"), database, doors, SECRET, f"p{number}", str(each)]
        kept.append(Kept("publisher", command, {}, lambda: True, folder / f"publisher-{number}.log"))
    command = [sys.executable, str(HERE / "crash_subscriber.py"), str(folder), addresses, SECRET]
    command += [str(SUBSCRIBERS), str(seed), str(most_per_connection)]
    kept.append(Kept("subscribers", command, {}, lambda: True, folder / "subscribers.log"))
    try:
        for process in kept:
            process.start()
        within(60, lambda: "crash" in state(addresses)["consumers"], "the named consumer has its place")
        publishers = [process for process in kept if process.name == "publisher"]
        left = kills
        while left or not all(process.is_done for process in publishers):
            for process in kept:
                process.look()
            time.sleep(chance.uniform(0.2, 1.2))
            assert time.monotonic() < began + max(1_800, events / 20)
            # Everything is killed in turn; the publishers only while they have something to publish.
            victims = [process for process in kept if not process.is_done]
            if left and victims:
                victim = victims[left % len(victims)]
                victim.look()
                if victim.is_done:
                    continue
                victim.kill()
                tally.kills[victim.name] = tally.kills.get(victim.name, 0) + 1
                time.sleep(chance.uniform(0.0, 0.5))
                victim.start()
                left -= 1
        settle(folder, addresses, max(600, events / 60))
        count(tally, folder, addresses, journals, each)
    finally:
        for process in reversed(kept):
            if process.process is not None and process.process.poll() is None:
                process.kill()
    tally.seconds = time.monotonic() - began
    return tally


def state(addresses: str) -> dict:
    try:
        return httpx2.get(f"{addresses.split(',')[0]}/state", trust_env=False, timeout=30).json()
    except (httpx2.HTTPError, ValueError):
        return {"consumers": {}, "head": -1}


def settle(folder: Path, addresses: str, within_s: float) -> None:
    """Wait until every subscriber and the consumer have read all there is."""

    def is_settled() -> bool:
        seen = state(addresses)
        if seen["head"] < 0 or seen["consumers"].get("crash") != 0:
            return False
        journals = [journal(folder / f"subscriber-{number}.journal") for number in range(SUBSCRIBERS)]
        return all(rows and len(rows) >= seen["head"] for rows in journals)

    within(within_s, is_settled, "all have read everything")


def journal(path: Path) -> list[str]:
    """The event ids of a journal's whole lines."""
    if not path.exists():
        return []
    text = path.read_bytes()
    return [line.split()[1].decode() for line in text[: text.rfind(b"\n") + 1].splitlines()]


def count(tally: Tally, folder: Path, addresses: str, journals: list[Path], each: int) -> None:
    """Hold what everybody has against what was published."""
    names = [f"p{number}" for number in range(PUBLISHERS)]
    expected = {name: [event(name, number).id for number in range(each) if not is_poison(number)] for name in names}
    poison = {event(name, number).id for name in names for number in range(each) if is_poison(number)}
    tally.published = each * PUBLISHERS
    tally.poison = len(poison)
    tally.letters_lost = len(poison - set(state(addresses)["letters"]))
    with httpx2.stream(
        "GET",
        f"{addresses.split(',')[0]}/events/feed",
        params={"after": "beginning", "follow": "false"},
        headers={"authorization": f"Bearer {SECRET}"},
        trust_env=False,
        timeout=120,
    ) as reply:
        log = [json.loads(line)["id"] for line in reply.iter_lines() if line]
    valid = {identity for ids in expected.values() for identity in ids}
    kept = [identity for identity in log if identity in valid]
    tally.lost = len(valid - set(kept))
    tally.doubled = len(kept) - len(set(kept))
    place = {identity: number for number, identity in enumerate(log)}
    for name in names:
        for subject in range(SUBJECTS):
            numbers = [number for number in range(subject, each, SUBJECTS) if not is_poison(number)]
            places = [place.get(event(name, number).id, -1) for number in numbers]
            tally.out_of_order += sum(a > b for a, b in pairwise(places))
    for number in range(SUBSCRIBERS):
        rows = journal(folder / f"subscriber-{number}.journal")
        tally.missed_by_subscribers += len(set(log) - set(rows))
        tally.doubled_at_subscribers += len(rows) - len(set(rows))
        tally.out_of_order_at_subscribers += rows != log and len(rows) == len(log)
        tally.reconnects += len((folder / f"subscriber-{number}.connections").read_bytes())
    consumed = {identity for path in journals for identity in journal(path)}
    tally.missed_by_consumer = len(set(log) - consumed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=["sqlite", "redis", "both"], default="both")
    parser.add_argument("--events", type=int, default=100_000, help="events in all, for each engine")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument(
        "--most", type=int, default=700, help="the most events that a subscriber reads on one connection"
    )
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    faults = 0
    for engine in ("sqlite", "redis") if options.engine == "both" else (options.engine,):
        with tempfile.TemporaryDirectory() as folder:
            tally = run(
                engine, options.events, Path(folder), kills=options.kills, seed=seed, most_per_connection=options.most
            )
        print(tally, flush=True)
        faults += tally.faults
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
