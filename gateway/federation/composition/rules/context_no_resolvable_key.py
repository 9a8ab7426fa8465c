"""CONTEXT_NO_RESOLVABLE_KEY: a type with a contextual argument can't be entered by key."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.element import ObjectType
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.rules.context_uses import context_uses
from gateway.federation.composition.rules.finding import in_subgraph


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """The gateway fetches the context first and then comes back to the field by key."""
    for use in context_uses(subgraph):
        if not isinstance(use.parent, ObjectType) or not (use.context and use.selection):
            continue
        if all(key.value("resolvable") is False for key in subgraph.uses(use.parent, "key")):
            yield in_subgraph(
                subgraph,
                "CONTEXT_NO_RESOLVABLE_KEY",
                f"`{use.parent.name}` has no resolvable @key, which `{use.coordinate}` needs for its contextual argument",
                coordinate=use.parent.name,
                at=(use.parent,),
                mend=f"Add a @key to `{use.parent.name}`.",
            )
