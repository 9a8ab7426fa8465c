"""What `@override` does to a field: which subgraphs lose it, wholly, partly, or depending on a label.

Spec: https://www.apollographql.com/docs/graphos/schema-design/federated-schemas/reference/directives#override
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import Directive, Field
from gateway.federation.composition.model.subgraph import Subgraph


@dataclass(frozen=True, slots=True)
class OverrideUse:
    """An `@override` on a field of one subgraph."""

    index: int
    source: str
    """The subgraph it takes the field from."""
    source_index: int | None
    """None when there is no such subgraph."""
    label: str | None
    applied: Directive


@dataclass(frozen=True, slots=True)
class FieldOverrides:
    """The effect of a field's overrides on the subgraphs, by index."""

    uses: tuple[OverrideUse, ...] = ()
    used: frozenset[int] = frozenset()
    """They lose the field, but still need it for keys, requirements or interfaces."""
    unused: frozenset[int] = frozenset()
    """They lose the field for good."""
    labels: Mapping[int, str] = field(default_factory=dict)
    """They have the field depending on a label."""
    unknown_source: frozenset[int] = frozenset()
    """Their override names a subgraph that does not exist."""


def field_overrides(subgraphs: Sequence[Subgraph], parent: str, name: str, sources: Sources[Field]) -> FieldOverrides:
    """The overrides of a field and their effect; invalid overrides have none."""
    uses = tuple(
        OverrideUse(index, source, _index_of(subgraphs, source), applied.text("label"), applied)
        for index, version in sources.present()
        for applied in subgraphs[index].uses(version, "override")[:1]
        for source in (applied.text("from") or "",)
    )
    if not uses:
        return FieldOverrides()
    used, unused, labels = set[int](), set[int](), dict[int, str]()
    unknown = frozenset(use.index for use in uses if use.source_index is None)
    overriding = {use.index for use in uses}
    for use in uses:
        origin = use.source_index
        if origin is None or origin == use.index or origin in overriding or origin not in sources.indices():
            continue
        facts = subgraphs[origin].facts
        if _conflicts(subgraphs[use.index], subgraphs[origin], parent, sources.by_index[origin]):
            continue
        if (parent, name) not in facts.external:
            (used if (parent, name) in facts.used else unused).add(origin)
        if use.label and is_valid_label(use.label):
            labels[use.index] = labels[origin] = use.label
    return FieldOverrides(uses, frozenset(used), frozenset(unused), labels, unknown)


def _index_of(subgraphs: Sequence[Subgraph], name: str) -> int | None:
    return next((index for index, subgraph in enumerate(subgraphs) if subgraph.name == name), None)


def _conflicts(subgraph: Subgraph, source: Subgraph, parent: str, field: Field | None) -> bool:
    """Overrides that OVERRIDE_COLLISION_WITH_ANOTHER_DIRECTIVE refuses have no effect."""
    if field is None or (parent, field.name) in subgraph.facts.external:
        return True
    return source.has(field, "requires") or source.has(field, "provides")


def is_valid_label(label: str) -> bool:
    """Is it a name (letters, digits, `_ - : . /`, letter first) or `percent(x)` with x from 0 to 100?"""
    if label.startswith("percent(") and label.endswith(")"):
        return _is_percentage(label[len("percent(") : -1])
    return label.isascii() and label[:1].isalpha() and all(char.isalnum() or char in "_-:./" for char in label)


def _is_percentage(text: str) -> bool:
    whole, dot, fraction = text.partition(".")
    if not (whole.isascii() and whole.isdigit() and len(whole) <= 3):
        return False
    if dot and not (fraction.isascii() and fraction.isdigit() and len(fraction) <= 8):
        return False
    return len(whole) <= 2 or text == "100"
