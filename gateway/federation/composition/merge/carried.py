"""Directives of known specifications that reach the supergraph: @tag, @inaccessible, access control, @cost …"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.federation.composition.model.link import Version
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.normalise.specification import (
    CARRIED_BY_NAME,
    FEDERATION_1,
    CarriedSpecification,
    DirectiveSpecification,
    directives_of,
)

ACCESS_CONTROL = ("authenticated", "requiresScopes", "policy")
_THROUGH_JOIN = frozenset({"cacheTag"})
"""Specifications that travel as `@join__directive`, since gateways don't know them as directives of their own."""


@dataclass(frozen=True, slots=True)
class CarriedDirective:
    """A directive of a known specification, under the name it has in the supergraph."""

    specification: DirectiveSpecification
    carrier: CarriedSpecification
    name: str


@dataclass(frozen=True, slots=True)
class Carried:
    """All of them, and the names on which subgraphs disagree."""

    directives: tuple[CarriedDirective, ...] = ()
    mismatches: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Directive to subgraph to name, where the names differ."""

    @property
    def by_name(self) -> Mapping[str, CarriedDirective]:
        """Name in the supergraph to directive."""
        return {directive.name: directive for directive in self.directives}

    @property
    def through_join(self) -> frozenset[str]:
        """Names that only appear inside `@join__directive`."""
        return frozenset(d.name for d in self.directives if d.carrier.name in _THROUGH_JOIN)

    def name_of(self, directive: str) -> str | None:
        """The supergraph's name of a known directive, None when nobody uses it."""
        return next((d.name for d in self.directives if d.specification.name == directive), None)


def carried_directives(subgraphs: Sequence[Subgraph]) -> Carried:
    """The known directives that are applied anywhere."""
    names: dict[str, dict[str, str]] = {}
    found: dict[str, DirectiveSpecification] = {}
    for subgraph in subgraphs:
        applied = frozenset(_applied_names(subgraph))
        for specification, name in _known(subgraph):
            if specification.composes_as and name in applied:
                names.setdefault(specification.name, {}).setdefault(subgraph.name, name)
                found.setdefault(specification.name, specification)
    directives = tuple(
        CarriedDirective(
            specification, CARRIED_BY_NAME[specification.composes_as or ""], next(iter(names[key].values()))
        )
        for key, specification in found.items()
    )
    return Carried(
        tuple(sorted(directives, key=lambda directive: directive.name)),
        {key: per for key, per in names.items() if len(set(per.values())) > 1},
    )


def _known(subgraph: Subgraph) -> Iterable[tuple[DirectiveSpecification, str]]:
    for feature in subgraph.links.features:
        for specification in directives_of(feature.url.identity, feature.url.version):
            yield specification, feature.directive_name(specification.name)
    if subgraph.links.federation is None:
        yield from (
            (specification, specification.name)
            for specification in directives_of("https://specs.apollo.dev/federation", Version(2, 0))
            if specification.name in FEDERATION_1
        )


def _applied_names(subgraph: Subgraph) -> Iterable[str]:
    for applied in subgraph.schema.directives:
        yield applied.name
    for element in subgraph.types.values():
        for applied in element.directives:
            yield applied.name
        for part in (getattr(element, "fields", None) or {}).values():
            yield from (applied.name for applied in part.directives)
            for argument in (getattr(part, "arguments", None) or {}).values():
                yield from (applied.name for applied in argument.directives)
        for value in (getattr(element, "values", None) or {}).values():
            yield from (applied.name for applied in value.directives)
    for definition in subgraph.definitions.values():
        for argument in definition.arguments.values():
            yield from (applied.name for applied in argument.directives)
