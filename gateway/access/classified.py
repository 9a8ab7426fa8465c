"""Classified values outside their own field: in what is told of writes, drift and events, where only a name says what they are.

A field is classified by where it stands in the graph; a value on its way through a workflow or an event is known by the
name of its field alone. So whatever bears the name of a classified field counts as classified, and is masked for whom
the field would be: rather too much than too little.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.access.caller import Caller
from gateway.execution.complete import MASK
from gateway.execution.ports import CallerView

_SHORTEST = 3
"""Shorter values are no secret, and are found in any sentence."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """Names of the fields whose values one caller sees masked."""

    names: frozenset[str] = frozenset()

    def value(self, field: str, value: str | None) -> str | None:
        """Return the value of a field; `contact.email` is one of `email`."""
        return MASK if value is not None and not self.names.isdisjoint(field.split(".")) else value

    def json(self, text: str) -> str:
        """Return a JSON text with the values masked of every member, however deep, that has such a name."""
        if not self.names or not ("\\" in text or any(name in text for name in self.names)):
            return text
        try:
            return orjson.dumps(self._masked(orjson.loads(text))).decode()
        except (TypeError, ValueError, RecursionError):  # not JSON, or nested too deeply to be written again
            return MASK

    def sentence(self, text: str, told: Any) -> str:
        """Return a sentence in which a system may quote what it was `told`: JSON."""
        for value in self._values(told) if self.names else ():
            if len(value) >= _SHORTEST:
                text = text.replace(value, MASK)
        return text

    def _masked(self, value: Any) -> Any:
        match value:
            case dict():
                is_named = self._is_named(value)
                return {
                    name: (None if each is None else MASK)
                    if self._hides(name, is_named=is_named)
                    else self._masked(each)
                    for name, each in value.items()
                }
            case list():
                return [self._masked(each) for each in value]
            case _:
                return value

    def _hides(self, member: str, *, is_named: bool) -> bool:
        """Whether a member's value is one of a classified field."""
        return member in self.names or (is_named and member not in ("name", "field"))

    def _is_named(self, value: Mapping[str, Any]) -> bool:
        """Whether the members are values of a field: `{"name": "email", "value": …}`, `{"field": "email", "from": …}`."""
        names = (each for each in (value.get("name"), value.get("field")) if isinstance(each, str))
        return any(not self.names.isdisjoint(each.split(".")) for each in names)

    def _values(self, value: Any) -> Iterator[str]:
        match value:
            case Mapping():
                is_named = self._is_named(value)
                for name, each in value.items():
                    if isinstance(each, str) and self._hides(name, is_named=is_named):
                        yield each
                    else:
                        yield from self._values(each)
            case list() | tuple():
                for each in value:
                    yield from self._values(each)


@dataclass(frozen=True, slots=True)
class ClassifiedNames:
    """What is classified in a graph, and who may see it all the same."""

    fields: Mapping[str, frozenset[str]]
    """Name of a field → its classifications, wherever it has any."""
    classes: Mapping[str, frozenset[str]]
    """Classification → roles that read it as it is."""

    def hidden_from(self, caller: CallerView) -> Hidden:
        """Return what a caller must not read."""
        if not self.fields:
            return Hidden()
        roles = frozenset[str]()
        if isinstance(caller, Caller):
            if caller.is_unrestricted:
                return Hidden()
            roles = caller.roles
        shown = {name for name, readers in self.classes.items() if not readers.isdisjoint(roles)}
        return Hidden(frozenset(name for name, needed in self.fields.items() if not needed <= shown))
