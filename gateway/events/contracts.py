"""The contracts in schema/events/, compiled once: what an incoming event must look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import orjson
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError, best_match

from gateway.events.event import Event, parse_event, parse_instant

_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("date-time", raises=(ValueError, OverflowError))
def _is_instant(value: object) -> bool:
    if not isinstance(value, str):
        return True
    parse_instant(value)
    return datetime.fromisoformat(value).tzinfo is not None


@dataclass(frozen=True, slots=True)
class BrokenContract:
    """Why an event can't be taken."""

    rule: str
    """Stable name of what was broken, to group by: `data.keys: required`."""
    message: str
    """A sentence for the publisher, at most 300 characters; it quotes no more than a short piece of the event."""


class _Validator(Protocol):
    def iter_errors(self, instance: Any) -> Any: ...


Parsed: TypeAlias = Event | BrokenContract


class EventContracts:
    """All contracts of a folder."""

    def __init__(self, validators: Mapping[str, _Validator]) -> None:
        self._validators = validators

    @classmethod
    def load(cls, folder: Path) -> EventContracts:
        """Compile every contract in a folder such as schema/events/. Raises OSError, `SchemaError`."""
        validators: dict[str, _Validator] = {}
        for path in sorted(folder.glob("concord.*.json")):
            schema = orjson.loads(path.read_bytes())
            Draft202012Validator.check_schema(schema)
            validators[schema["title"]] = Draft202012Validator(schema, format_checker=_FORMATS)
        if not validators:
            raise FileNotFoundError(f"no event contracts in {folder}")
        return cls(validators)

    @property
    def types(self) -> frozenset[str]:
        """The event types that have a contract."""
        return frozenset(self._validators)

    def parse(self, envelope: object) -> Parsed:
        """Return the event in one element of a CloudEvents batch, or what is wrong with it."""
        if not isinstance(envelope, dict):
            return BrokenContract("event: object", "event: An event is a JSON object.")
        event_type = envelope.get("type")
        validator = self._validators.get(event_type) if isinstance(event_type, str) else None
        if validator is None:
            return BrokenContract("unknown type", f"There is no contract for the type {_short(event_type)}.")
        error = best_match(validator.iter_errors(envelope))
        if error is not None:
            return _broken(error)
        return parse_event(envelope)


def _broken(error: ValidationError) -> BrokenContract:
    # Array indexes differ from event to event; the rule leaves them out so that equal causes group.
    where = ".".join("[]" if isinstance(step, int) else step for step in error.absolute_path).replace(".[]", "[]")
    exact = error.json_path.removeprefix("$").removeprefix(".") or "event"
    return BrokenContract(f"{where or 'event'}: {error.validator}", f"{exact}: {error.message}"[:300])


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
