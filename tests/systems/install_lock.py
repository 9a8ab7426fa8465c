"""One lock for all installing: of several test processes one installs a third-party system, and the others wait for it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from served_process import ROOT

SYSTEMS = ROOT / ".concord" / "systems"
"""Where third-party systems are installed, once for all tests; git ignores it."""


@contextmanager
def install_lock() -> Iterator[None]:
    """Hold the lock within the block. What is there is to be looked at inside: another process may just have made it."""
    SYSTEMS.mkdir(parents=True, exist_ok=True)
    with (SYSTEMS / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
