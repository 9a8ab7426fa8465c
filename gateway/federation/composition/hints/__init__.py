"""Hints: what composes, but is worth a look."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gateway.federation.composition.hints import (
    contextual_argument_not_contextual_in_all_subgraphs,
    directive_composition_info,
    directive_composition_warn,
    executable_directives,
    implicitly_upgraded_federation_version,
    inconsistent_argument_presence,
    inconsistent_but_compatible_argument_type,
    inconsistent_but_compatible_field_type,
    inconsistent_default_value_presence,
    inconsistent_description,
    inconsistent_entity,
    inconsistent_enum_value,
    inconsistent_input_object_field,
    inconsistent_union_member,
    inconsistent_value_type_field,
    non_repeatable_directive_arguments,
    one_of_not_composed,
    overrides,
    unused_enum_type,
)
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.model.result import CompositionHint

HINTS: tuple[Callable[[Merge], Iterable[CompositionHint]], ...] = (
    inconsistent_but_compatible_field_type.find,
    inconsistent_but_compatible_argument_type.find,
    inconsistent_default_value_presence.find,
    inconsistent_entity.find,
    inconsistent_value_type_field.find,
    inconsistent_input_object_field.find,
    inconsistent_union_member.find,
    inconsistent_enum_value.find,
    unused_enum_type.find,
    inconsistent_argument_presence.find,
    contextual_argument_not_contextual_in_all_subgraphs.find,
    inconsistent_description.find,
    executable_directives.find,
    overrides.find,
    directive_composition_info.find,
    directive_composition_warn.find,
    implicitly_upgraded_federation_version.find,
    non_repeatable_directive_arguments.find,
    one_of_not_composed.find,
)
"""In the order in which they are reported."""
