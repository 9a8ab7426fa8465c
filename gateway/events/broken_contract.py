"""Say why an event breaks its contract. Loaded by a process that gets such an event: the library for it is not small."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError, best_match

from gateway.events.contracts import BrokenContract
from gateway.events.event import parse_instant

_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("date-time", raises=(ValueError, OverflowError))
def _is_instant(value: object) -> bool:
    if not isinstance(value, str):
        return True
    parse_instant(value)
    return datetime.fromisoformat(value).tzinfo is not None


def explainer(schema: Any) -> Callable[[object], BrokenContract | None]:
    """Return what tells of an event's most telling mistake by a contract; None where it has none after all."""
    validator = Draft202012Validator(schema, format_checker=_FORMATS)

    def explain(envelope: object) -> BrokenContract | None:
        error = best_match(validator.iter_errors(envelope))
        return None if error is None else _told(error)

    return explain


def _told(error: ValidationError) -> BrokenContract:
    # Array indexes differ from event to event; the rule leaves them out so that equal causes group.
    where = ".".join("[]" if isinstance(step, int) else step for step in error.absolute_path).replace(".[]", "[]")
    exact = error.json_path.removeprefix("$").removeprefix(".") or "event"
    return BrokenContract(f"{where or 'event'}: {error.validator}", f"{exact}: {error.message}"[:300])
