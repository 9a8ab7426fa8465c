"""What the request being served carries along: its deadline, its ids, and how many vendor requests it has cost.

Kept in a context variable, so that clients below loaders see it without every signature passing it on.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from subgraphs.kit.caller import Caller
from subgraphs.kit.system_error import FieldError


@dataclass(slots=True)
class CurrentRequest:
    """One request to a subgraph."""

    deadline: float | None = None
    """When the answer is due, by `time.monotonic()`; None: no deadline was sent."""
    correlation_id: str | None = None
    idempotency_key: str | None = None
    authorization: str | None = None
    caller: Caller | None = None
    """For whom the gateway asks; None where nobody said so, as in a background loop."""
    vendor_requests: Counter[str] = field(default_factory=Counter)
    """Vendor name → requests sent to it for this request."""
    shortcomings: list[tuple[Sequence[str | int], FieldError]] = field(default_factory=list)
    """(path, error) of values that are there and not all that they should be: told as errors beside them."""

    @property
    def is_background(self) -> bool:
        """Whether nobody waits for it."""
        return self.caller is not None and self.caller.is_background

    def remaining_s(self) -> float | None:
        """Seconds until the deadline, never negative; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


_current: ContextVar[CurrentRequest | None] = ContextVar("concord_current_request", default=None)


def current_request() -> CurrentRequest | None:
    """The request being served, or None in a background loop."""
    return _current.get()


@contextmanager
def serving(request: CurrentRequest) -> Iterator[CurrentRequest]:
    """Make `request` the current one within the block."""
    token = _current.set(request)
    try:
        yield request
    finally:
        _current.reset(token)
