"""Completes a document with the definitions its linked specifications bring, and checks those it already has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from graphql import (
    DefinitionNode,
    DirectiveDefinitionNode,
    DocumentNode,
    InputValueDefinitionNode,
    ScalarTypeDefinitionNode,
    TypeDefinitionNode,
    TypeExtensionNode,
    parse,
    parse_type,
)

from gateway.federation.composition.model.link import FEDERATION, LINK, Feature, Links, Version
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.type_reference import (
    ListOf,
    Named,
    NonNull,
    TypeReference,
    from_type_node,
    named_type,
    nullable,
)
from gateway.federation.composition.model.value import same_text
from gateway.federation.composition.normalise.diagnose import locate
from gateway.federation.composition.normalise.specification import (
    BY_NAME,
    FEDERATION_1,
    DirectiveSpecification,
    directives_of,
    types_of,
)

_BUILT_IN_SCALARS = frozenset({"Int", "Float", "String", "Boolean", "ID"})
_LINK_DEFINITION = (
    "directive @{link}(url: String, as: String, for: {purpose}, import: [{imported}]) repeatable on SCHEMA"
)


@dataclass(slots=True)
class _Completing:
    subgraph: str
    directives: dict[str, DirectiveDefinitionNode]
    types: dict[str, TypeDefinitionNode | TypeExtensionNode]
    added: list[str] = field(default_factory=list)
    errors: list[CompositionError] = field(default_factory=list)
    replaced: set[int] = field(default_factory=set)


def complete(
    subgraph: str, document: DocumentNode, links: Links
) -> tuple[DocumentNode, tuple[DefinitionNode, ...], tuple[CompositionError, ...]]:
    """The document without definitions that have to give way, the definitions to add, and what is wrong with the rest."""
    state = _Completing(
        subgraph,
        {node.name.value: node for node in document.definitions if isinstance(node, DirectiveDefinitionNode)},
        {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, TypeDefinitionNode | TypeExtensionNode)
        },
    )
    if links.federation is None:
        _complete_federation_1(state)
    for feature in links.features:
        if feature.url.identity == LINK:
            _complete_link(state, feature)
            continue
        for name in types_of(feature.url.identity, feature.url.version):
            _scalar(state, feature.type_name(name))
        for specification in directives_of(feature.url.identity, feature.url.version):
            _directive(state, specification, feature.directive_name(specification.name), feature)
    kept = tuple(node for node in document.definitions if id(node) not in state.replaced)
    added = tuple(parse_definition(text) for text in state.added)
    return DocumentNode(definitions=kept, loc=document.loc), added, tuple(state.errors)


@lru_cache(maxsize=1024)
def parse_definition(text: str) -> DefinitionNode:
    """One definition of a specification; they are few and the same in all subgraphs."""
    return parse(text, no_location=True).definitions[0]


def _complete_federation_1(state: _Completing) -> None:
    for name in ("key", "provides", "requires"):
        existing = state.directives.get(name)
        if existing is not None and _is_harmless_variant(existing):
            state.replaced.add(id(existing))
            del state.directives[name]
    _scalar(state, "_FieldSet")
    for name in FEDERATION_1:
        _directive(state, BY_NAME[name].at(Version(2, 0)), name, None)


def _is_harmless_variant(node: DirectiveDefinitionNode) -> bool:
    """Federation 1 never looked at these definitions, and teams wrote them without arguments or with a loose type."""
    arguments = node.arguments or ()
    if not arguments:
        return True
    only = arguments[0]
    return (
        len(arguments) == 1
        and only.name.value == "fields"
        and from_type_node(only.type) in (Named("String"), Named("_FieldSet"), Named("FieldSet"))
    )


def _complete_link(state: _Completing, feature: Feature) -> None:
    purpose, imported = feature.type_name("Purpose"), feature.type_name("Import")
    if feature.alias not in state.directives:
        state.added.append(_LINK_DEFINITION.format(link=feature.alias, purpose=purpose, imported=imported))
    if purpose not in state.types:
        state.added.append(f"enum {purpose} {{ SECURITY EXECUTION }}")
    if imported not in state.types:
        state.added.append(f"scalar {imported}")


def _scalar(state: _Completing, name: str) -> None:
    existing = state.types.get(name)
    if existing is None:
        state.added.append(f"scalar {name}")
    elif not isinstance(existing, ScalarTypeDefinitionNode):
        state.errors.append(
            CompositionError(
                code="TYPE_DEFINITION_INVALID",
                message=f"[{state.subgraph}] type `{name}` is a scalar of a linked specification and has to be defined as one",
                coordinate=name,
                subgraphs=(state.subgraph,),
                locations=locate(state.subgraph, existing),
                mend=f"Remove the definition, or write `scalar {name}`.",
            )
        )


def _directive(state: _Completing, specification: DirectiveSpecification, name: str, feature: Feature | None) -> None:
    existing = state.directives.get(name)
    if existing is None:
        state.added.append(definition_text(specification, name, feature))
        return
    undefined = tuple(_undefined_scalars(state, existing, feature))
    if undefined:
        state.errors.extend(undefined)
        return
    for fault in _faults(specification, existing, state, feature):
        state.errors.append(
            CompositionError(
                code="DIRECTIVE_DEFINITION_INVALID",
                message=f"[{state.subgraph}] the definition of `@{name}` {fault}",
                coordinate=f"@{name}",
                subgraphs=(state.subgraph,),
                locations=locate(state.subgraph, existing),
                mend=f"Remove the definition, or write `{definition_text(specification, name, feature)}`.",
            )
        )


def _undefined_scalars(
    state: _Completing, existing: DirectiveDefinitionNode, feature: Feature | None
) -> Iterator[CompositionError]:
    """A schema that writes a directive's definition itself has to define the scalars that it mentions."""
    if feature is None:
        scalars = {"_FieldSet"}
    else:
        scalars = {feature.type_name(name) for name in types_of(feature.url.identity, feature.url.version)}
    for argument in existing.arguments or ():
        name = named_type(from_type_node(argument.type))
        if name in scalars and name not in state.types:
            yield CompositionError(
                code="INVALID_GRAPHQL",
                message=f"[{state.subgraph}] the definition of `@{existing.name.value}` mentions `{name}`, "
                f"which is not defined",
                coordinate=f"@{existing.name.value}",
                subgraphs=(state.subgraph,),
                locations=locate(state.subgraph, argument),
                mend=f"Add `scalar {name}`, or remove the definition.",
            )


