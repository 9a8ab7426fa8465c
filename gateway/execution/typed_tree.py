"""The response tree as typed objects: for each place of an operation, a class with the fields that are needed there.

Subgraphs' answers are decoded straight into these classes, which checks every value against the schema while it is read,
and the finished tree is written as it stands: nothing is completed or copied. For
`{ users { id reviews { product { name } } } }`, with `name` from another subgraph than the rest:

    class Root:    users: list[User | None] | None = None
    class User:    id: str; reviews: list[Review | None] | None = None
    class Review:  product: Product | None = None
    class Product: name: str | None = None; upc: Any = UNSET     # a key that a representation needs; never written

What has no class (an abstract type, introspection, a place that several fetches write) raises `NotTyped`: such operations
are executed over plain dicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec
from graphql import (
    BooleanValueNode,
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionSetNode,
    VariableNode,
)
from msgspec import UNSET, Meta, Raw, UnsetType

from gateway.execution.shape import (
    FieldShape,
    LeafKind,
    LeafShape,
    ListShape,
    ObjectShape,
    PlaceShape,
    Shape,
    TypenameShape,
)
from gateway.execution.sharing import Place

Fragments = Mapping[str, FragmentDefinitionNode]

Assignment = Mapping[str, bool]
"""Values of the variables that `@skip` and `@include` use."""


TYPENAME = "__typename"


class NotTyped(Exception):  # noqa: N818 - a signal, never seen outside execution
    """The operation, or its plan, needs more than typed objects can do."""


@dataclass(slots=True, eq=False, repr=False)
class Spot:
    """A place of the tree, which holds objects of one type."""

    place: Place
    type_name: str
    fields: dict[str, FieldShape]
    """What the client selected, by response name, in the answer's order."""
    parent: Spot | None = None
    children: dict[str, Spot] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    """Response names that only representations need."""
    sources: set[str] = field(default_factory=set)
    """Response names that representations need."""
    is_named: bool = False
    """Whether a representation, or a path, goes by the name of the type that the objects say they have."""
    creator: object = None
    """The fetch's part that brings the objects of this place."""
    created_with: set[str] = field(default_factory=set)
    """Response names that come with the objects."""
    brought: set[str] = field(default_factory=set)
    """Response names that any fetch brings."""
    attributes: dict[str, str] = field(default_factory=dict)
    """Response name → the class's attribute. A response name may be no Python name."""
    is_sliced: bool = False
    """Whether mentions that are equal, byte by byte, are decoded once and are one object."""
    made: Any = None
    """The class."""

    @property
    def holder(self) -> FieldShape:
        """The parent's field that holds the objects."""
        assert self.parent is not None
        return self.parent.fields[self.place[-1]]

    def walk(self) -> Iterator[Spot]:
        """Yield the places from here down, parents first."""
        yield self
        for child in self.children.values():
            yield from child.walk()

    @property
    def hides_name(self) -> bool:
        """Whether objects hold the name of their type and the client did not select it."""
        return self.is_named and TYPENAME not in self.fields

    def wanted(self, name: str) -> bool:
        """Tell whether a response name has an attribute here."""
        return (name in self.fields and not isinstance(self.fields[name].shape, TypenameShape)) or name in self.hidden


def spots_of(shape: ObjectShape, assignment: Assignment, place: Place = (), parent: Spot | None = None) -> Spot:
    """Return the place of an operation's root, with those below it. Raises NotTyped."""
    if shape.is_abstract:
        raise NotTyped("an abstract type")
    spot = Spot(place, shape.type_name, _ordered(shape.by_type[shape.type_name], assignment), parent)
    for name, each in spot.fields.items():
        inner = object_in(each.shape)
        if inner is not None:
            spot.children[name] = spots_of(inner, assignment, (*place, name), spot)
    return spot


def object_in(shape: Shape) -> ObjectShape | None:
    """Return the object within a shape's lists; None for leaves."""
    while isinstance(shape, ListShape):
        shape = shape.item
    return shape if isinstance(shape, ObjectShape) else None


def _ordered(fields: Iterable[FieldShape], assignment: Assignment) -> dict[str, FieldShape]:
    found: dict[str, FieldShape | None] = {}
    for each in fields:
        if each.is_included(assignment):
            if isinstance(each.shape, PlaceShape):
                found.setdefault(each.name, None)
            elif isinstance(each.shape, LeafShape | ListShape | ObjectShape | TypenameShape):
                found[each.name] = each
            else:
                raise NotTyped("introspection")
    return {name: each for name, each in found.items() if each is not None}


