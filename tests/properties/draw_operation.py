"""Draws operations that are valid by construction: a response name means one field per type, and one shape everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from draw_graph import Dice
from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
    get_named_type,
    is_abstract_type,
    is_composite_type,
)
from hypothesis import strategies as st

_MOST_FIELDS = 24


@dataclass(frozen=True, slots=True)
class Asked:
    """An operation and its variables."""

    text: str
    variables: dict[str, Any]


@dataclass(slots=True)
class OperationDraw:
    """One drawing."""

    dice: Dice
    schema: GraphQLSchema
    fields_left: int = _MOST_FIELDS
    fragments: dict[str, tuple[GraphQLNamedType, str]] = field(default_factory=dict)
    declared: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    meanings: dict[tuple[str, str], str] = field(default_factory=dict)
    """(Object type, response name) → field with its arguments; without a type where it is said of an abstract one."""
    shapes: dict[str, str] = field(default_factory=dict)
    """Response name → type of its values."""
    fresh: int = 0

    def run(self) -> Asked:
        root: GraphQLObjectType | None = self.schema.query_type
        kind = "query"
        if self.schema.mutation_type is not None and self.dice.chance(40):
            root, kind = self.schema.mutation_type, "mutation"
        assert root is not None
        selection = self._selection(root, 4)
        parts = [f"fragment {name} on {on} {{ {text} }}" for name, (on, text) in self.fragments.items()]
        variables = ", ".join(f"${name}: {text}" for name, text in self.declared.items())
        head = f"{kind} Asked({variables})" if variables else kind
        return Asked("\n".join([f"{head} {{ {selection} }}", *parts]), self.values)

    def _selection(self, on: GraphQLNamedType, depth: int) -> str:
        parts: list[str] = []
        for _ in range(self.dice.count(1, 4)):
            part = self._part(on, depth)
            if part:
                parts.append(part)
        return " ".join(parts) or self._typename(on)

    def _part(self, on: GraphQLNamedType, depth: int) -> str:
        choice = self.dice.count(0, 99)
        if self.fields_left <= 0 or choice >= 93:
            return self._typename(on)
        is_fragment = choice >= (30 if is_abstract_type(on) else 75)
        if is_fragment and depth > 0:
            return self._fragment(on, depth)
        if isinstance(on, GraphQLObjectType | GraphQLInterfaceType):
            return self._field(on, depth)
        return self._typename(on)

    def _typename(self, on: GraphQLNamedType) -> str:
        name = self.dice.pick(["__typename", "__typename", "kind"])
        if name == "kind" and not self._bind(on, "kind", "__typename", "String!"):
            return "__typename"
        return "__typename" if name == "__typename" else "kind: __typename"

    def _field(self, on: GraphQLObjectType | GraphQLInterfaceType, depth: int) -> str:
        able = [
            name for name, each in on.fields.items() if depth > 0 or not is_composite_type(get_named_type(each.type))
        ]
        if not able:
            return ""
        self.fields_left -= 1
        name = self.dice.pick(able)
        each = on.fields[name]
        called = name + self._arguments(each)
        alias = self._response_name(on, name, called, each)
        text = (called if alias == name else f"{alias}: {called}") + self._directives()
        target = get_named_type(each.type)
        return f"{text} {{ {self._selection(target, depth - 1)} }}" if is_composite_type(target) else text

    def _response_name(self, on: GraphQLNamedType, name: str, called: str, each: GraphQLField) -> str:
        target = get_named_type(each.type)
        shape = str(each.type).replace(str(target), "*") if is_composite_type(target) else str(each.type)
        wanted = [name]
        if self.dice.chance(35):
            wanted = [self.dice.pick(["x", "y", "id", "f0", "r0"]), name]
        for alias in wanted:
            if self._bind(on, alias, called, shape):
                return alias
        self.fresh += 1
        alias = f"w{self.fresh}"
        self._bind(on, alias, called, shape)
        return alias

    def _bind(self, on: GraphQLNamedType, alias: str, called: str, shape: str) -> bool:
        """Let a response name mean a field of a type; whether it can."""
        if self.shapes.get(alias, shape) != shape:
            return False
        types = [each.name for each in self.schema.get_possible_types(on)] if is_abstract_type(on) else [on.name]
        # Fields differ freely only between two object types: https://spec.graphql.org/draft/#FieldsInSetCanMerge()
        others = [known for (_, name), known in self.meanings.items() if name == alias] if is_abstract_type(on) else []
        if any(self.meanings.get((name, alias), called) != called for name in (*types, "")) or {*others} - {called}:
            return False
        self.shapes[alias] = shape
        if is_abstract_type(on):
            self.meanings["", alias] = called
        self.meanings.update({(name, alias): called for name in types})
        return True

    def _fragment(self, on: GraphQLNamedType, depth: int) -> str:
        dice = self.dice
        condition = self._directives()
        if dice.chance(10):
            return f"...{condition} {{ {self._selection(on, depth)} }}"
        here = self._possible(on)
        known = [name for name, (other, _) in self.fragments.items() if here & self._possible(other)]
        if known and dice.chance(50):
            return f"...{dice.pick(known)}{condition}"
        able = [
            other
            for name, other in sorted(self.schema.type_map.items())
            if is_composite_type(other) and not name.startswith("__") and here & self._possible(other)
        ]
        other = dice.pick(able)
        inner = self._selection(other, depth - 1)
        if len(self.fragments) < 3 and dice.chance(35):
            name = f"F{len(self.fragments)}"
            self.fragments[name] = (other, inner)
            return f"...{name}{condition}"
        return f"... on {other}{condition} {{ {inner} }}"

    def _possible(self, on: GraphQLNamedType) -> set[str]:
        return {each.name for each in self.schema.get_possible_types(on)} if is_abstract_type(on) else {on.name}

    def _directives(self) -> str:
        return self._condition() + self._mark()

    def _mark(self) -> str:
        """Return a directive of the graph's own, or nothing: subgraphs are to get it, and answer as without it."""
        if self.schema.get_directive("mark") is None or not self.dice.chance(12):
            return ""
        same = [name for name, known in self.declared.items() if known.rstrip("!") == "Int"]
        at = f"${self.dice.pick(same)}" if same and self.dice.chance(50) else str(self.dice.count(0, 2))
        return f" @mark(at: {at})"

    def _condition(self) -> str:
        dice = self.dice
        if not dice.chance(20):
            return ""
        chosen = dice.pick(["@include(if: ", "@skip(if: "])
        value = dice.pick(["true", "false", "$b0", "$b1", "$b2"])
        if value.startswith("$"):
            self._declare_flag(value[1:])
        text = f" {chosen}{value})"
        if dice.chance(10):
            other = "@skip(if: " if chosen.startswith("@include") else "@include(if: "
            self._declare_flag("b0")
            text += f" {other}$b0)"
        return text

    def _declare_flag(self, name: str) -> None:
        if name in self.declared:
            return
        if self.dice.chance(30):
            self.declared[name] = f"Boolean = {self.dice.pick(['true', 'false'])}"
        else:
            self.declared[name] = "Boolean!"
            self.values[name] = self.dice.chance(50)

    def _arguments(self, each: GraphQLField) -> str:
        given: list[str] = []
        for name, argument in each.args.items():
            is_optional = not isinstance(argument.type, GraphQLNonNull)
            if is_optional and self.dice.chance(30):
                continue
            if self.dice.chance(40):
                given.append(f"{name}: ${self._variable(argument)}")
            else:
                given.append(f"{name}: {self._literal(str(argument.type))}")
        return f"({', '.join(given)})" if given else ""

    def _variable(self, argument: GraphQLArgument) -> str:
        text = str(argument.type)
        same = [name for name, known in self.declared.items() if known.rstrip("!") == text and name.startswith("v")]
        if same and self.dice.chance(50):
            return self.dice.pick(same)
        name = f"v{sum(known.startswith('v') for known in self.declared)}"
        choice = self.dice.count(0, 3)
        if text.endswith("!") or choice == 0:
            self.declared[name] = text
            self.values[name] = self._value(text)
        elif choice == 1:
            self.declared[name] = f"{text} = {self._literal(text)}"
        elif choice == 2:
            self.declared[name] = text
            if argument.default_value is Undefined and self.dice.chance(50):
                self.values[name] = None
        else:
            self.declared[name] = f"{text}!"
            self.values[name] = self._value(text)
        return name

    def _value(self, text: str) -> Any:
        match text.rstrip("!"):
            case "Int":
                return self.dice.count(0, 3)
            case "Color":
                return self.dice.pick(["RED", "BLUE"])
            case "Choice":
                return {key: value for key, value in (("size", 2), ("color", "GREEN")) if self.dice.chance(50)}
            case _:
                return [self.dice.count(0, 3)]

    def _literal(self, text: str) -> str:
        match text.rstrip("!"):
            case "Int":
                return str(self.dice.count(0, 3))
            case "Color":
                return self.dice.pick(["RED", "BLUE"])
            case "Choice":
                return self.dice.pick(["{}", "{size: 1}", "{color: BLUE}", "{size: 4, color: RED}"])
            case _:
                return self.dice.pick(["[]", "[1]", "2"])


@st.composite
def operations(draw: Callable[[st.SearchStrategy[Any]], Any], schema: GraphQLSchema) -> Asked:
    """Return operations on a schema."""
    return OperationDraw(Dice(draw), schema).run()
