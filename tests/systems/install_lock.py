"""One lock for all installing: of several processes one installs third-party software, and the others wait for it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INSTALLED = Path(__file__).parents[2] / ".concord"
SYSTEMS = INSTALLED / "systems"
"""Where third-party systems are installed, once for all tests; git ignores it."""


@contextmanager
def install_lock() -> Iterator[None]:
    """Hold the lock within the block. What is there is to be looked at inside: another process may just have made it."""
    SYSTEMS.mkdir(parents=True, exist_ok=True)
    with (SYSTEMS / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