def selected(
    selection: SelectionSetNode, fragments: Fragments, type_name: str, assignment: Assignment
) -> dict[str, list[SelectionSetNode]]:
    """Return the response names of a selection on an object of a type, each with its own selections.

    Raises NotTyped where it depends on more than the type's name whether a fragment applies.
    """
    found: dict[str, list[SelectionSetNode]] = {}
    pending: list[SelectionSetNode] = [selection]
    while pending:
        for node in pending.pop(0).selections:
            if not _is_included(node.directives, assignment):
                continue
            match node:
                case FieldNode():
                    inner = found.setdefault((node.alias or node.name).value, [])
                    if node.selection_set is not None:
                        inner.append(node.selection_set)
                case InlineFragmentNode(type_condition=condition, selection_set=inner_set):
                    if condition is not None and condition.name.value != type_name:
                        raise NotTyped("a fragment on another type")
                    pending.append(inner_set)
                case FragmentSpreadNode(name=name):
                    fragment = fragments[name.value]
                    if fragment.type_condition.name.value != type_name:
                        raise NotTyped("a fragment on another type")
                    pending.append(fragment.selection_set)
    return found


def _is_included(directives: Iterable[DirectiveNode] | None, assignment: Assignment) -> bool:
    for directive in directives or ():
        if directive.name.value in ("skip", "include"):
            match (directive.arguments or ())[0].value:
                case BooleanValueNode(value=value):
                    holds = value
                case VariableNode(name=name):
                    holds = assignment[name.value]
                case _:
                    raise NotTyped("a condition that is none")
            if holds is (directive.name.value == "skip"):
                return False
    return True


def make_classes(root: Spot) -> None:
    """Make the class of each place, the innermost first."""
    for spot in reversed(list(root.walk())):
        definition: list[tuple[str, Any, Any]] = []
        for number, name in enumerate((*spot.fields, *sorted(spot.hidden - spot.fields.keys()))):
            attribute = spot.attributes[name] = f"f{number}"
            if name not in spot.fields:
                definition.append((attribute, Any | UnsetType, UNSET))
                continue
            each = spot.fields[name]
            if isinstance(each.shape, TypenameShape):
                is_told = spot.is_named and name == TYPENAME
                default = msgspec.NODEFAULT if is_told else spot.type_name
                definition.append((attribute, Literal[spot.type_name], default))
                continue
            value = value_type(spot, name)
            if name in spot.created_with:
                definition.append((attribute, value, default_of(spot, name)))
            else:
                # Another fetch brings it, or finds that it can't be.
                definition.append((attribute, value if each.is_nullable or value is Raw else value | None, None))
        if spot.hides_name:
            spot.attributes[TYPENAME] = "t"
            definition.append(("t", Literal[spot.type_name] | UnsetType, msgspec.NODEFAULT))
        names = {attribute: name for name, attribute in spot.attributes.items()}
        spot.made = msgspec.defstruct(
            f"At_{'_'.join(spot.place)}", definition, kw_only=True, gc=False, rename=names.get
        )


def default_of(spot: Spot, name: str) -> Any:
    """Return what stands for a field that an answer should hold and does not: null, unless that can't be told from one.

    A representation is not made of what was never said, but of a null that was.
    """
    return None if spot.fields[name].is_nullable and name not in spot.sources else msgspec.NODEFAULT


def value_type(spot: Spot, name: str) -> Any:
    """Return the type that the value of a field the client selected must have."""
    each = spot.fields[name]
    child = spot.children.get(name)
    return _value_type(each.shape, child, is_nullable=each.is_nullable)


def _value_type(shape: Shape, child: Spot | None, *, is_nullable: bool) -> Any:
    value: Any
    match shape:
        case ListShape(item, is_item_nullable):
            value = list[_value_type(item, child, is_nullable=is_item_nullable)]  # type: ignore[misc]  # made at run time
        case LeafShape(LeafKind.ANY):
            # A value that is an object or a list is looked into before it is passed on, in the general way.
            value = str | int | float | bool
        case LeafShape(LeafKind.ENUM, values):
            value = Literal[tuple(sorted(values))]
        case LeafShape(kind):
            value = _LEAVES[kind]
        case _:
            assert child is not None
            if child.is_sliced:
                return Raw  # whoever reads it looks for nulls
            value = child.made
    return value | None if is_nullable else value


_LEAVES: Mapping[LeafKind, Any] = {
    LeafKind.STRING: str,
    LeafKind.ID: str,
    LeafKind.INT: Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)],
    LeafKind.FLOAT: int | float,
    LeafKind.BOOLEAN: bool,
}
"""What a leaf must be. An ID that is a number is rare enough for the general way."""
