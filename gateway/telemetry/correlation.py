"""Correlation ids: one per client request, passed on to every subgraph and quoted in every error."""

from __future__ import annotations

import os
import re

_ACCEPTABLE = re.compile(r"[A-Za-z0-9._:\-]{1,128}\Z")


def correlation_id(given: str | None) -> str:
    """Return the client's own id if it is short and harmless, else a fresh one of 32 hex digits."""
    if given is not None and _ACCEPTABLE.match(given):
        return given
    return os.urandom(16).hex()
