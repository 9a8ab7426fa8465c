"""The shape of an operation's answer, compiled once: what the client selected, by concrete type, with every wrapper.

Completion and error translation walk shapes, never documents or schemas.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
)

from gateway.federation.operation import Operation
from gateway.federation.supergraph import Conditions, FieldSelection, FragmentSelection, Selection


class LeafKind(Enum):
    """What a leaf's JSON value must be."""

    INT = "Int"
    FLOAT = "Float"
    STRING = "String"
    BOOLEAN = "Boolean"
    ID = "ID"
    ENUM = "enum"
    ANY = "any"
    """A custom scalar: any JSON value."""


@dataclass(frozen=True, slots=True)
class LeafShape:
    """A scalar or enum."""

    kind: LeafKind
    values: frozenset[str] = frozenset()
    """Names of an enum's values in the API schema."""


@dataclass(frozen=True, slots=True)
class ListShape:
    """A list."""

    item: Shape
    is_item_nullable: bool


@dataclass(frozen=True, slots=True)
class RawShape:
    """A value that is already complete: an answer to introspection."""


@dataclass(frozen=True, slots=True)
class TypenameShape:
    """`__typename`: the name of the object's own type."""


@dataclass(frozen=True, slots=True)
class PlaceShape:
    """No value, only a field's place: here it comes in the answer if the field's conditions hold.

    `{ a @include(if: $x) b a }` answers a and b in this order, or the other one; so `a` has a place before `b` and its
    shape after it.
    """


@dataclass(frozen=True, slots=True)
class TypeNeededShape:
    """No value: if its field's conditions hold, the object can't be completed without knowing its type."""


@dataclass(frozen=True, slots=True)
class DeniedShape:
    """No value: the caller may not see the field, which was not fetched either."""


@dataclass(frozen=True, slots=True)
class MaskedShape:
    """A text that the caller may know to be there, and no more."""


class Denials(Protocol):
    """What one caller may not see."""

    def denies_type(self, name: str) -> bool:
        """Whether objects of a type must not be seen at all."""

    def denies_field(self, type_name: str, field: str) -> bool:
        """Whether a field of an object type must not be seen."""

    def masks_field(self, type_name: str, field: str) -> bool:
        """Whether a field's text is shown masked."""


@dataclass(slots=True, eq=False)
class ObjectShape:
    """A selection on an object, interface or union."""

    type_name: str
    is_abstract: bool
    """Whether an object must say by `__typename` which type it is."""
    by_type: dict[str, tuple[FieldShape, ...]]
    """Object type → what the client selected of it, in order."""
    common: tuple[FieldShape, ...] | None = None
    """What was selected whatever the type, so that an object of unknown type completes too; None where that never is
    all. Conditions under which more depends on the type come first, on a `TypeNeededShape`."""
    abstract_names: frozenset[str] = frozenset()
    """Names of the schema's interfaces and unions."""
    denied_types: frozenset[str] = frozenset()
    """Object types that the caller may not see; they are not in `by_type`."""

    def fields_of(self, type_name: object) -> tuple[FieldShape, ...] | None:
        """Return what was selected of an object that gives this `__typename`, or None where that can't be told.

        An `@interfaceObject` subgraph names the interface, and where nothing depends on the type, none is asked for.
        """
        fields = self.by_type.get(type_name) if isinstance(type_name, str) else None
        if fields is None and (type_name is None or (isinstance(type_name, str) and type_name in self.abstract_names)):
            return self.common
        return fields

    def has_names(self, names: Sequence[str]) -> bool:
        """Tell whether the client selected the place at these response names, for some type."""
        if not names:
            return True
        for field in {id(each): each for fields in self.by_type.values() for each in fields}.values():
            if field.name == names[0]:
                shape = field.shape
                while isinstance(shape, ListShape):
                    shape = shape.item
                if len(names) == 1 or (isinstance(shape, ObjectShape) and shape.has_names(names[1:])):
                    return True
        return False


Shape: TypeAlias = (
    LeafShape
    | ListShape
    | RawShape
    | TypenameShape
    | PlaceShape
    | TypeNeededShape
    | DeniedShape
    | MaskedShape
    | ObjectShape
)


@dataclass(frozen=True, slots=True)
class FieldShape:
    """One field of an answer's object."""

    name: str
    """The response name."""
    field_name: str
    """The schema's name."""
    shape: Shape
    is_nullable: bool
    conditions: tuple[Conditions, ...]
    """The field is there if any of these holds; empty: always."""

    def is_included(self, variables: Mapping[str, object]) -> bool:
        """Tell whether `@skip` and `@include` leave the field in."""
        return not self.conditions or any(
            all(bool(variables.get(name)) is wanted for name, wanted in each) for each in self.conditions
        )


