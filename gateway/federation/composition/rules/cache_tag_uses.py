"""The uses of @cacheTag, which several rules look at.

A format is text with values in braces: `product-{$key.upc}` on an entity, `top-{$args.first}` on a root field.

Spec: https://www.apollographql.com/docs/graphos/routing/performance/caching/response-caching/invalidation
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.federation.composition.model.element import (
    Directive,
    EnumType,
    Field,
    FieldedType,
    InputValue,
    InterfaceType,
    ObjectType,
    ScalarType,
)
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.model.type_reference import is_list, named_type

_VALUE = re.compile(r"\$(\w+)((?:\s*\.\s*[A-Za-z_]\w*)*)\s*((?:\{\s*[A-Za-z_]\w*\s*)*)((?:\}\s*)*)")
_BUILT_IN = frozenset({"Int", "Float", "String", "Boolean", "ID"})


@dataclass(frozen=True, slots=True)
class CacheTagValue:
    """A value in a format: `$key.address.zip`."""

    source: str
    """`key` or `args`, or what is neither."""
    path: tuple[str, ...]

    def __str__(self) -> str:
        return "$" + ".".join((self.source, *self.path))


@dataclass(frozen=True, slots=True)
class CacheTagUse:
    """@cacheTag on a type or on a field."""

    parent: FieldedType
    field: Field | None
    applied: Directive
    is_on_root: bool
    """Whether the type is one that operations start at."""

    @property
    def coordinate(self) -> str:
        """Where it stands."""
        return self.parent.name if self.field is None else f"{self.parent.name}.{self.field.name}"

    @property
    def format(self) -> str:
        """The tag, with its values in braces."""
        return self.applied.text("format") or ""

    @property
    def source(self) -> str:
        """What values come from here: `key` on a type, `args` on a field."""
        return "key" if self.field is None else "args"

    def values(self) -> tuple[CacheTagValue, ...]:
        """The values in its format. Raises ValueError where something in braces is none."""
        return tuple(_value(text) for text in _expressions(self.format))

    def readable_values(self) -> tuple[CacheTagValue, ...]:
        """As `values`; none where something in braces is none, which `cache_tag_invalid_format.py` tells."""
        try:
            return self.values()
        except ValueError:
            return ()


def cache_tag_uses(subgraph: Subgraph) -> Iterator[CacheTagUse]:
    """Every @cacheTag."""
    roots = frozenset(subgraph.schema.roots.values())
    for parent in subgraph.fielded():
        is_root = parent.name in roots
        for applied in subgraph.uses(parent, "cacheTag"):
            yield CacheTagUse(parent, None, applied, is_root)
        for field in parent.fields.values():
            for applied in subgraph.uses(field, "cacheTag"):
                yield CacheTagUse(parent, field, applied, is_root)


def is_placed_well(subgraph: Subgraph, use: CacheTagUse) -> bool:
    """Does it stand on a root field, or on an entity that can be entered?"""
    return use.is_on_root if use.field is not None else is_resolvable(subgraph, use.parent)


def is_resolvable(subgraph: Subgraph, parent: FieldedType) -> bool:
    """Has a type a key by which it can be entered here?"""
    return any(key.value("resolvable") is not False for key in subgraph.uses(parent, "key"))


def path_fault(subgraph: Subgraph, use: CacheTagUse, value: CacheTagValue) -> str | None:
    """What keeps a value from being one scalar; None for nothing."""
    parts: Mapping[str, Field | InputValue] = use.field.arguments if use.field is not None else use.parent.fields
    if not value.path:
        return f"`{value}` names no single value"
    *above, last = value.path
    for name in above:
        part = parts.get(name)
        target = subgraph.types.get(named_type(part.type)) if part is not None else None
        if part is not None and not isinstance(target, ObjectType | InterfaceType):
            return f"`{name}` in `{value}` is no object"
        parts = target.fields if isinstance(target, ObjectType | InterfaceType) else {}
    found = parts.get(last)
    if found is None:
        return f"`{value}` does not exist"
    name = named_type(found.type)
    if is_list(found.type):
        return f"`{value}` is a list"
    if name not in _BUILT_IN and not isinstance(subgraph.types.get(name), ScalarType | EnumType):
        return f"`{value}` is no scalar or enum value"
    return None


def _expressions(text: str) -> Iterator[str]:
    """Yield what stands in braces, which may have braces in it."""
    depth, start = 0, 0
    for place, char in enumerate(text):
        if char == "{":
            if not depth:
                start = place + 1
            depth += 1
        elif char == "}" and depth:
            depth -= 1
            if not depth:
                yield text[start:place].strip()
    if depth:
        raise ValueError(f"a brace is not closed after `{text[start:]}`")


def _value(text: str) -> CacheTagValue:
    """Read `$key.a.b`, which may be written `$key { a { b } }` too."""
    found = _VALUE.fullmatch(text)
    if found is None or found[3].count("{") != found[4].count("}"):
        raise ValueError(f"`{text}` is not one value, such as `$key.id`")
    return CacheTagValue(found[1], (*re.findall(r"\w+", found[2]), *re.findall(r"\w+", found[3])))
