"""What a write has sent to vendors so far, so that whatever fails later in it still says what became of the whole.

A write may take several requests, and reads between and after them: the invoice that is posted after it was created, the
payment's id that is looked for once it is booked. Any of them may fail, and its own error tells of itself alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from subgraphs.kit.system_error import FieldError, Outcome


@dataclass(slots=True)
class WriteEffects:
    """Of one write. `VendorClient.write` keeps it; whoever sends without that client calls `note_effect`."""

    sent: int = 0
    """Requests that took effect, or may have."""


_current: ContextVar[WriteEffects | None] = ContextVar("concord_write_effects", default=None)


@contextmanager
def watching_effects() -> Iterator[WriteEffects]:
    """Count what is sent within the block."""
    effects = WriteEffects()
    token = _current.set(effects)
    try:
        yield effects
    finally:
        _current.reset(token)


def note_effect() -> None:
    """Say that a request was sent that took effect, or may have."""
    effects = _current.get()
    if effects is not None:
        effects.sent += 1


@contextmanager
def after_write() -> Iterator[None]:
    """Within the block, which reads what a write has changed, a failure says that the write itself took effect."""
    try:
        yield
    except FieldError as error:
        error.outcome = Outcome.APPLIED
        raise
