"""What a typed answer said, as plain JSON once more: for the general way, which goes on where a typed run can't.

The bytes of an answer are let go once it has joined the tree. A gateway that has thirty answers of 80 KB under way at
once, and keeps them all until it has answered, reads and writes each at a place that no cache holds any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import orjson
from msgspec import UNSET, Raw, Struct

from gateway.execution.typed_tree import Spot

Said: TypeAlias = Mapping[type, tuple[tuple[str, str], ...]]
"""Class of a place's objects → attribute and response name of what came with them; later fetches bring more."""


def said_at(root: Spot) -> Said:
    """Return what comes with the objects of each place of a tree whose classes are made."""
    return {
        spot.made: tuple((attribute, name) for name, attribute in spot.attributes.items() if name in spot.created_with)
        for spot in root.walk()
    }


def plain(value: Any, said: Said) -> Any:
    """Return a typed value as JSON's, without what came after it."""
    if isinstance(value, list):
        return [plain(each, said) for each in value]
    if isinstance(value, Struct):
        made = value.__class__
        names = said.get(made)
        if names is None:  # what holds the parts of an answer is nobody else's
            names = tuple(zip(made.__struct_fields__, made.__struct_encode_fields__, strict=True))
        found = ((name, getattr(value, attribute)) for attribute, name in names)
        return {name: plain(each, said) for name, each in found if each is not UNSET}
    return orjson.loads(memoryview(value)) if isinstance(value, Raw) else value
