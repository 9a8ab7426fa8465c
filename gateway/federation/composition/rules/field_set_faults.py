"""What can be wrong with the `fields` of @key, @requires and @provides; each fault has rules of its own code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from graphql import (
    DirectiveNode,
    FieldNode,
    GraphQLSyntaxError,
    InlineFragmentNode,
    NameNode,
    SelectionSetNode,
)

from gateway.federation.composition.model.element import (
    Directive,
    Element,
    Field,
    FieldedType,
    InterfaceType,
    ObjectType,
    UnionType,
)
from gateway.federation.composition.model.field_set import parse_field_set
from gateway.federation.composition.model.link import Version
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.model.type_reference import named_type
from gateway.federation.composition.rules.finding import in_subgraph

_INTERFACE_KEYS = Version(2, 3)


class Fault(StrEnum):
    """A kind of fault, spelled as it ends the code."""

    UNSUPPORTED_ON_INTERFACE = "UNSUPPORTED_ON_INTERFACE"
    INVALID_FIELDS_TYPE = "INVALID_FIELDS_TYPE"
    INVALID_FIELDS = "INVALID_FIELDS"
    SELECTS_ABSTRACT = "FIELDS_SELECT_INVALID_TYPE"
    HAS_ARGUMENTS = "FIELDS_HAS_ARGS"
    HAS_DIRECTIVES = "DIRECTIVE_IN_FIELDS_ARG"
    MISSING_EXTERNAL = "FIELDS_MISSING_EXTERNAL"


@dataclass(frozen=True, slots=True)
class FieldSetUse:
    """A directive with a field set."""

    subgraph: Subgraph
    directive: str
    """`key`, `requires` or `provides`."""
    owner: FieldedType
    """The type it stands on or in."""
    element: Element
    """The type or field it stands on."""
    coordinate: str
    target: str
    """The type its selection starts at."""
    applied: Directive


_Found = tuple[Fault, str, str | None]


def field_set_errors(subgraph: Subgraph, directive: str, fault: Fault) -> Iterator[CompositionError]:
    """The errors of one directive and kind of fault."""
    for use in field_set_uses(subgraph, directive):
        for kind, message, mend in faults(use):
            if kind is fault:
                yield in_subgraph(
                    subgraph,
                    f"{directive.upper()}_{fault}",
                    f"`{use.applied}` on `{use.coordinate}`: {message}",
                    coordinate=use.coordinate,
                    at=(use.applied, use.element),
                    mend=mend,
                )


def field_set_uses(subgraph: Subgraph, directive: str) -> Iterator[FieldSetUse]:
    """Every use of one of the three directives whose target is a composite type."""
    for parent in subgraph.fielded():
        if directive == "key":
            for applied in subgraph.uses(parent, "key"):
                yield FieldSetUse(subgraph, directive, parent, parent, parent.name, parent.name, applied)
            continue
        for field in parent.fields.values():
            for applied in subgraph.uses(field, directive):
                target = parent.name if directive == "requires" else named_type(field.type)
                if isinstance(subgraph.types.get(target), ObjectType | InterfaceType | UnionType):
                    yield FieldSetUse(
                        subgraph, directive, parent, field, f"{parent.name}.{field.name}", target, applied
                    )


def faults(use: FieldSetUse) -> Iterator[_Found]:
    """Everything wrong with one field set; what is not a selection is not looked at further."""
    if isinstance(use.owner, InterfaceType) and not _allowed_on_interface(use):
        yield (
            Fault.UNSUPPORTED_ON_INTERFACE,
            f"@{use.directive} has no meaning on interfaces here",
            "Put it on the implementations; a @key may stand on an interface from federation v2.3 on.",
        )
    text = use.applied.text("fields")
    if text is None:
        yield Fault.INVALID_FIELDS_TYPE, "`fields` has to be a string", 'Write the selection in quotes: "id".'
        return
    try:
        selection = parse_field_set(text)
    except (GraphQLSyntaxError, RecursionError) as error:
        reason = error.message if isinstance(error, GraphQLSyntaxError) else "it is nested too deeply"
        yield Fault.INVALID_FIELDS, f"the selection cannot be read: {reason}", None
        return
    invalid = list(_invalid(use, use.target, selection))
    if invalid:
        yield from invalid
    else:
        yield from _unfit(use, use.target, selection, below_external=False)


def _allowed_on_interface(use: FieldSetUse) -> bool:
    federation = use.subgraph.links.federation
    return use.directive == "key" and federation is not None and federation.url.version >= _INTERFACE_KEYS


def _field(subgraph: Subgraph, parent: str, name: str) -> Field | None:
    element = subgraph.types.get(parent)
    return element.fields.get(name) if isinstance(element, ObjectType | InterfaceType) else None


def _invalid(use: FieldSetUse, parent: str, selection: SelectionSetNode) -> Iterator[_Found]:
    subgraph = use.subgraph
    for node in selection.selections:
        for applied in node.directives or ():
            if applied.name.value not in subgraph.definitions and applied.name.value not in ("skip", "include"):
                yield Fault.INVALID_FIELDS, f"there is no directive `@{applied.name.value}`", None
        if isinstance(node, InlineFragmentNode):
            yield from _invalid_fragment(use, parent, node)
            continue
        if not isinstance(node, FieldNode):
            yield Fault.INVALID_FIELDS, "named fragments cannot be used", None
            continue
        name = node.name.value
        if name == "__typename":
            continue
        if node.alias is not None:
            yield Fault.INVALID_FIELDS, f"the alias `{node.alias.value}` cannot be used", "Select the field without it."
        field = _field(subgraph, parent, name)
        if field is None:
            yield (
                Fault.INVALID_FIELDS,
                f"`{parent}` has no field `{name}` here",
                (f"Add `{name}` to `{parent}` in {subgraph.name}, marked @external if another subgraph resolves it."),
            )
            continue
        yield from _invalid_arguments(parent, field, node)
        named = named_type(field.type)
        element = subgraph.types.get(named)
        if use.directive == "key" and isinstance(element, InterfaceType | UnionType):
            yield (
                Fault.SELECTS_ABSTRACT,
                f"`{parent}.{name}` is of the abstract type `{named}`",
                ("Build the key from fields of object types."),
            )
        elif isinstance(element, ObjectType | InterfaceType | UnionType):
            if node.selection_set is None:
                yield (
                    Fault.INVALID_FIELDS,
                    f"`{parent}.{name}` is of type `{field.type}` and needs a selection",
                    (f'Write "{name} {{ … }}".'),
                )
            else:
                yield from _invalid(use, named, node.selection_set)
        elif node.selection_set is not None:
            yield Fault.INVALID_FIELDS, f"`{parent}.{name}` is of type `{field.type}` and has no fields to select", None


def _invalid_fragment(use: FieldSetUse, parent: str, node: InlineFragmentNode) -> Iterator[_Found]:
    condition: NameNode | None = node.type_condition.name if node.type_condition else None
    if condition is None:
        yield from _invalid(use, parent, node.selection_set)
        return
    if not isinstance(use.subgraph.types.get(condition.value), ObjectType | InterfaceType | UnionType):
        yield Fault.INVALID_FIELDS, f"there is no composite type `{condition.value}` here", None
        return
    yield from _invalid(use, condition.value, node.selection_set)


def _invalid_arguments(parent: str, field: Field, node: FieldNode) -> Iterator[_Found]:
    given = {argument.name.value for argument in node.arguments or ()}
    for name in sorted(given - set(field.arguments)):
        yield Fault.INVALID_FIELDS, f"`{parent}.{field.name}` has no argument `{name}`", None
    for argument in field.arguments.values():
        if argument.is_required and argument.name not in given:
            yield Fault.INVALID_FIELDS, f"`{parent}.{field.name}` needs its argument `{argument.name}`", None


def _unfit(use: FieldSetUse, parent: str, selection: SelectionSetNode, *, below_external: bool) -> Iterator[_Found]:
    for node in selection.selections:
        if node.directives:
            yield Fault.HAS_DIRECTIVES, f"directives cannot be used ({_names(node.directives)})", "Remove them."
        if isinstance(node, InlineFragmentNode):
            condition = node.type_condition.name.value if node.type_condition else parent
            yield from _unfit(use, condition, node.selection_set, below_external=below_external)
            continue
        if not isinstance(node, FieldNode):
            continue
        if node.name.value == "__typename" and use.directive != "key" and not below_external:
            yield (
                Fault.MISSING_EXTERNAL,
                f"`{parent}.__typename` has no place here: each subgraph knows the type of its own objects",
                f"Leave it out of @{use.directive}.",
            )
        field = _field(use.subgraph, parent, node.name.value)
        if field is None:
            continue
        yield from _unfit_field(use, parent, field, node, below_external=below_external)
        if node.selection_set is not None:
            below = below_external or _is_external(use.subgraph, parent, field)
            yield from _unfit(use, named_type(field.type), node.selection_set, below_external=below)


def _unfit_field(
    use: FieldSetUse, parent: str, field: Field, node: FieldNode, *, below_external: bool
) -> Iterator[_Found]:
    coordinate = f"{parent}.{field.name}"
    if field.arguments and use.directive != "requires":
        yield Fault.HAS_ARGUMENTS, f"`{coordinate}` takes arguments, which has no place in @{use.directive}", None
    facts = use.subgraph.facts
    is_leaf = node.selection_set is None
    if use.directive != "key" and is_leaf and not below_external and (parent, field.name) not in facts.external:
        if (parent, field.name) in facts.fake_external:
            reason = "it is a key field of an extension, which this subgraph resolves although it is marked @external"
        else:
            reason = "this subgraph resolves it itself: it is not marked @external"
        yield (
            Fault.MISSING_EXTERNAL,
            f"`{coordinate}` has no place here: {reason}",
            (f"Mark `{coordinate}` @external, or leave it out of @{use.directive}."),
        )


def _is_external(subgraph: Subgraph, parent: str, field: Field) -> bool:
    external = subgraph.facts.external
    if (parent, field.name) in external:
        return True
    if not isinstance(subgraph.types.get(parent), InterfaceType):
        return False
    return any((implementer.name, field.name) in external for implementer in subgraph.implementers.get(parent, ()))


def _names(directives: tuple[DirectiveNode, ...]) -> str:
    return ", ".join(f"@{applied.name.value}" for applied in directives)
