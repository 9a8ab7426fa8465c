"""CONTEXT_NOT_SET: @fromContext refers to a context that nothing sets, or stands where it can't work."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.element import InterfaceType, ObjectType
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.rules.context_uses import ContextUse, context_places, context_uses
from gateway.federation.composition.rules.finding import in_subgraph


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """Contextual arguments belong to fields of object types that no interface has, and have no default."""
    places = context_places(subgraph)
    for use in context_uses(subgraph):
        for message in _reasons(subgraph, use, frozenset(places)):
            yield in_subgraph(
                subgraph,
                "CONTEXT_NOT_SET",
                f"@fromContext on `{use.coordinate}`: {message}",
                coordinate=use.coordinate,
                at=(use.applied,),
            )
    for definition in subgraph.definitions.values():
        for argument in definition.arguments.values():
            for applied in subgraph.uses(argument, "fromContext"):
                yield in_subgraph(
                    subgraph,
                    "CONTEXT_NOT_SET",
                    f"@fromContext cannot stand on an argument of the directive `@{definition.name}`",
                    coordinate=f"@{definition.name}({argument.name}:)",
                    at=(applied,),
                )


def _reasons(subgraph: Subgraph, use: ContextUse, contexts: frozenset[str]) -> Iterator[str]:
    if not isinstance(use.parent, ObjectType):
        yield f"`{use.parent.name}` is an interface, and only fields of object types can have contextual arguments"
        return
    for name in use.parent.interfaces:
        interface = subgraph.types.get(name)
        if isinstance(interface, InterfaceType) and use.field.name in interface.fields:
            yield f"the field implements `{name}.{use.field.name}`, where the argument would have to be sent"
    if use.argument.default is not None:
        yield "a contextual argument can't have a default value"
    if use.context and use.selection and use.context not in contexts:
        yield f"no type sets the context `{use.context}` with @context"
