"""INVALID_FIELD_SHARING: several subgraphs resolve a field, and not all of them say that it is shared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphql import FieldNode

from gateway.federation.composition.merge.context import FieldGroup, Merge
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import Directive, Field, InterfaceType, Kind
from gateway.federation.composition.model.field_set import of_directive
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.finding import across, listed


@dataclass(frozen=True, slots=True)
class _Resolver:
    index: int
    through: str | None
    field: Field
    is_shareable: bool


def check(merge: Merge) -> Iterator[CompositionError]:
    """A field has one owner unless all who resolve it mark it @shareable."""
    subscription = merge.outline.roots.get("subscription")
    for group in merge.field_groups():
        if group.kind is not Kind.OBJECT:
            continue
        if group.parent == subscription:
            yield from _shareable_subscription(merge, group)
        yield from _sharing(merge, group)
    yield from _through_interface_objects(merge)


def _shareable_subscription(merge: Merge, group: FieldGroup) -> Iterator[CompositionError]:
    marked = group.sources.keep(lambda index, field: merge.subgraphs[index].has(field, "shareable"))
    if marked.indices():
        yield across(
            merge,
            "INVALID_FIELD_SHARING",
            f"`{group.coordinate}` is @shareable, but a subscription comes from one subgraph",
            marked,
            coordinate=group.coordinate,
            mend="Remove @shareable.",
        )


def _through_interface_objects(merge: Merge) -> Iterator[CompositionError]:
    """Fields that an implementation only has through interface objects."""
    for name, kind in merge.outline.kinds.items():
        if kind is not Kind.OBJECT:
            continue
        known = merge.fields[name]
        for interface in merge.outline.interfaces.get(name, ()):
            for field in merge.fields.get(interface, {}):
                if field not in known and merge.provided_by_interface_object(interface, field):
                    missing: Sources[Field] = Sources(dict.fromkeys(range(len(merge.subgraphs))))
                    yield from _sharing(merge, FieldGroup(name, Kind.OBJECT, field, missing, missing))


def _sharing(merge: Merge, group: FieldGroup) -> Iterator[CompositionError]:
    resolvers = list(_resolvers(merge, group))
    owners = [resolver for resolver in resolvers if not resolver.is_shareable]
    if not owners or len(resolvers) < 2:
        return
    names = [merge.subgraphs[resolver.index].name + (resolver.through or "") for resolver in resolvers]
    unmarked = [merge.subgraphs[resolver.index].name for resolver in owners]
    where = "none of them marks it" if len(owners) == len(resolvers) else f"{listed(unmarked)} does not mark it"
    unknown = merge.overrides_of(group).unknown_source
    hint = ""
    if unknown:
        use = next(use for use in merge.overrides_of(group).uses if use.index in unknown)
        hint = (
            f" (its @override in {merge.subgraphs[use.index].name} names `{use.source}`, and there is no such subgraph)"
        )
    key = _key_elsewhere(merge, group)
    mend = f"Mark it @shareable in {listed(unmarked)}, or let one subgraph take it over with @override."
    if key is not None:
        mend = (
            f"Give `{group.parent}` the `{key[0]}` of {key[1]} in {listed(unmarked)} too, or mark the field @shareable."
        )
    yield across(
        merge,
        "INVALID_FIELD_SHARING",
        f"`{group.coordinate}` is resolved by {listed(names)}, but {where} @shareable{hint}",
        Sources({resolver.index: resolver.field for resolver in resolvers}),
        coordinate=group.coordinate,
        mend=mend,
    )


def _key_elsewhere(merge: Merge, group: FieldGroup) -> tuple[Directive, str] | None:
    """Return a @key of this field alone, and the subgraph that has it: whoever shares the field may have forgotten it."""
    for other in merge.subgraphs:
        element = other.types.get(group.parent)
        for key in other.uses(element, "key") if element is not None else ():
            selection = of_directive(key)
            fields = selection.selections if selection else ()
            if len(fields) == 1 and isinstance(fields[0], FieldNode) and fields[0].name.value == group.name:
                return key, other.name
    return None


def _resolvers(merge: Merge, group: FieldGroup) -> Iterator[_Resolver]:
    overrides = merge.overrides_of(group)
    for index, field in group.sources.by_index.items():
        facts = merge.subgraphs[index].facts
        if field is None:
            for interface, version in merge.interface_object_fields(group.parent, group.name, index):
                if not facts.is_fully_external((interface, group.name)):
                    shareable = (interface, group.name) in facts.shareable
                    yield _Resolver(index, f" (through `{interface}.{group.name}`)", version, shareable)
            continue
        if index in overrides.used or index in overrides.unused:
            continue
        if isinstance(merge.subgraphs[index].types.get(group.parent), InterfaceType):
            continue
        if not facts.is_fully_external((group.parent, group.name)):
            yield _Resolver(index, None, field, (group.parent, group.name) in facts.shareable)