_BUILT_IN: Final = {kind.value: LeafShape(kind) for kind in LeafKind if kind not in (LeafKind.ENUM, LeafKind.ANY)}
_ANY: Final = LeafShape(LeafKind.ANY)
_TYPENAME: Final = TypenameShape()
_RAW: Final = RawShape()
_PLACE: Final = PlaceShape()
_TYPE_NEEDED: Final = TypeNeededShape()
_DENIED: Final = DeniedShape()
_MASKED: Final = MaskedShape()
_ALWAYS: Final[Conditions] = frozenset()

_Composite: TypeAlias = GraphQLObjectType | GraphQLInterfaceType
_Occurrence: TypeAlias = tuple[FieldSelection, Conditions]


def compile_shape(operation: Operation, denials: Denials | None = None) -> ObjectShape:
    """Compile the shape of an operation's `data`; what `denials` name has a place in it and no value."""
    root = operation.schema.get_root_type(operation.definition.operation)
    assert root is not None  # validation has refused operations without a root type
    compiler = _Compiler(operation.schema, denials)
    return compiler.compile_object(root, [(operation.selections, _ALWAYS)])


class _Compiler:
    def __init__(self, schema: GraphQLSchema, denials: Denials | None) -> None:
        self._schema = schema
        self._denials = denials
        self._abstract_names = frozenset(name for name, each in schema.type_map.items() if is_abstract_type(each))
        # Fragments are shared between places and so are their selections: equal selections compile once.
        self._objects: dict[tuple[object, ...], ObjectShape] = {}

    def compile_object(
        self, named: GraphQLNamedType, selections: Sequence[tuple[tuple[Selection, ...], Conditions]]
    ) -> ObjectShape:
        key = (named.name, *((id(each), conditions) for each, conditions in selections))
        known = self._objects.get(key)
        if known is not None:
            return known
        is_abstract = is_abstract_type(named)
        # An interface that only interface objects know has no types: its objects are what it says itself.
        possible: Sequence[GraphQLNamedType] = [named]
        if is_abstract_type(named):
            possible = self._schema.get_possible_types(named) or possible
        denied: frozenset[str] = frozenset()
        if is_abstract and self._denials is not None:
            denied = frozenset(each.name for each in possible if self._denials.denies_type(each.name))
            possible = [each for each in possible if each.name not in denied]
        shape = ObjectShape(named.name, is_abstract, {}, abstract_names=self._abstract_names, denied_types=denied)
        self._objects[key] = shape
        by_fields: dict[tuple[object, ...], tuple[FieldShape, ...]] = {}
        for object_type in possible:
            assert isinstance(object_type, _Composite)
            occurrences: list[_Occurrence] = []
            for each, conditions in selections:
                self._collect(object_type, each, conditions, occurrences)
            # Types that differ in no fragment and no field share their fields.
            distinct = tuple((id(selection), conditions) for selection, conditions in occurrences)
            types = tuple(self._kind_of(object_type, selection) for selection, _ in occurrences)
            fields = by_fields.get((distinct, types))
            if fields is None:
                fields = self._fields(object_type, occurrences)
                by_fields[distinct, types] = fields
            shape.by_type[object_type.name] = fields
        if denied:
            return shape  # an object must say what it is, or it can't be told whether it may be seen
        one = next(iter(by_fields.values()))
        if len(by_fields) == 1 and not any(isinstance(field.shape, TypenameShape) for field in one):
            shape.common = one
        elif is_abstract:
            shape.common = self._common([each for each in possible if isinstance(each, _Composite)], selections)
        return shape

    def _common(
        self, possible: Sequence[_Composite], selections: Sequence[tuple[tuple[Selection, ...], Conditions]]
    ) -> tuple[FieldShape, ...] | None:
        """Return what is selected of every type alike, if conditions can leave the rest out."""
        shared: list[_Occurrence] = []
        typed: list[Conditions] = []
        for each, conditions in selections:
            self._share(possible, each, conditions, shared, typed)
        if any(not each for each in typed):
            return None
        fields = self._fields(possible[0], shared)
        if not typed:
            return fields
        return (FieldShape("", "", _TYPE_NEEDED, is_nullable=True, conditions=tuple(dict.fromkeys(typed))), *fields)

    def _share(
        self,
        possible: Sequence[_Composite],
        selections: Iterable[Selection],
        conditions: Conditions,
        shared: list[_Occurrence],
        typed: list[Conditions],
    ) -> None:
        """Sort what is selected into what all types share and what, under some conditions, depends on the type."""
        for selection in selections:
            joined = conditions | selection.conditions
            match selection:
                case FieldSelection():
                    types = {self._kind_of(each, selection) for each in possible}
                    if selection.name == "__typename" or len(types) > 1:
                        typed.append(joined)
                    else:
                        shared.append((selection, joined))
                case FragmentSelection(type_condition=condition, selections=inner):
                    fitting = [each for each in possible if condition is None or self._applies(condition, each)]
                    if len(fitting) == len(possible):
                        self._share(possible, inner, joined, shared, typed)
                    for each in fitting if len(fitting) < len(possible) else ():
                        found: list[_Occurrence] = []
                        self._collect(each, inner, joined, found)
                        typed.extend(every for _, every in found)

    def _collect(
        self,
        object_type: _Composite,
        selections: Iterable[Selection],
        conditions: Conditions,
        occurrences: list[_Occurrence],
    ) -> None:
        """Gather the fields that apply to an object type, each as often as it is selected (CollectFields)."""
        for selection in selections:
            joined = conditions | selection.conditions
            match selection:
                case FieldSelection():
                    occurrences.append((selection, joined))
                case FragmentSelection(type_condition=condition, selections=inner):
                    if condition is None or self._applies(condition, object_type):
                        self._collect(object_type, inner, joined, occurrences)

    def _applies(self, condition: str, object_type: _Composite) -> bool:
        if condition == object_type.name:
            return True
        named = self._schema.get_type(condition)
        return is_abstract_type(named) and self._schema.is_sub_type(named, object_type)

    def _kind_of(self, object_type: _Composite, selection: FieldSelection) -> str:
        """Return what decides how a field is completed: its type, and whether it may be seen."""
        kind = str(self._type_of(object_type, selection))
        restriction = self._restriction(object_type.name, selection.name)
        return kind if restriction is None else f"{kind} {type(restriction).__name__}"

    def _restriction(self, type_name: str, field: str) -> DeniedShape | MaskedShape | None:
        if self._denials is None:
            return None
        if self._denials.denies_field(type_name, field):
            return _DENIED
        return _MASKED if self._denials.masks_field(type_name, field) else None

    def _type_of(self, object_type: _Composite, selection: FieldSelection) -> GraphQLOutputType | None:
        definition = object_type.fields.get(selection.name)
        return definition.type if definition else None

    def _fields(self, object_type: _Composite, occurrences: Sequence[_Occurrence]) -> tuple[FieldShape, ...]:
        """Merge occurrences by response name, with a place wherever conditions decide which of them comes first."""
        by_name: dict[str, list[_Occurrence]] = {}
        for occurrence in occurrences:
            by_name.setdefault(occurrence[0].response_name, []).append(occurrence)
        fields = {name: self._field(object_type, name, found) for name, found in by_name.items()}
        places = _places(occurrences)
        last = {name: index for index, (name, _) in enumerate(places)}
        return tuple(
            fields[name]
            if last[name] == index
            else FieldShape(name, fields[name].field_name, _PLACE, is_nullable=True, conditions=conditions)
            for index, (name, conditions) in enumerate(places)
        )

    def _field(self, object_type: _Composite, name: str, found: list[_Occurrence]) -> FieldShape:
        first = found[0][0]
        conditions = () if any(not each for _, each in found) else tuple(dict.fromkeys(each for _, each in found))
        if first.name == "__typename":
            return FieldShape(name, first.name, _TYPENAME, is_nullable=False, conditions=conditions)
        output = self._type_of(object_type, first)
        if output is None:
            return FieldShape(name, first.name, _RAW, is_nullable=True, conditions=conditions)
        is_nullable = not isinstance(output, GraphQLNonNull)
        restriction = self._restriction(object_type.name, first.name)
        if restriction is not None:
            return FieldShape(name, first.name, restriction, is_nullable, conditions)
        return FieldShape(name, first.name, self._shape(output, found), is_nullable, conditions)

    def _shape(self, output: GraphQLOutputType, found: list[_Occurrence]) -> Shape:
        if isinstance(output, GraphQLNonNull):
            output = output.of_type
        if isinstance(output, GraphQLList):
            item = output.of_type
            return ListShape(self._shape(item, found), not isinstance(item, GraphQLNonNull))
        named = get_named_type(output)
        if is_leaf_type(named):
            if isinstance(named, GraphQLEnumType):
                return LeafShape(LeafKind.ENUM, frozenset(named.values))
            return _BUILT_IN.get(named.name, _ANY)
        return self.compile_object(named, [(field.selections, conditions) for field, conditions in found])


def _places(occurrences: Sequence[_Occurrence]) -> list[tuple[str, tuple[Conditions, ...]]]:
    """Return, in order, where each response name may first come, and under which conditions, any of them."""
    places: list[tuple[str, tuple[Conditions, ...]]] = []
    known: dict[str, list[Conditions]] = {}
    for selection, conditions in occurrences:
        name = selection.response_name
        earlier = known.setdefault(name, [])
        if any(each <= conditions for each in earlier):
            # Where this one is there, an earlier one is.
            continue
        earlier.append(conditions)
        if places and places[-1][0] == name:
            places[-1] = (name, (*places[-1][1], conditions))
        else:
            places.append((name, (conditions,)))
    return places
