"""A text that two selections share when they select the same."""

from __future__ import annotations

from graphql import FieldNode, InlineFragmentNode, SelectionSetNode, print_ast


def selection_text(selection: SelectionSetNode | None) -> str | None:
    """The selection with its parts in order, each once; None for what is no selection."""
    return None if selection is None else _text([selection])


def _text(selections: list[SelectionSetNode]) -> str:
    """Print selections of one object as one: `a { b } c a { d }` selects what `a { b d } c` does."""
    below: dict[str, list[SelectionSetNode]] = {}
    for node in (node for selection in selections for node in selection.selections):
        if isinstance(node, FieldNode):
            arguments = ",".join(sorted(print_ast(argument) for argument in node.arguments or ()))
            inner = below.setdefault(f"{node.name.value}({arguments})", [])
        elif isinstance(node, InlineFragmentNode):
            inner = below.setdefault(f"...{node.type_condition.name.value if node.type_condition else ''}", [])
        else:
            continue
        if node.selection_set is not None:
            inner.append(node.selection_set)
    return " ".join(f"{name}{{{_text(inner)}}}" if inner else name for name, inner in sorted(below.items()))
