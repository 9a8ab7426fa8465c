"""Start processes on one core, read what they cost from /proc, and end exactly those that were started."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cpu:
    """Processor time of a process and its children, in seconds."""

    user: float
    system: float
    run: float
    """Both together, to the nanosecond."""

    def __sub__(self, other: Cpu) -> Cpu:
        return Cpu(self.user - other.user, self.system - other.system, self.run - other.run)


def start(command: Sequence[str], *, core: int, directory: Path, environment: dict[str, str], log: Path) -> int:
    """Start a process in a session of its own, pinned to a core; return its id."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            cwd=directory,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return process.pid


def end(pids: Sequence[int]) -> None:
    """End what was started, children included: politely, then for good."""
    families = [family(pid) for pid in pids]
    for signal_ in (signal.SIGTERM, signal.SIGKILL):
        for pid in {each for members in families for each in members}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal_)
        for _ in range(30):
            if not any(_is_running(each) for members in families for each in members):
                break
            time.sleep(0.1)
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _is_running(pid: int) -> bool:
    try:
        return _stat(pid)[0] != "Z"
    except OSError:
        return False


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def family(pid: int) -> list[int]:
    """Return a process and all below it."""
    children: dict[int, list[int]] = {}
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            each = int(directory.name)
            with contextlib.suppress(OSError):
                children.setdefault(int(_stat(each)[1]), []).append(each)
    found, pending = [], [pid]
    while pending:
        found.append(pending.pop())
        pending += children.get(found[-1], [])
    return found


def cpu(pid: int) -> Cpu:
    """Return what a process and its children have used."""
    user = system = run = 0.0
    for each in family(pid):
        with contextlib.suppress(OSError):
            fields = _stat(each)
            user += int(fields[11]) * _TICK_S
            system += int(fields[12]) * _TICK_S
            run += sum(_schedule_s(task) for task in Path(f"/proc/{each}/task").iterdir())
    return Cpu(user, system, run)


def cpu_alone(pid: int) -> float:
    """Return the processor time of one process without its children, in seconds; 0 for one that is gone."""
    try:
        return sum(_schedule_s(task) for task in Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return 0.0


def _schedule_s(task: Path) -> float:
    return int((task / "schedstat").read_text().split()[0]) / 1e9


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process and its children."""
    total = 0
    for each in family(pid):
        with contextlib.suppress(OSError):
            found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{each}/status").read_text())
            total += int(found[1]) if found else 0
    return total / 1024


def private_mb(pid: int) -> float:
    """Return the memory that nobody else has, of a process and its children: what one more of it would take.

    Resident memory, which `memory_mb` tells, counts a library's pages in full for each process that has it loaded.
    """
    total = 0
    for each in family(pid):
        with contextlib.suppress(OSError):
            rollup = Path(f"/proc/{each}/smaps_rollup").read_text()
            total += sum(int(found) for found in re.findall(r"Private_(?:Clean|Dirty):\s+(\d+)", rollup))
    return total / 1024


def core_busy_s(core: int) -> float:
    """Return how long a core has been busy with anything."""
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{core} "):
            ticks = [int(each) for each in line.split()[1:]]
            return (sum(ticks[:8]) - ticks[3] - ticks[4]) * _TICK_S
    raise ValueError(f"there is no core {core}")


@contextlib.contextmanager
def ending() -> Iterator[list[int]]:
    """Yield a list for the ids of started processes, and end them on the way out, whatever happens."""
    pids: list[int] = []

    def stop(*_: object) -> None:
        raise SystemExit(1)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield pids
    finally:
        end(pids)
        signal.signal(signal.SIGTERM, before)
