"""The contracts in schema/events/: what an incoming event must look like.

Each is compiled for the first event of its type, or by `compile`: a process that gets no events does without the
libraries for it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import orjson

from gateway.events.event import Event, parse_event, without_values


@dataclass(frozen=True, slots=True)
class BrokenContract:
    """Why an event can't be taken."""

    rule: str
    """Stable name of what was broken, to group by: `data.keys: required`."""
    message: str
    """A sentence for the publisher, at most 300 characters; it quotes no more than a short piece of the event."""


class _QuickValidator(Protocol):
    def is_valid(self, instance: Any) -> bool: ...


Parsed: TypeAlias = Event | BrokenContract


class EventContracts:
    """All contracts of a folder."""

    def __init__(self, texts: Mapping[str, bytes]) -> None:
        """`texts` are JSON schemas by event type."""
        # Most are never asked for, and what is written to be read takes a fifth so.
        self._texts = {event_type: zlib.compress(text) for event_type, text in texts.items()}
        self._quick: dict[str, tuple[_QuickValidator, str | None]] = {}
        self.classified: Callable[[], Collection[str]] = frozenset
        """Names of the fields whose values no event may tell: what is masked for some must not reach everybody's log."""
        self._explainers: dict[str, Callable[[object], BrokenContract | None]] = {}

    @classmethod
    def load(cls, folder: Path) -> EventContracts:
        """Read every contract in a folder such as schema/events/. Raises OSError, or ValueError for what is no JSON."""
        texts = [path.read_bytes() for path in sorted(folder.glob("concord.*.json"))]
        if not texts:
            raise FileNotFoundError(f"no event contracts in {folder}")
        return cls({orjson.loads(text)["title"]: text for text in texts})

    @property
    def types(self) -> frozenset[str]:
        """The event types that have a contract."""
        return frozenset(self._texts)

    def compile(self) -> None:
        """Compile all of them, so that no event has to wait for it. Raises ValueError for what is no JSON schema."""
        for event_type in self._texts:
            self._contract(event_type)

    def parse(self, envelope: object) -> Parsed:
        """Return the event in one element of a CloudEvents batch, or what is wrong with it."""
        if not isinstance(envelope, dict):
            return BrokenContract("event: object", "event: An event is a JSON object.")
        event_type = envelope.get("type")
        if not isinstance(event_type, str) or event_type not in self._texts:
            return BrokenContract("unknown type", f"There is no contract for the type {_short(event_type)}.")
        validator, contract = self._contract(event_type)
        if validator.is_valid(envelope):
            with suppress(ValueError, OverflowError):  # an instant that is none of ours, such as a leap second
                return without_values(parse_event(envelope, contract), self.classified())
        broken = self._explain(event_type, envelope)
        return broken or without_values(parse_event(envelope, contract), self.classified())

    def _contract(self, event_type: str) -> tuple[_QuickValidator, str | None]:
        """Return what says whether an event is valid, a hundred times sooner than what says why it is not; and the contract's id."""
        quick = self._quick.get(event_type)
        if quick is None:
            import jsonschema_rs  # noqa: PLC0415 - see the module's sentence

            schema = self._schema(event_type)
            validator = jsonschema_rs.validator_for(schema, validate_formats=True)
            quick = self._quick[event_type] = validator, schema.get("$id")
        return quick

    def _schema(self, event_type: str) -> Any:
        return orjson.loads(zlib.decompress(self._texts[event_type]))

    def _explain(self, event_type: str, envelope: object) -> BrokenContract | None:
        explain = self._explainers.get(event_type)
        if explain is None:
            from gateway.events.broken_contract import explainer  # noqa: PLC0415 - see there

            explain = self._explainers[event_type] = explainer(self._schema(event_type))
        return explain(envelope)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
