"""Upgrades federation 1 subgraphs: what they left implicit becomes explicit, what had no effect goes.

A federation 1 schema is one without a link to the federation specification. See
https://www.apollographql.com/docs/graphos/schema-design/federated-schemas/reference/backward-compatibility
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from graphql import DirectiveDefinitionNode, ListValueNode, StringValueNode, print_ast

from gateway.federation.composition.model.element import (
    Directive,
    Field,
    FieldedType,
    InterfaceType,
    NamedType,
    ObjectType,
    UnionType,
)
from gateway.federation.composition.model.field_set import of_directive, reached
from gateway.federation.composition.model.link import (
    FEDERATION,
    LINK,
    Feature,
    Import,
    Links,
    SpecificationUrl,
    Version,
)
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.model.type_reference import named_type
from gateway.federation.composition.model.value import to_node
from gateway.federation.composition.normalise.active_fields import active_selection
from gateway.federation.composition.normalise.build import build_directive, spellings_of
from gateway.federation.composition.normalise.define import definition_text, parse_definition
from gateway.federation.composition.normalise.diagnose import locate
from gateway.federation.composition.normalise.specification import UPGRADE_VERSION, directives_of

_Types = dict[str, NamedType]


def upgrade_all(subgraphs: Sequence[Subgraph]) -> tuple[tuple[Subgraph, ...], tuple[CompositionError, ...]]:
    """All subgraphs as federation 2; those that already are stay the same."""
    if all(subgraph.is_federation_2 for subgraph in subgraphs):
        return tuple(subgraphs), ()
    upgraded: list[Subgraph] = []
    errors: list[CompositionError] = []
    for subgraph in subgraphs:
        if subgraph.is_federation_2:
            upgraded.append(subgraph)
            continue
        errors.extend(_extensions_without_base(subgraph, subgraphs))
        upgraded.append(upgrade(subgraph, subgraphs))
        errors.extend(_only_unused_externals(subgraph, upgraded[-1]))
    errors.extend(_interface_objects_on_federation_1(subgraphs))
    return tuple(upgraded), tuple(errors)


def upgrade(subgraph: Subgraph, subgraphs: Sequence[Subgraph]) -> Subgraph:
    """One federation 1 subgraph as federation 2."""
    linked = _linked(subgraph)
    for step in _STEPS:
        linked = replace(linked, types=step(linked, subgraph, subgraphs))
    return linked


def _linked(subgraph: Subgraph) -> Subgraph:
    names = [specification.name for specification in directives_of(FEDERATION, UPGRADE_VERSION)]
    federation = Feature(
        SpecificationUrl(FEDERATION, "federation", UPGRADE_VERSION),
        "federation",
        tuple(Import(f"@{name}", f"@{name}") for name in names),
    )
    features = subgraph.links.features
    if not any(feature.url.identity == LINK for feature in features):
        features = (Feature(SpecificationUrl(LINK, "link", Version(1, 0)), "link"), *features)
    links = Links((*features, federation))
    definitions = dict(subgraph.definitions)
    for specification in directives_of(FEDERATION, UPGRADE_VERSION):
        node = parse_definition(definition_text(specification, specification.name, federation))
        if isinstance(node, DirectiveDefinitionNode):
            definitions.setdefault(specification.name, build_directive(node))
    return replace(subgraph, links=links, definitions=definitions, spellings=spellings_of(links))


def is_federation_extension(subgraph: Subgraph, element: NamedType) -> bool:
    """Is it an extension of a type that another subgraph owns? Root types count when they are only extended."""
    if not isinstance(element, ObjectType | InterfaceType):
        return False
    return subgraph.has(element, "extends") or not element.has_definition


def _is_root(subgraph: Subgraph, element: NamedType) -> bool:
    return element.name in subgraph.schema.roots.values()


def _map_fields(subgraph: Subgraph, change: Callable[[FieldedType, Field], Field | None]) -> _Types:
    """All types, with each field changed, or dropped where the change is None."""
    types: _Types = dict(subgraph.types)
    for element in subgraph.fielded():
        changed = {name: change(element, field) for name, field in element.fields.items()}
        kept = {name: field for name, field in changed.items() if field is not None}
        types[element.name] = replace(element, fields=kept)
    return types


def _without(subgraph: Subgraph, directives: tuple[Directive, ...], *names: str) -> tuple[Directive, ...]:
    dropped = {spelling for name in names for spelling in subgraph.spellings.get(name, ())}
    return tuple(applied for applied in directives if applied.name not in dropped)


def _coerce_field_sets(subgraph: Subgraph, _: Subgraph, __: Sequence[Subgraph]) -> _Types:
    """Federation 1 took `fields: ["a", "b"]` and `fields: a` for strings."""
    types = _map_fields(subgraph, lambda _, field: replace(field, directives=tuple(map(_coerced, field.directives))))
    for name, element in types.items():
        if isinstance(element, ObjectType | InterfaceType):
            types[name] = replace(element, directives=tuple(map(_coerced, element.directives)))
    return types


def _coerced(applied: Directive) -> Directive:
    value = applied.arguments.get("fields")
    if applied.name not in ("key", "requires", "provides") or value is None:
        return applied
    text: str | None = None
    if isinstance(value, ListValueNode) and all(isinstance(item, StringValueNode) for item in value.values):
        text = " ".join(item.value for item in value.values if isinstance(item, StringValueNode))
    elif value.kind == "enum_value":
        text = print_ast(value)
    return applied if text is None else replace(applied, arguments={**applied.arguments, "fields": to_node(text)})


def _drop_external_on_types(subgraph: Subgraph, _: Subgraph, __: Sequence[Subgraph]) -> _Types:
    types = _map_fields(
        subgraph,
        lambda parent, field: (
            replace(field, directives=_without(subgraph, field.directives, "external"))
            if isinstance(parent, InterfaceType)
            else field
        ),
    )
    for name, element in types.items():
        if isinstance(element, ObjectType):
            types[name] = replace(element, directives=_without(subgraph, element.directives, "external"))
    return types


def _drop_external_on_extension_keys(subgraph: Subgraph, _: Subgraph, subgraphs: Sequence[Subgraph]) -> _Types:
    """An extension resolves its key fields, although custom marks them @external."""
    keys: set[tuple[str, str]] = set()
    for element in subgraph.fielded():
        if not is_federation_extension(subgraph, element):
            continue
        own = subgraph.uses(element, "key")
        if own:
            for key in own:
                found = reached(subgraph, element.name, of_directive(key), implementations=False)
                keys.update((parent.name, field.name) for parent, field in found if parent.name == element.name)
            continue
        for other in subgraphs:
            theirs = other.types.get(element.name)
            first = (
                other.use(theirs, "key") if other is not subgraph and other.name != subgraph.name and theirs else None
            )
            if first is not None:
                found = reached(other, element.name, of_directive(first), implementations=False)
                keys.update((parent.name, field.name) for parent, field in found if parent.name == element.name)
    return _map_fields(
        subgraph,
        lambda parent, field: (
            replace(field, directives=_without(subgraph, field.directives, "external"))
            if (parent.name, field.name) in keys
            else field
        ),
    )


def _drop_inactive_field_sets(subgraph: Subgraph, _: Subgraph, __: Sequence[Subgraph]) -> _Types:
    """@requires and @provides of fields that are not external have no effect."""

    def change(parent: FieldedType, field: Field) -> Field:
        directives: list[Directive] = []
        for applied in field.directives:
            if applied.name not in ("requires", "provides"):
                directives.append(applied)
                continue
            target = parent.name if applied.name == "requires" else named_type(field.type)
            text = active_selection(subgraph, target, applied)
            if text is None:
                directives.append(applied)
            elif text:
                directives.append(replace(applied, arguments={**applied.arguments, "fields": to_node(text)}))
        return replace(field, directives=tuple(directives))

    return _map_fields(subgraph, change)


def _make_extensions_definitions(subgraph: Subgraph, _: Subgraph, __: Sequence[Subgraph]) -> _Types:
    types: _Types = dict(subgraph.types)
    for element in subgraph.fielded():
        if is_federation_extension(subgraph, element):
            directives = tuple(replace(applied, extension=None) for applied in element.directives)
            fields = {name: replace(field, extension=None) for name, field in element.fields.items()}
            types[element.name] = replace(
                element, directives=directives, fields=fields, has_definition=True, extension_nodes=()
            )
    return types


def _drop_directives_on_interfaces(subgraph: Subgraph, _: Subgraph, __: Sequence[Subgraph]) -> _Types:
    types = _map_fields(
        subgraph,
        lambda parent, field: (
            replace(field, directives=_without(subgraph, field.directives, "requires", "provides"))
            if isinstance(parent, InterfaceType)
            else field
        ),
    )
    for name, element in types.items():
        if isinstance(element, InterfaceType):
            types[name] = replace(element, directives=_without(subgraph, element.directives, "key"))
    return types


def _drop_provides_on_leaves(subgraph: Subgraph, _: Subgraph, __: Sequence[Subgraph]) -> _Types:
    def change(_: FieldedType, field: Field) -> Field:
        if isinstance(subgraph.types.get(named_type(field.type)), ObjectType | InterfaceType | UnionType):
            return field
        return replace(field, directives=_without(subgraph, field.directives, "provides"))

    return _map_fields(subgraph, change)


def _drop_unused_externals(subgraph: Subgraph, _: Subgraph, __: Sequence[Subgraph]) -> _Types:
    facts = subgraph.facts
    types = _map_fields(
        subgraph,
        lambda parent, field: (
            None
            if (parent.name, field.name) in facts.external and (parent.name, field.name) not in facts.used
            else field
        ),
    )
    emptied = {
        name
        for name, element in types.items()
        if isinstance(element, ObjectType | InterfaceType) and not element.fields and not _is_root(subgraph, element)
    }
    return {name: element for name, element in types.items() if name not in emptied}


def _add_shareable(subgraph: Subgraph, original: Subgraph, subgraphs: Sequence[Subgraph]) -> _Types:
    """Federation 1 let value types be defined, and fields be resolved, in several subgraphs."""
    others = [other for other in subgraphs if other.name != subgraph.name]
    types: _Types = dict(subgraph.types)
    shareable = Directive("shareable", {})
    for name, element in subgraph.types.items():
        if not isinstance(element, ObjectType) or name == subgraph.schema.roots.get("subscription"):
            continue
        if subgraph.has(element, "key") or _is_root(subgraph, element):
            fields = {
                field_name: replace(field, directives=(*field.directives, shareable))
                if (name, field_name) not in original.facts.shareable and _resolved_elsewhere(others, name, field_name)
                else field
                for field_name, field in element.fields.items()
            }
            types[name] = replace(element, fields=fields)
        elif any(isinstance(other.types.get(name), ObjectType | InterfaceType) for other in others):
            types[name] = replace(element, directives=(*element.directives, shareable))
    return types


def _resolved_elsewhere(others: Sequence[Subgraph], parent: str, field: str) -> bool:
    for other in others:
        element = other.types.get(parent)
        has_field = isinstance(element, ObjectType | InterfaceType) and field in element.fields
        if has_field and not other.facts.is_fully_external((parent, field)):
            return True
    return False


def _drop_tags_on_externals(subgraph: Subgraph, _: Subgraph, subgraphs: Sequence[Subgraph]) -> _Types:
    """A tag on an external field only repeats the one on the field's definition."""

    def change(parent: FieldedType, field: Field) -> Field:
        if not subgraph.has(field, "external"):
            return field
        elsewhere: set[str] = set()
        for other in subgraphs:
            element = other.types.get(parent.name)
            if other.name != subgraph.name and isinstance(element, ObjectType | InterfaceType):
                version = element.fields.get(field.name)
                if version is not None and not other.has(version, "external"):
                    elsewhere.update(str(applied) for applied in other.uses(version, "tag"))
        kept = tuple(a for a in field.directives if not (a.name == "tag" and str(a) in elsewhere))
        return replace(field, directives=kept)

    return _map_fields(subgraph, change)


