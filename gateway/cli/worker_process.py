"""How a serving process is started: its command, and how the C library's allocator is set for it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

SHARES_PORT = "--shares-port"

_ALLOCATOR = {
    # Threads do little here, and each arena of theirs would keep what it once needed.
    "MALLOC_ARENA_MAX": "1",
    # What large answers took goes back to the system soon; by itself the allocator keeps twice the largest of them.
    "MALLOC_TRIM_THRESHOLD_": str(1 << 20),
    "MALLOC_TOP_PAD_": str(256 << 10),
}
"""Read by glibc when a process starts, and by nobody else. <https://man7.org/linux/man-pages/man3/mallopt.3.html>"""


def worker_command(config: Path, *, shares_port: bool = False) -> tuple[str, ...]:
    """Return the command of a process that serves and does nothing else."""
    return (sys.executable, "-m", "gateway.cli.worker", str(config), *((SHARES_PORT,) if shares_port else ()))


def worker_environment() -> dict[str, str]:
    """Return this process's environment with the allocator's settings; those that somebody chose stay."""
    return {**_ALLOCATOR, **os.environ}
