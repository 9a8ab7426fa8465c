"""Correlation ids: one per client request, passed on to every subgraph and quoted in every error."""

from __future__ import annotations

import os
import re

_ACCEPTABLE = re.compile(r"[A-Za-z0-9._:\-]{1,128}\Z")

_AT_ONCE = 256
_fresh: list[str] = []
"""Ids that nobody has yet: the system is asked for randomness once for many."""
os.register_at_fork(after_in_child=_fresh.clear)


def correlation_id(given: str | None) -> str:
    """Return the client's own id if it is short and harmless, else a fresh one of 32 hex digits."""
    if given is not None and _ACCEPTABLE.match(given):
        return given
    while True:
        try:
            return _fresh.pop()
        except IndexError:
            digits = os.urandom(16 * _AT_ONCE).hex()
            _fresh.extend(digits[start : start + 32] for start in range(0, len(digits), 32))