_STEPS: tuple[Callable[[Subgraph, Subgraph, Sequence[Subgraph]], Mapping[str, NamedType]], ...] = (
    _coerce_field_sets,
    _drop_external_on_types,
    _drop_external_on_extension_keys,
    _drop_inactive_field_sets,
    _make_extensions_definitions,
    _drop_directives_on_interfaces,
    _drop_provides_on_leaves,
    _drop_unused_externals,
    _add_shareable,
    _drop_tags_on_externals,
)


def _extensions_without_base(subgraph: Subgraph, subgraphs: Sequence[Subgraph]) -> list[CompositionError]:
    return [
        CompositionError(
            code="EXTENSION_WITH_NO_BASE",
            message=f"[{subgraph.name}] `{element.name}` is extended, but no subgraph defines it",
            coordinate=element.name,
            subgraphs=(subgraph.name,),
            locations=locate(subgraph.name, element.node),
            mend=f"Define `{element.name}` in one subgraph, or drop `extend`.",
        )
        for element in subgraph.fielded()
        if is_federation_extension(subgraph, element)
        and not _is_root(subgraph, element)
        and not any(_defines(other, element.name) for other in subgraphs if other.name != subgraph.name)
    ]


def _only_unused_externals(subgraph: Subgraph, upgraded: Subgraph) -> list[CompositionError]:
    """Types that lost all their fields in the upgrade, and to which others still refer, or keys as to an entity."""
    lost = subgraph.types.keys() - upgraded.types.keys()
    referred = {element.name for element in subgraph.fielded() if any(subgraph.uses(element, "key"))}
    for element in upgraded.types.values():
        if isinstance(element, ObjectType | InterfaceType):
            referred.update((*element.interfaces, *(named_type(field.type) for field in element.fields.values())))
        elif isinstance(element, UnionType):
            referred.update(element.members)
    return [
        CompositionError(
            code="TYPE_WITH_ONLY_UNUSED_EXTERNAL",
            message=f"[{subgraph.name}] all fields of `{name}` are @external, and nothing uses them",
            coordinate=name,
            subgraphs=(subgraph.name,),
            locations=locate(subgraph.name, subgraph.types[name].node),
            mend="Drop @external from the fields that this subgraph resolves.",
        )
        for name in sorted(lost & referred)
    ]


