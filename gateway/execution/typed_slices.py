"""Mentions of one thing in an answer: equal slices are decoded once, are one object, and are written once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Raw

from gateway.execution.ports import encode
from gateway.execution.typed_generate import Irregular
from gateway.execution.typed_tree import Spot

_NULL = Raw(b"null")
_CHAIN = 8
"""Different slices of one length that are compared with; further ones are taken for new. Hashing kilobytes costs more than
comparing."""
_ENOUGH = 500
"""Mentions after which a place with few equal ones is decoded without looking for them."""


@dataclass(slots=True)
class Mention:
    """Equal slices of an answer: the object that they are, and the objects that hold it."""

    value: Any
    holders: list[Any]


@dataclass(slots=True)
class Repeats:
    """How often equal slices were met at a place."""

    mentions: int = 0
    distinct: int = 0

    @property
    def is_rare(self) -> bool:
        """Whether looking for equal slices has cost more than it saved."""
        return self.mentions >= _ENOUGH and self.distinct * 2 > self.mentions


class Slicer:
    """Decodes equal slices of answers at one place once, and writes them once."""

    def __init__(self, spot: Spot, repeats: Repeats) -> None:
        self._attribute = spot.parent.attributes[spot.place[-1]] if spot.parent else ""
        self._is_nullable = spot.holder.is_nullable
        self._decode = msgspec.json.Decoder(spot.made).decode
        self._repeats = repeats

    def read(self, holders: list[Any]) -> list[Mention]:
        """Replace the slices that objects hold; equal ones by one object. Raises Irregular."""
        attribute, decode = self._attribute, self._decode
        known: dict[int, list[tuple[Raw, Mention]]] = {}
        found: list[Mention] = []
        for holder in holders:
            raw = getattr(holder, attribute)
            if raw is None:
                continue
            alike = known.get(len(raw))
            if alike is None:
                alike = known[len(raw)] = []
            for text, mention in alike:
                if text == raw:
                    mention.holders.append(holder)
                    setattr(holder, attribute, mention.value)
                    break
            else:
                if raw == _NULL:
                    if not self._is_nullable:
                        raise Irregular
                    setattr(holder, attribute, None)
                    continue
                try:
                    mention = Mention(decode(raw), [holder])
                except ValueError:
                    raise Irregular from None
                found.append(mention)
                if len(alike) < _CHAIN:
                    alike.append((raw, mention))
                setattr(holder, attribute, mention.value)
        self._repeats.mentions += sum(len(each.holders) for each in found)
        self._repeats.distinct += len(found)
        return found

    def write(self, mentions: list[Mention]) -> None:
        """Replace objects that are held more than once by their JSON."""
        attribute = self._attribute
        for mention in mentions:
            if len(mention.holders) > 1:
                raw = Raw(encode(mention.value))
                for holder in mention.holders:
                    setattr(holder, attribute, raw)
