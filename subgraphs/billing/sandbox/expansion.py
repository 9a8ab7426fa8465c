"""Replaces ids by the objects they name, where a request's `expand[]` says so.

    expand_into(account, {"customer": "cus_1"}, ["customer"]) → {"customer": {"id": "cus_1", …}}

https://docs.stripe.com/api/expanding_objects
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from subgraphs.billing.sandbox.errors import StripeError
from subgraphs.billing.sandbox.store import Store

_MAX_DEPTH = 4
_NEVER = frozenset({"id", "object", "number", "name", "email", "description", "status", "currency"})


def expand_into(store: Store, answer: Any, paths: Sequence[str]) -> Any:
    """Return the answer with every path expanded. Raises StripeError for one that names nothing expandable."""
    for path in paths:
        segments = path.split(".")
        if len(segments) > _MAX_DEPTH:
            raise StripeError.invalid(f"You cannot expand more than {_MAX_DEPTH} levels of a property", param="expand")
        answer = _expand(store, answer, segments, path)
    return answer


def _expand(store: Store, here: Any, segments: Sequence[str], path: str) -> Any:
    if isinstance(here, list):
        return [_expand(store, entry, segments, path) for entry in here]
    if not segments or here is None:
        return here
    if isinstance(here, dict) and here.get("deleted"):
        return here  # of a deleted object there is nothing but its id, and that is no mistake of the request
    name = segments[0]
    if not isinstance(here, dict) or name not in here or name in _NEVER:
        raise StripeError.invalid(f"This property cannot be expanded ({path}).", param="expand")
    value = here[name]
    if isinstance(value, str):
        found = store.get(value)
        if found is None:
            raise StripeError.invalid(f"This property cannot be expanded ({path}).", param="expand")
        value = found
    elif isinstance(value, list) and value and all(isinstance(entry, str) for entry in value):
        value = [store.get(entry) or entry for entry in value]
    return {**here, name: _expand(store, value, segments[1:], path)}
