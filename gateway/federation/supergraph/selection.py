"""Selections as the compiler reads them: fields and fragments with arguments already printed."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from graphql.language import ast

Conditions: TypeAlias = frozenset[tuple[str, bool]]
"""Boolean variables and the value each must have for a selection to be included: `{("withPrice", True)}`."""


@dataclass(frozen=True, slots=True)
class Directives:
    """Directives that a subgraph is to see, `@skip` and `@include` never among them."""

    text: str
    """As printed into a document: `@live(every:$seconds)`."""
    variables: frozenset[str] = frozenset()
    """Names of the variables that they use."""


@dataclass(frozen=True, slots=True, eq=False)
class FieldSelection:
    """One selected field. Compared by identity, since expanded fragments share their selections."""

    name: str
    response_name: str
    arguments: str = ""
    """As printed into a document, parentheses included: `(first:5,after:$cursor)`."""
    directives: str = ""
    """Directives other than `@skip` and `@include`, as printed."""
    variables: frozenset[str] = frozenset()
    """Names of the variables that `arguments` and `directives` use."""
    conditions: Conditions = frozenset()
    selections: tuple[Selection, ...] = ()

    @property
    def signature(self) -> str:
        """What decides whether two fields of one object have the same value: `price(currency:"EUR")`."""
        return self.name + self.arguments + self.directives


@dataclass(frozen=True, slots=True, eq=False)
class FragmentSelection:
    """Selections under a type condition, from an inline fragment or a named one."""

    type_condition: str | None
    conditions: Conditions = frozenset()
    selections: tuple[Selection, ...] = ()
    directives: Directives | None = None
    """Those that may stand on an inline fragment, which is what a subgraph gets."""


Selection: TypeAlias = FieldSelection | FragmentSelection


class SelectionReader:
    """Turns syntax into selections: fragments expanded once each and shared, constant conditions decided."""

    def __init__(
        self, fragments: Mapping[str, ast.FragmentDefinitionNode] | None = None, on_fragments: Container[str] = ()
    ) -> None:
        """`on_fragments` are the names of the directives that may stand on an inline fragment."""
        self._fragments = fragments or {}
        self._on_fragments = on_fragments
        self._expanded: dict[str, tuple[Selection, ...]] = {}

    def read(self, selection_set: ast.SelectionSetNode | None) -> tuple[Selection, ...]:
        """Return the selections of a set; those that `@skip(if: true)` or `@include(if: false)` exclude are gone."""
        if selection_set is None:
            return ()
        selections: list[Selection] = []
        for node in selection_set.selections:
            conditions, directives = self._directives(node.directives)
            if conditions is None:
                continue
            match node:
                case ast.FieldNode():
                    selections.append(self._field(node, conditions, directives))
                case ast.InlineFragmentNode():
                    condition = node.type_condition.name.value if node.type_condition else None
                    inner = self.read(node.selection_set)
                    selections.append(FragmentSelection(condition, conditions, inner, self._around(directives)))
                case ast.FragmentSpreadNode():
                    fragment = self._fragments[node.name.value]
                    condition = fragment.type_condition.name.value
                    expanded = self._expand(fragment)
                    selections.append(FragmentSelection(condition, conditions, expanded, self._around(directives)))
        return tuple(selections)

    def _around(self, nodes: Iterable[ast.DirectiveNode]) -> Directives | None:
        return print_directives(node for node in nodes if node.name.value in self._on_fragments)

    def _expand(self, fragment: ast.FragmentDefinitionNode) -> tuple[Selection, ...]:
        name = fragment.name.value
        if name not in self._expanded:
            inner = self.read(fragment.selection_set)
            own = self._around(fragment.directives or ())
            self._expanded[name] = (FragmentSelection(None, _NO_CONDITIONS, inner, own),) if own else inner
        return self._expanded[name]

    def _field(
        self, node: ast.FieldNode, conditions: Conditions, directives: list[ast.DirectiveNode]
    ) -> FieldSelection:
        variables: set[str] = set()
        name = node.name.value
        arguments = print_arguments(node.arguments, variables)
        printed = print_directives(directives)
        if printed is not None:
            variables |= printed.variables
        return FieldSelection(
            name,
            node.alias.value if node.alias else name,
            arguments,
            printed.text if printed is not None else "",
            frozenset(variables) if variables else _NONE,
            conditions,
            self.read(node.selection_set),
        )

    @staticmethod
    def _directives(
        nodes: Iterable[ast.DirectiveNode] | None,
    ) -> tuple[Conditions | None, list[ast.DirectiveNode]]:
        """Split `@skip`/`@include` from other directives; None for conditions that can never hold."""
        if not nodes:
            return _NO_CONDITIONS, []
        conditions: set[tuple[str, bool]] = set()
        others: list[ast.DirectiveNode] = []
        for directive in nodes:
            wanted = {"include": True, "skip": False}.get(directive.name.value)
            if wanted is None:
                others.append(directive)
                continue
            value = directive.arguments[0].value if directive.arguments else None
            if isinstance(value, ast.VariableNode):
                conditions.add((value.name.value, wanted))
            elif isinstance(value, ast.BooleanValueNode) and value.value is not wanted:
                return None, others
        return (None if is_contradictory(conditions) else frozenset(conditions)), others


def is_contradictory(conditions: Iterable[tuple[str, bool]]) -> bool:
    """Whether a variable would have to be both true and false."""
    seen = set(conditions)
    return any((variable, not wanted) in seen for variable, wanted in seen)


def print_directives(nodes: Iterable[ast.DirectiveNode]) -> Directives | None:
    """Print directives as they stand, or None for none."""
    variables: set[str] = set()
    text = "".join(f"@{node.name.value}{print_arguments(node.arguments, variables)}" for node in nodes)
    return Directives(text, frozenset(variables)) if text else None


def print_arguments(nodes: Iterable[ast.ArgumentNode] | None, variables: set[str] | None = None) -> str:
    """Print arguments as `(a:1,b:$x)`, or nothing; names of variables are added to `variables`.

    Arguments are ordered by name, so that two spellings of the same call are equal.
    """
    printed = sorted(f"{node.name.value}:{print_value(node.value, variables)}" for node in nodes or ())
    return f"({','.join(printed)})" if printed else ""


def print_value(node: ast.ValueNode, variables: set[str] | None = None) -> str:
    """Print a literal or a variable compactly, on one line."""
    match node:
        case ast.VariableNode():
            if variables is not None:
                variables.add(node.name.value)
            return f"${node.name.value}"
        case ast.StringValueNode():
            return _quote(node.value)
        case ast.BooleanValueNode():
            return "true" if node.value else "false"
        case ast.NullValueNode():
            return "null"
        case ast.ListValueNode():
            return f"[{','.join(print_value(value, variables) for value in node.values)}]"
        case ast.ObjectValueNode():
            fields = (f"{field.name.value}:{print_value(field.value, variables)}" for field in node.fields)
            return f"{{{','.join(fields)}}}"
        case ast.IntValueNode() | ast.FloatValueNode() | ast.EnumValueNode():
            return node.value
        case _:  # pragma: no cover - the grammar has no other value
            raise TypeError(node.kind)


def _quote(text: str) -> str:
    escaped = "".join(_ESCAPES.get(char) or (f"\\u{ord(char):04x}" if char < " " else char) for char in text)
    return f'"{escaped}"'


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_NONE: frozenset[str] = frozenset()
_NO_CONDITIONS: Conditions = frozenset()


def print_type_node(node: ast.TypeNode) -> str:
    """Return the text of a type reference: `[User!]!`."""
    match node:
        case ast.ListTypeNode():
            return f"[{print_type_node(node.type)}]"
        case ast.NonNullTypeNode():
            return f"{print_type_node(node.type)}!"
        case ast.NamedTypeNode():
            return node.name.value
        case _:  # pragma: no cover - the grammar has no other type
            raise TypeError(node.kind)
