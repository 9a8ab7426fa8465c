"""How a serving process is started: its command, and how the C library's allocator is set for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.telemetry.siblings import Siblings

AMONG = "--among="
"""Precedes the folder of the processes that share the port, and this one's number."""

_ALLOCATOR = {
    # Threads do little here, and each arena of theirs would keep what it once needed.
    "MALLOC_ARENA_MAX": "1",
    # What large answers took goes back to the system soon; by itself the allocator keeps twice the largest of them.
    "MALLOC_TRIM_THRESHOLD_": str(1 << 20),
    "MALLOC_TOP_PAD_": str(256 << 10),
}
"""Read by glibc when a process starts, and by nobody else. <https://man7.org/linux/man-pages/man3/mallopt.3.html>"""


def worker_command(config: Path, *, among: tuple[Path, int] | None = None) -> tuple[str, ...]:
    """Return the command of a process that serves and does nothing else.

    `among` several that share a port: a folder of theirs, and which of them it is.
    """
    command = (sys.executable, "-m", "gateway.cli.worker", str(config))
    return command if among is None else (*command, f"{AMONG}{among[1]}:{among[0]}")


def siblings_of(arguments: Sequence[str]) -> Siblings | None:
    """Return the processes that this one shares its port with, as its command says."""
    for each in arguments:
        if each.startswith(AMONG):
            number, _, folder = each.removeprefix(AMONG).partition(":")
            return Siblings(Path(folder), int(number))
    return None


def worker_environment() -> dict[str, str]:
    """Return this process's environment with the allocator's settings; those that somebody chose stay."""
    return {**_ALLOCATOR, **os.environ}
