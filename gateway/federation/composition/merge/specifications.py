"""The specifications that the supergraph links, and their definitions.

Specs: https://specs.apollo.dev/link/v1.0/, https://specs.apollo.dev/join/v0.5/
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.carried import CarriedDirective
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.model.element import Directive, directive
from gateway.federation.composition.model.link import Feature, Import, SpecificationUrl
from gateway.federation.composition.model.value import EnumName
from gateway.federation.composition.normalise.define import definition_text
from gateway.federation.composition.normalise.specification import BY_NAME, CarriedSpecification

JOIN = """
directive @join__directive(graphs: [join__Graph!], name: String!, args: join__DirectiveArguments) repeatable on SCHEMA | OBJECT | INTERFACE | FIELD_DEFINITION

directive @join__enumValue(graph: join__Graph!) repeatable on ENUM_VALUE

directive @join__field(graph: join__Graph, requires: join__FieldSet, provides: join__FieldSet, type: String, external: Boolean, override: String, usedOverridden: Boolean, overrideLabel: String, contextArguments: [join__ContextArgument!]) repeatable on FIELD_DEFINITION | INPUT_FIELD_DEFINITION

directive @join__graph(name: String!, url: String!) on ENUM_VALUE

directive @join__implements(graph: join__Graph!, interface: String!) repeatable on OBJECT | INTERFACE

directive @join__type(graph: join__Graph!, key: join__FieldSet, extension: Boolean! = false, resolvable: Boolean! = true, isInterfaceObject: Boolean! = false) repeatable on OBJECT | INTERFACE | UNION | ENUM | INPUT_OBJECT | SCALAR

directive @join__unionMember(graph: join__Graph!, member: String!) repeatable on UNION

directive @link(url: String, as: String, for: link__Purpose, import: [link__Import]) repeatable on SCHEMA

input join__ContextArgument {
  name: String!
  type: String!
  context: String!
  selection: join__FieldValue!
}

scalar join__DirectiveArguments

scalar join__FieldSet

scalar join__FieldValue

scalar link__Import

enum link__Purpose {
  \"\"\"
  `SECURITY` features provide metadata necessary to securely resolve fields.
  \"\"\"
  SECURITY

  \"\"\"
  `EXECUTION` features provide metadata necessary for operation execution.
  \"\"\"
  EXECUTION
}
"""
"""What the link and join specifications define, the enum of subgraphs aside."""


def supergraph_links(merge: Merge) -> tuple[Directive, ...]:
    """The `@link`s of the supergraph's schema definition."""
    links = [
        directive("link", url="https://specs.apollo.dev/link/v1.0"),
        directive("link", url="https://specs.apollo.dev/join/v0.5", **{"for": EnumName("EXECUTION")}),
    ]
    for carrier, directives in _by_carrier(merge):
        imports = [_import(directive_) for directive_ in directives if _needs_import(carrier, directive_)]
        purpose = EnumName(carrier.purpose) if carrier.purpose else None
        links.append(
            directive(
                "link", url=f"{carrier.identity}/{carrier.version}", **{"import": imports or None, "for": purpose}
            )
        )
    for feature, names in merge.composed.features:
        imports = [f"@{name}" if name == origin else {"name": f"@{origin}", "as": f"@{name}"} for name, origin in names]
        links.append(directive("link", url=str(feature.url), **{"import": imports}))
    return tuple(links)


def carried_definitions(merge: Merge) -> Iterator[str]:
    """The definitions of carried directives and their scalars."""
    for carrier, directives in _by_carrier(merge):
        if any(item.name in merge.carried.through_join for item in directives):
            continue
        feature = Feature(
            SpecificationUrl(carrier.identity, carrier.name, carrier.version),
            carrier.name,
            tuple(Import(f"@{item.specification.name}", f"@{item.name}") for item in directives),
        )
        for scalar in carrier.types:
            yield f"scalar {feature.type_name(scalar)}"
        for name in carrier.directives:
            yield definition_text(BY_NAME[name], feature.directive_name(name), feature)


def _by_carrier(merge: Merge) -> Iterator[tuple[CarriedSpecification, list[CarriedDirective]]]:
    found: dict[str, tuple[CarriedSpecification, list[CarriedDirective]]] = {}
    for item in merge.carried.directives:
        found.setdefault(item.carrier.name, (item.carrier, []))[1].append(item)
    for carrier, directives in found.values():
        if not any(item.name in merge.carried.through_join for item in directives):
            yield carrier, directives


def _needs_import(carrier: CarriedSpecification, item: CarriedDirective) -> bool:
    default = carrier.name if item.specification.name == carrier.name else f"{carrier.name}__{item.specification.name}"
    return item.name != default


def _import(item: CarriedDirective) -> str | dict[str, str]:
    original = f"@{item.specification.name}"
    return original if item.name == item.specification.name else {"name": original, "as": f"@{item.name}"}
