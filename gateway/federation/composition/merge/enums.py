"""Merges enums: all values where clients only read them, the common values where they send them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.federation.composition.merge.applications import merge_applications
from gateway.federation.composition.merge.arguments import merged_argument_sources
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.definitions import executable_sources
from gateway.federation.composition.merge.descriptions import merge_descriptions
from gateway.federation.composition.merge.fields import merged_reference
from gateway.federation.composition.merge.inputs import is_inaccessible
from gateway.federation.composition.merge.join import join_enum_values, join_types
from gateway.federation.composition.merge.references import merge_references
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import EnumType, EnumValue, Kind
from gateway.federation.composition.model.type_reference import named_type


@dataclass(frozen=True, slots=True)
class EnumUsage:
    """An example of where an enum is sent and where it is read, None where it isn't."""

    input_example: str | None = None
    output_example: str | None = None


def enum_usages(merge: Merge) -> Mapping[str, EnumUsage]:
    """Enum to its usage; enums that nothing refers to are absent."""
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    for group in merge.field_groups():
        outputs.setdefault(named_type(merged_reference(merge, group).type), group.coordinate)
        for name, versions in merged_argument_sources(merge, group.resolving):
            types = (argument.type for _, argument in versions.present())
            reference = merge_references(merge.outline, types, is_input=True)
            inputs.setdefault(named_type(reference.type), f"{group.coordinate}({name}:)")
    for groups in merge.input_fields.values():
        for input_group in groups.values():
            types = (field.type for _, field in input_group.sources.present())
            reference = merge_references(merge.outline, types, is_input=True)
            inputs.setdefault(named_type(reference.type), input_group.coordinate)
    for directive, sources in executable_sources(merge):
        for name, versions in merged_argument_sources(merge, sources) if not sources.missing() else ():
            for _, argument in versions.present():
                inputs.setdefault(named_type(argument.type), f"@{directive}({name}:)")
    for definition in merge.composed.definitions.values():
        for argument in definition.arguments.values():
            inputs.setdefault(named_type(argument.type), f"@{definition.name}({argument.name}:)")
    return {
        name: EnumUsage(inputs.get(name), outputs.get(name))
        for name, kind in merge.outline.kinds.items()
        if kind is Kind.ENUM and (name in inputs or name in outputs)
    }


def value_sources(elements: Mapping[int, EnumType]) -> Mapping[str, Sources[EnumValue]]:
    """Value to its versions; None where the enum exists without the value."""
    names = dict.fromkeys(value for element in elements.values() for value in element.values)
    return {name: Sources({i: element.values.get(name) for i, element in elements.items()}) for name in names}


def merge_enum(merge: Merge, name: str, elements: Mapping[int, EnumType], usage: EnumUsage | None) -> EnumType:
    """The supergraph's enum."""
    sources = Sources(elements)
    values = {
        value: EnumValue(
            name=value,
            description=merge_descriptions(versions),
            directives=(*join_enum_values(merge.outline, versions), *merge_applications(merge, versions)),
        )
        for value, versions in value_sources(elements).items()
        if is_kept_value(merge, versions, usage)
    }
    return EnumType(
        name=name,
        description=merge_descriptions(sources),
        directives=(*join_types(merge.outline, elements), *merge_applications(merge, sources)),
        values=values,
    )


def is_kept_value(merge: Merge, versions: Sources[EnumValue], usage: EnumUsage | None) -> bool:
    """Does the value reach the supergraph? Where it can't be decided, it stays and ENUM_VALUE_MISMATCH tells."""
    if usage is None or usage.input_example is None or usage.output_example is not None:
        return True
    return not versions.missing() or is_inaccessible(merge, versions)
