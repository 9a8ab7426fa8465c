"""Work during which Python's cycle collector rests."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Let the collector rest inside; also a decorator.

    For a burst of work that makes many objects and lets go of few until its end: each pass of the collector would look
    through all of them in vain, which is more than half of a large composition's time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
