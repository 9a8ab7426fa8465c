"""The join specification: how the supergraph says what comes from which subgraph.

Spec: https://specs.apollo.dev/join/v0.5/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateway.federation.composition.merge.context import FieldGroup, InputFieldGroup, Merge
from gateway.federation.composition.merge.outline import Outline
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import Directive, EnumValue, Field, InputValue, NamedType, directive
from gateway.federation.composition.model.selected_context import parse_selected_context
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.model.value import EnumName


def join_types(outline: Outline, elements: Mapping[int, NamedType]) -> Iterator[Directive]:
    """`@join__type` for each subgraph and key."""
    for index, element in elements.items():
        subgraph = outline.subgraphs[index]
        graph = EnumName(outline.graph_names[index])
        stands_for = True if subgraph.is_interface_object(element) else None
        keys = subgraph.uses(element, "key")
        if not keys:
            yield directive("join__type", graph=graph, isInterfaceObject=stands_for)
        extends = subgraph.has(element, "extends")
        for key in keys:
            is_extension = key.extension is not None or not element.has_definition or extends
            yield directive(
                "join__type",
                graph=graph,
                key=key.text("fields"),
                extension=True if is_extension else None,
                resolvable=key.value("resolvable"),
                isInterfaceObject=stands_for,
            )


def join_implements(outline: Outline, elements: Mapping[int, NamedType]) -> Iterator[Directive]:
    """`@join__implements` for each subgraph and interface."""
    for index, element in elements.items():
        for interface in getattr(element, "interfaces", ()):
            yield directive("join__implements", graph=EnumName(outline.graph_names[index]), interface=interface)


def join_enum_values(outline: Outline, sources: Sources[EnumValue]) -> Iterator[Directive]:
    """`@join__enumValue` for each subgraph."""
    for index in sources.indices():
        yield directive("join__enumValue", graph=EnumName(outline.graph_names[index]))


def join_fields(merge: Merge, group: FieldGroup, *, all_equal: bool) -> Iterator[Directive]:
    """`@join__field` for each subgraph that has a field, none when the type's own joins say it all."""
    if not _needs_join_field(merge, group, all_equal):
        return
    overrides = merge.overrides_of(group)
    for index, field in group.sources.present():
        if index in overrides.unused and index not in overrides.labels:
            continue
        subgraph = merge.subgraphs[index]
        override = subgraph.use(field, "override")
        yield directive(
            "join__field",
            graph=EnumName(merge.outline.graph_names[index]),
            requires=_field_set(subgraph, field, "requires"),
            provides=_field_set(subgraph, field, "provides"),
            type=None if all_equal else str(field.type),
            external=merge.is_external(index, group.parent, group.name) or None,
            override=override.text("from") if override else None,
            usedOverridden=index in overrides.used or None,
            overrideLabel=overrides.labels.get(index),
            contextArguments=context_arguments(subgraph, field) or None,
        )


def join_input_fields(merge: Merge, group: InputFieldGroup, *, all_equal: bool) -> Iterator[Directive]:
    """`@join__field` for each subgraph that has an input field."""
    if all_equal and not group.sources.missing():
        return
    for index, field in group.sources.present():
        graph = EnumName(merge.outline.graph_names[index])
        yield directive("join__field", graph=graph, type=None if all_equal else str(field.type))


def is_contextual(subgraph: Subgraph, argument: InputValue) -> bool:
    """Does the gateway fill the argument from a context?"""
    return subgraph.has(argument, "fromContext")


def context_arguments(subgraph: Subgraph, field: Field) -> list[dict[str, object]]:
    """The arguments of a field that the gateway fills from a context."""
    found: list[dict[str, object]] = []
    for argument in field.arguments.values():
        applied = subgraph.use(argument, "fromContext")
        if applied is None:
            continue
        name, selection = parse_selected_context(applied.text("field"))
        found.append(
            {
                "context": f"{subgraph.name}__{name}",
                "name": argument.name,
                "type": str(argument.type),
                "selection": selection,
            }
        )
    return found


def _needs_join_field(merge: Merge, group: FieldGroup, all_equal: bool) -> bool:
    overrides = merge.overrides_of(group)
    if not all_equal or overrides.used or overrides.labels:
        return True
    for index, field in group.sources.by_index.items():
        subgraph = merge.subgraphs[index]
        if field is None or index in overrides.unused:
            if group.parent in subgraph.types:
                return True
            continue
        if (
            merge.is_external(index, group.parent, group.name)
            or subgraph.has(field, "requires")
            or subgraph.has(field, "provides")
            or any(is_contextual(subgraph, argument) for argument in field.arguments.values())
        ):
            return True
    return False


def _field_set(subgraph: Subgraph, field: Field, name: str) -> str | None:
    applied = subgraph.use(field, name)
    return applied.text("fields") if applied else None
