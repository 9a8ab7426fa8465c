"""The specifications composition knows: their directives and types, by version.

Specs: https://specs.apollo.dev/, https://www.apollographql.com/docs/graphos/schema-design/federated-schemas/reference/directives
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.federation.composition.model.link import FEDERATION, Version

FEDERATION_VERSIONS = tuple(Version(2, minor) for minor in range(15))
UPGRADE_VERSION = Version(2, 4)
"""What a federation 1 subgraph becomes."""


_ANY = Version(0, 0)
FEDERATION_2 = Version(2, 0)


class Strategy(StrEnum):
    """How the arguments of a non-repeatable directive merge when subgraphs differ."""

    MAX = "MAX"
    NULLABLE_MAX = "NULLABLE_MAX"
    NULLABLE_UNION = "NULLABLE_UNION"
    NULLABLE_AND = "NULLABLE_AND"
    DNF_CONJUNCTION = "DNF_CONJUNCTION"


@dataclass(frozen=True, slots=True)
class ArgumentSpecification:
    """An argument; `{FieldSet}` in its type stands for the name that type has in the schema at hand."""

    name: str
    type: str
    default: str | None = None
    strategy: Strategy | None = None
    since: Version = _ANY


@dataclass(frozen=True, slots=True)
class DirectiveSpecification:
    """A directive of a specification."""

    name: str
    locations: tuple[str, ...]
    arguments: tuple[ArgumentSpecification, ...] = ()
    is_repeatable: bool = False
    since: Version = FEDERATION_2
    """The first version of the federation specification that has it."""
    repeatable_since: Version | None = None
    composes_as: str | None = None
    """The specification that carries it into the supergraph; None when it stays behind."""

    def at(self, version: Version) -> DirectiveSpecification:
        """The directive as it was in a version of the federation specification."""
        arguments = tuple(argument for argument in self.arguments if argument.since <= version)
        repeatable = self.is_repeatable or (self.repeatable_since is not None and version >= self.repeatable_since)
        return DirectiveSpecification(
            self.name, self.locations, arguments, repeatable, self.since, self.repeatable_since, self.composes_as
        )


def _on(locations: str) -> tuple[str, ...]:
    return tuple(locations.split())


_FIELDS = ArgumentSpecification("fields", "{FieldSet}!")
_ACCESS = _on("FIELD_DEFINITION OBJECT INTERFACE SCALAR ENUM")
_EVERYWHERE = _on(
    "FIELD_DEFINITION OBJECT INTERFACE UNION ARGUMENT_DEFINITION SCALAR ENUM ENUM_VALUE INPUT_OBJECT INPUT_FIELD_DEFINITION"
)

DIRECTIVES: tuple[DirectiveSpecification, ...] = (
    DirectiveSpecification(
        "key",
        _on("OBJECT INTERFACE"),
        (_FIELDS, ArgumentSpecification("resolvable", "Boolean", "true")),
        is_repeatable=True,
    ),
    DirectiveSpecification("requires", _on("FIELD_DEFINITION"), (_FIELDS,)),
    DirectiveSpecification("provides", _on("FIELD_DEFINITION"), (_FIELDS,)),
    DirectiveSpecification("external", _on("OBJECT FIELD_DEFINITION"), (ArgumentSpecification("reason", "String"),)),
    DirectiveSpecification(
        "tag",
        (*_EVERYWHERE, "SCHEMA"),
        (ArgumentSpecification("name", "String!"),),
        is_repeatable=True,
        composes_as="tag",
    ),
    DirectiveSpecification("extends", _on("OBJECT INTERFACE")),
    DirectiveSpecification("shareable", _on("OBJECT FIELD_DEFINITION"), repeatable_since=Version(2, 2)),
    DirectiveSpecification("inaccessible", _EVERYWHERE, composes_as="inaccessible"),
    DirectiveSpecification(
        "override",
        _on("FIELD_DEFINITION"),
        (ArgumentSpecification("from", "String!"), ArgumentSpecification("label", "String", since=Version(2, 7))),
    ),
    DirectiveSpecification(
        "composeDirective",
        _on("SCHEMA"),
        (ArgumentSpecification("name", "String"),),
        is_repeatable=True,
        since=Version(2, 1),
    ),
    DirectiveSpecification("interfaceObject", _on("OBJECT"), since=Version(2, 3)),
    DirectiveSpecification("authenticated", _ACCESS, since=Version(2, 5), composes_as="authenticated"),
    DirectiveSpecification(
        "requiresScopes",
        _ACCESS,
        (ArgumentSpecification("scopes", "[[{Scope}!]!]!", strategy=Strategy.DNF_CONJUNCTION),),
        since=Version(2, 5),
        composes_as="requiresScopes",
    ),
    DirectiveSpecification(
        "policy",
        _ACCESS,
        (ArgumentSpecification("policies", "[[{Policy}!]!]!", strategy=Strategy.DNF_CONJUNCTION),),
        since=Version(2, 6),
        composes_as="policy",
    ),
    DirectiveSpecification(
        "context",
        _on("INTERFACE OBJECT UNION"),
        (ArgumentSpecification("name", "String!"),),
        is_repeatable=True,
        since=Version(2, 8),
        composes_as="context",
    ),
    DirectiveSpecification(
        "fromContext",
        _on("ARGUMENT_DEFINITION"),
        (ArgumentSpecification("field", "{ContextFieldValue}"),),
        since=Version(2, 8),
    ),
    DirectiveSpecification(
        "cost",
        _on("ARGUMENT_DEFINITION ENUM FIELD_DEFINITION INPUT_FIELD_DEFINITION OBJECT SCALAR"),
        (ArgumentSpecification("weight", "Int!", strategy=Strategy.MAX),),
        since=Version(2, 9),
        composes_as="cost",
    ),
    DirectiveSpecification(
        "listSize",
        _on("FIELD_DEFINITION"),
        (
            ArgumentSpecification("assumedSize", "Int", strategy=Strategy.NULLABLE_MAX),
            ArgumentSpecification("slicingArguments", "[String!]", strategy=Strategy.NULLABLE_UNION),
            ArgumentSpecification("sizedFields", "[String!]", strategy=Strategy.NULLABLE_UNION),
            ArgumentSpecification("requireOneSlicingArgument", "Boolean", "true", strategy=Strategy.NULLABLE_AND),
        ),
        since=Version(2, 9),
        composes_as="cost",
    ),
    DirectiveSpecification(
        "cacheTag",
        _on("OBJECT FIELD_DEFINITION"),
        (ArgumentSpecification("format", "String!"),),
        is_repeatable=True,
        since=Version(2, 12),
        composes_as="cacheTag",
    ),
)

BY_NAME: Mapping[str, DirectiveSpecification] = {specification.name: specification for specification in DIRECTIVES}

FEDERATION_1 = ("key", "requires", "provides", "external", "tag", "extends")
"""The directives that a schema without a link to the federation specification has."""

_TYPES: tuple[tuple[str, Version], ...] = (
    ("FieldSet", Version(2, 0)),
    ("Scope", Version(2, 5)),
    ("Policy", Version(2, 6)),
    ("ContextFieldValue", Version(2, 8)),
)


@dataclass(frozen=True, slots=True)
class CarriedSpecification:
    """A specification of its own, which a subgraph may link directly and the supergraph links to carry directives."""

    name: str
    version: Version
    versions: tuple[Version, ...]
    directives: tuple[str, ...]
    types: tuple[str, ...] = ()
    purpose: str | None = None

    @property
    def identity(self) -> str:
        """Its URL without the version."""
        return f"https://specs.apollo.dev/{self.name}"


_FIRST = Version(0, 1)

CARRIED: tuple[CarriedSpecification, ...] = (
    CarriedSpecification("tag", Version(0, 3), (_FIRST, Version(0, 2), Version(0, 3)), ("tag",)),
    CarriedSpecification("inaccessible", Version(0, 2), (_FIRST, Version(0, 2)), ("inaccessible",), purpose="SECURITY"),
    CarriedSpecification("authenticated", _FIRST, (_FIRST,), ("authenticated",), purpose="SECURITY"),
    CarriedSpecification("requiresScopes", _FIRST, (_FIRST,), ("requiresScopes",), ("Scope",), "SECURITY"),
    CarriedSpecification("policy", _FIRST, (_FIRST,), ("policy",), ("Policy",), "SECURITY"),
    CarriedSpecification("context", _FIRST, (_FIRST,), ("context", "fromContext"), ("ContextFieldValue",), "SECURITY"),
    CarriedSpecification("cost", _FIRST, (_FIRST,), ("cost", "listSize")),
    CarriedSpecification("cacheTag", _FIRST, (_FIRST,), ("cacheTag",)),
)

CARRIED_BY_IDENTITY: Mapping[str, CarriedSpecification] = {carried.identity: carried for carried in CARRIED}
CARRIED_BY_NAME: Mapping[str, CarriedSpecification] = {carried.name: carried for carried in CARRIED}


def directives_of(identity: str, version: Version) -> Iterator[DirectiveSpecification]:
    """The directives of a known specification's version; none for an unknown one."""
    if identity == FEDERATION:
        for specification in DIRECTIVES:
            if specification.since <= version:
                yield specification.at(version)
    elif identity in CARRIED_BY_IDENTITY:
        for name in CARRIED_BY_IDENTITY[identity].directives:
            yield BY_NAME[name]


def types_of(identity: str, version: Version) -> tuple[str, ...]:
    """The scalar types of a known specification's version."""
    if identity == FEDERATION:
        return tuple(name for name, since in _TYPES if since <= version)
    carried = CARRIED_BY_IDENTITY.get(identity)
    return carried.types if carried else ()


def is_known(identity: str) -> bool:
    """Are this specification's elements known here?"""
    return identity == FEDERATION or identity in CARRIED_BY_IDENTITY