def _defines(subgraph: Subgraph, name: str) -> bool:
    element = subgraph.types.get(name)
    return isinstance(element, ObjectType | InterfaceType) and element.has_definition


def _interface_objects_on_federation_1(subgraphs: Sequence[Subgraph]) -> list[CompositionError]:
    """An interface object needs an interface key elsewhere, and federation 1 has none."""
    keyed: dict[str, list[Subgraph]] = {}
    for subgraph in subgraphs:
        if not subgraph.is_federation_2:
            for element in subgraph.types.values():
                if isinstance(element, InterfaceType) and subgraph.has(element, "key"):
                    keyed.setdefault(element.name, []).append(subgraph)
    errors = []
    for subgraph in subgraphs:
        for element in subgraph.types.values():
            if subgraph.is_interface_object(element) and element.name in keyed:
                names = [other.name for other in keyed[element.name]]
                errors.append(
                    CompositionError(
                        code="INTERFACE_OBJECT_USAGE_ERROR",
                        message=(
                            f"`{element.name}` is an @interfaceObject in {subgraph.name}, which needs a @key on the "
                            f"interface, but {', '.join(names)} is a federation 1 schema and keys on interfaces have no effect there"
                        ),
                        coordinate=element.name,
                        subgraphs=(subgraph.name, *names),
                        locations=locate(subgraph.name, element.node),
                        mend=f"Link federation v2.3 or later in {', '.join(names)}.",
                    )
                )
    return errors
