"""Gives root types their default names, so that all subgraphs agree on them, and a query root to every subgraph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gateway.federation.composition.model.element import (
    Field,
    InputType,
    InputValue,
    InterfaceType,
    NamedType,
    ObjectType,
    UnionType,
)
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.model.type_reference import rename
from gateway.federation.composition.normalise.diagnose import locate

DEFAULT_ROOTS: Mapping[str, str] = {"query": "Query", "mutation": "Mutation", "subscription": "Subscription"}


def rename_roots(subgraph: Subgraph) -> tuple[Subgraph, tuple[CompositionError, ...]]:
    """The subgraph with `Query`, `Mutation` and `Subscription`; errors where a default name is taken."""
    names: dict[str, str] = {}
    errors: list[CompositionError] = []
    for kind, default in DEFAULT_ROOTS.items():
        root = subgraph.schema.roots.get(kind)
        if root is None or root == default:
            continue
        if default in subgraph.types:
            errors.append(_taken(subgraph, kind, default, root))
        else:
            names[root] = default
    types = dict(subgraph.types)
    if names:
        types = {names.get(name, name): _renamed(element, names) for name, element in types.items()}
    roots = {kind: names.get(root, root) for kind, root in subgraph.schema.roots.items()}
    if "query" not in roots and "Query" not in types:
        types["Query"] = ObjectType(name="Query")
    if isinstance(types.get("Query"), ObjectType):
        roots.setdefault("query", "Query")
    renamed = replace(subgraph, types=types, schema=replace(subgraph.schema, roots=roots))
    return renamed, tuple(errors)


def _taken(subgraph: Subgraph, kind: str, default: str, root: str) -> CompositionError:
    taken, named = subgraph.types[default], subgraph.types.get(root)
    return CompositionError(
        code=f"ROOT_{kind.upper()}_USED",
        message=(
            f"[{subgraph.name}] the {kind} root type is `{root}`, but there is also a type `{default}`: "
            f"federation gives the root type that name"
        ),
        coordinate=default,
        subgraphs=(subgraph.name,),
        locations=locate(subgraph.name, taken.node, named.node if named else None),
        mend=f"Rename the type `{default}`, or make it the {kind} root type.",
    )


def _renamed(element: NamedType, names: dict[str, str]) -> NamedType:
    match element:
        case ObjectType() | InterfaceType():
            fields = {name: _renamed_field(field, names) for name, field in element.fields.items()}
            return replace(element, name=names.get(element.name, element.name), fields=fields)
        case InputType():
            return replace(element, fields=_renamed_values(element.fields, names))
        case UnionType():
            return replace(element, members=tuple(names.get(member, member) for member in element.members))
        case _:
            return element


def _renamed_field(field: Field, names: dict[str, str]) -> Field:
    return replace(field, type=rename(field.type, names), arguments=_renamed_values(field.arguments, names))


def _renamed_values(values: Mapping[str, InputValue], names: dict[str, str]) -> Mapping[str, InputValue]:
    return {name: replace(value, type=rename(value.type, names)) for name, value in values.items()}
