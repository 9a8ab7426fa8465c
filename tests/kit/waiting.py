"""Waiting for what another process brings about, which tells nobody: look again and again until it is there."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

EVERY_S = 0.03


async def until(look: Callable[[], Any], within_s: float = 60.0) -> Any:
    """Return what `look` finds, or what it gives to await, as soon as that is something. Raises AssertionError in the end."""
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        _check(deadline, within_s, look)
        await asyncio.sleep(EVERY_S)


def wait_until(look: Callable[[], Any], within_s: float = 60.0) -> Any:
    """The same where no loop runs."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        _check(deadline, within_s, look)
        time.sleep(EVERY_S)
    return found


def _check(deadline: float, within_s: float, look: Callable[[], Any]) -> None:
    assert time.monotonic() < deadline, f"not within {within_s} s: {getattr(look, '__qualname__', look)}"
