"""The contracts in schema/events/, compiled once: what an incoming event must look like."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import jsonschema_rs
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


class _QuickValidator(Protocol):
    def is_valid(self, instance: Any) -> bool: ...


class _Validator(Protocol):
    def iter_errors(self, instance: Any) -> Any: ...


Parsed: TypeAlias = Event | BrokenContract


class EventContracts:
    """All contracts of a folder."""

    def __init__(self, validators: Mapping[str, _Validator], quick: Mapping[str, _QuickValidator]) -> None:
        """`quick` say whether an event is valid, a hundred times sooner; `validators` say what is wrong with others."""
        self._validators = validators
        self._quick = quick

    @classmethod
    def load(cls, folder: Path) -> EventContracts:
        """Compile every contract in a folder such as schema/events/. Raises OSError, `SchemaError`."""
        validators: dict[str, _Validator] = {}
        quick: dict[str, _QuickValidator] = {}
        for path in sorted(folder.glob("concord.*.json")):
            schema = orjson.loads(path.read_bytes())
            Draft202012Validator.check_schema(schema)
            validators[schema["title"]] = Draft202012Validator(schema, format_checker=_FORMATS)
            quick[schema["title"]] = jsonschema_rs.validator_for(schema, validate_formats=True)
        if not validators:
            raise FileNotFoundError(f"no event contracts in {folder}")
        return cls(validators, quick)

    @property
    def types(self) -> frozenset[str]:
        """The event types that have a contract."""
        return frozenset(self._validators)

    def parse(self, envelope: object) -> Parsed:
        """Return the event in one element of a CloudEvents batch, or what is wrong with it."""
        if not isinstance(envelope, dict):
            return BrokenContract("event: object", "event: An event is a JSON object.")
        event_type = envelope.get("type")
        if not isinstance(event_type, str) or event_type not in self._validators:
            return BrokenContract("unknown type", f"There is no contract for the type {_short(event_type)}.")
        if self._quick[event_type].is_valid(envelope):
            with suppress(ValueError, OverflowError):  # an instant that is none of ours, such as a leap second
                return parse_event(envelope)
        error = best_match(self._validators[event_type].iter_errors(envelope))
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