def _type_text(text: str, feature: Feature | None) -> str:
    start = text.find("{")
    if start < 0:
        return text
    end = text.index("}")
    name = text[start + 1 : end]
    return text[:start] + (feature.type_name(name) if feature else f"_{name}") + text[end + 1 :]


def definition_text(specification: DirectiveSpecification, name: str, feature: Feature | None) -> str:
    """A directive's definition in SDL, under a name and with the types' names of a feature."""
    arguments = ", ".join(
        f"{argument.name}: {_type_text(argument.type, feature)}"
        + (f" = {argument.default}" if argument.default else "")
        for argument in specification.arguments
    )
    inner = f"({arguments})" if arguments else ""
    repeatable = " repeatable" if specification.is_repeatable else ""
    return f"directive @{name}{inner}{repeatable} on {' | '.join(specification.locations)}"


def _faults(
    specification: DirectiveSpecification,
    existing: DirectiveDefinitionNode,
    state: _Completing,
    feature: Feature | None,
) -> Iterator[str]:
    given = {argument.name.value: argument for argument in existing.arguments or ()}
    for expected in specification.arguments:
        expected_type = from_type_node(parse_type(_type_text(expected.type, feature)))
        actual = given.pop(expected.name, None)
        if actual is None:
            if isinstance(expected_type, NonNull) and expected.default is None:
                yield f"lacks the required argument `{expected.name}`"
            continue
        yield from _argument_faults(expected.name, expected_type, expected.default, actual, state)
    for name in given:
        yield f"has an argument `{name}` that the directive does not have"
    if existing.repeatable and not specification.is_repeatable:
        yield "is repeatable, which the directive is not"
    extra = [location.value for location in existing.locations if location.value not in specification.locations]
    if extra:
        yield f"allows {', '.join(extra)}, but the directive stands only on {', '.join(specification.locations)}"


def _argument_faults(
    name: str, expected: TypeReference, default: str | None, actual: InputValueDefinitionNode, state: _Completing
) -> Iterator[str]:
    actual_type = from_type_node(actual.type)
    compared = actual_type if isinstance(expected, NonNull) else nullable(actual_type)
    if compared != expected and not _may_redefine(expected, compared, state):
        yield f"gives its argument `{name}` the type `{actual_type}` instead of `{expected}`"
    elif not isinstance(actual_type, NonNull) and same_text(actual.default_value) != default:
        yield f"gives its argument `{name}` the default {same_text(actual.default_value)} instead of {default}"


def _may_redefine(expected: TypeReference, actual: TypeReference, state: _Completing) -> bool:
    """A scalar of a specification may be written as any other type that is no custom scalar, such as String."""
    match expected, actual:
        case (ListOf(left), ListOf(right)) | (NonNull(left), NonNull(right)):
            return _may_redefine(left, right, state)
        case Named(left_name), Named(right_name):
            return left_name not in _BUILT_IN_SCALARS and not _is_custom_scalar(right_name, state)
        case Named(left_name), _:
            return left_name not in _BUILT_IN_SCALARS
        case _:
            return False


def _is_custom_scalar(name: str, state: _Completing) -> bool:
    if name in _BUILT_IN_SCALARS:
        return False
    return isinstance(state.types.get(name), ScalarTypeDefinitionNode) or name not in state.types


def is_federation_operation(name: str) -> bool:
    """Is this one of the root fields with which a gateway speaks to a subgraph?"""
    return name in {"_service", "_entities"}


OPERATION_TYPES = frozenset({"_Any", "_Service", "_Entity"})
"""Types of those fields; they never reach the supergraph."""

NON_MERGED = frozenset({FEDERATION, LINK, "https://specs.apollo.dev/core"})
"""Specifications whose types stay in their subgraph."""
