"""Merges arguments: those that every version of the field or directive has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from gateway.federation.composition.merge.applications import merge_applications
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.defaults import merge_defaults
from gateway.federation.composition.merge.descriptions import merge_descriptions
from gateway.federation.composition.merge.join import is_contextual
from gateway.federation.composition.merge.references import merge_references
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import DirectiveDefinition, Field, InputValue


def argument_sources(sources: Sources[Field] | Sources[DirectiveDefinition]) -> Mapping[str, Sources[InputValue]]:
    """Argument name to its versions; None where the field exists without the argument."""
    names = dict.fromkeys(name for _, element in sources.present() for name in element.arguments)
    return {name: sources.within(_getter(name)) for name in names}


def _getter(name: str) -> Callable[[Field | DirectiveDefinition], InputValue | None]:
    return lambda element: element.arguments.get(name)


def is_contextual_anywhere(merge: Merge, sources: Sources[InputValue]) -> bool:
    """Does the gateway fill the argument in some subgraph? Then clients don't see it."""
    return any(is_contextual(merge.subgraphs[index], argument) for index, argument in sources.present())


def merged_argument_sources(
    merge: Merge, sources: Sources[Field] | Sources[DirectiveDefinition]
) -> Iterator[tuple[str, Sources[InputValue]]]:
    """The arguments that reach the supergraph."""
    for name, versions in argument_sources(sources).items():
        if not versions.missing() and not is_contextual_anywhere(merge, versions):
            yield name, versions


def merge_arguments(merge: Merge, sources: Sources[Field] | Sources[DirectiveDefinition]) -> Mapping[str, InputValue]:
    """The supergraph's arguments of a field or directive."""
    return {name: merge_argument(merge, name, versions) for name, versions in merged_argument_sources(merge, sources)}


def merge_argument(merge: Merge, name: str, versions: Sources[InputValue]) -> InputValue:
    """One argument of the supergraph."""
    reference = merge_references(merge.outline, (argument.type for _, argument in versions.present()), is_input=True)
    return InputValue(
        name=name,
        description=merge_descriptions(versions),
        directives=merge_applications(merge, versions),
        type=reference.type,
        default=merge_defaults(versions),
    )
