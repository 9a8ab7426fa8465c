"""Merges applied directives: repeatable ones add up, others merge their arguments or the most frequent one wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphql import ValueNode

from gateway.federation.composition.merge.carried import CarriedDirective
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.merge.strategies import merge_values
from gateway.federation.composition.model.element import Directive, DirectiveDefinition, Element, directive
from gateway.federation.composition.model.value import EnumName, same_text, to_node, to_python

_Applied = tuple[int, Directive]


def merge_applications(
    merge: Merge, sources: Sources[Element], additional: Mapping[str, Sequence[Directive]] | None = None
) -> tuple[Directive, ...]:
    """The directives of an element of the supergraph.

    `additional` holds applications that count as if they stood on the element: access control is inherited.
    """
    applied: dict[str, list[_Applied]] = {}
    for index, element in sources.present():
        for application in element.directives:
            if merge.is_merged(index, application):
                applied.setdefault(application.name, []).append((index, application))
    for name, inherited in (additional or {}).items():
        applied.setdefault(name, []).extend((-1, application) for application in inherited)
    merged = [merged_use for name, uses in applied.items() for merged_use in merge_uses(merge, name, uses)]
    return (*merged, *_through_join(merge, sources))


def merge_uses(merge: Merge, name: str, uses: Sequence[_Applied]) -> tuple[Directive, ...]:
    """The applications of one directive to one element, merged."""
    carried = merge.carried.by_name.get(name)
    if carried is not None and carried.specification.name == "context":
        # Each subgraph's contexts are its own, whatever others call theirs.
        uses = [(index, _in_supergraph(merge, index, application)) for index, application in uses]
    distinct = distinct_uses(merge, name, uses)
    if is_repeatable(merge, name):
        return tuple(Directive(name, application.arguments) for _, application, _ in distinct)
    if len(distinct) == 1:
        return (Directive(name, distinct[0][1].arguments),)
    if carried and carried.specification.arguments and carried.specification.arguments[0].strategy:
        return (_merge_arguments(carried, [application for _, application, _ in distinct]),)
    best = max(distinct, key=lambda entry: entry[2])
    return (Directive(name, best[1].arguments),)


def distinct_uses(merge: Merge, name: str, uses: Sequence[_Applied]) -> list[tuple[int, Directive, int]]:
    """The applications that differ once defaults are filled in, with how often each occurs."""
    found: dict[str, tuple[int, Directive, int]] = {}
    for index, application in uses:
        key = _with_defaults(_definition(merge, name, index), application)
        first_index, first, count = found.get(key, (index, application, 0))
        found[key] = (first_index, first, count + 1)
    return list(found.values())


def _definition(merge: Merge, name: str, index: int) -> DirectiveDefinition | None:
    if index >= 0:
        return merge.subgraphs[index].definitions.get(name)
    return next((subgraph.definitions[name] for subgraph in merge.subgraphs if name in subgraph.definitions), None)


def _with_defaults(definition: DirectiveDefinition | None, application: Directive) -> str:
    values: dict[str, ValueNode | None] = dict(application.arguments)
    for argument in (definition.arguments if definition else {}).values():
        if argument.default is not None:
            values.setdefault(argument.name, argument.default)
    return ", ".join(f"{name}: {same_text(values[name])}" for name in sorted(values))


def is_repeatable(merge: Merge, name: str) -> bool:
    """May a directive of the supergraph be applied several times to one element?"""
    carried = merge.carried.by_name.get(name)
    if carried is not None:
        return carried.specification.is_repeatable
    definition = merge.composed.definitions.get(name)
    return definition is not None and definition.is_repeatable


def _in_supergraph(merge: Merge, index: int, context: Directive) -> Directive:
    name = f"{merge.subgraphs[index].name}__{context.text('name')}"
    return Directive(context.name, {"name": to_node(name)})


def _merge_arguments(carried: CarriedDirective, applications: Sequence[Directive]) -> Directive:
    merged: dict[str, ValueNode] = {}
    for argument in carried.specification.arguments:
        values: list[Any] = []
        for application in applications:
            node = application.arguments.get(argument.name)
            if node is None and argument.default is not None:
                values.append(argument.default == "true")
            else:
                values.append(to_python(node))
        if argument.strategy is None:
            continue
        value = merge_values(argument.strategy, values)
        if value is not None:
            merged[argument.name] = to_node(value)
    return Directive(carried.name, merged)


def _through_join(merge: Merge, sources: Sources[Element]) -> tuple[Directive, ...]:
    """Directives that travel as `@join__directive`, one for each different application."""
    names = merge.carried.through_join
    if not names:
        return ()
    graphs: dict[str, tuple[Directive, list[int]]] = {}
    for index, element in sources.present():
        for application in element.directives:
            if application.name in names:
                graphs.setdefault(str(application), (application, []))[1].append(index)
    return tuple(_join_directive(merge, application, indices) for application, indices in graphs.values())


def _join_directive(merge: Merge, application: Directive, indices: Sequence[int]) -> Directive:

    return directive(
        "join__directive",
        graphs=[EnumName(merge.outline.graph_names[index]) for index in indices],
        name=merge.carried.by_name[application.name].specification.name,
        args={name: to_python(value) for name, value in application.arguments.items()},
    )
