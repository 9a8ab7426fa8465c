"""What the steps of workflows have in common, whichever system takes them: a key of their own, and a mark on what they make."""

from __future__ import annotations

import hashlib

from subgraphs.kit.current_request import current_request
from subgraphs.kit.system_error import BadUserInputError, Outcome


def own_key() -> str:
    """Return the request's idempotency key. Raises BadUserInputError without one."""
    request = current_request()
    if request is None or not request.idempotency_key:
        raise BadUserInputError("A step needs an idempotency key.", outcome=Outcome.NOT_APPLIED)
    return request.idempotency_key


def mark_of(key: str) -> str:
    """Return a step's external reference: short, and without what searches of systems give a meaning to."""
    return f"concord-{hashlib.sha256(key.encode()).hexdigest()[:24]}"
