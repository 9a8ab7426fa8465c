"""A text that two selections share when they select the same."""

from __future__ import annotations

from graphql import FieldNode, InlineFragmentNode, SelectionSetNode, print_ast


def selection_text(selection: SelectionSetNode | None) -> str | None:
    """The selection with its parts in order; None for what is no selection."""
    if selection is None:
        return None
    parts = []
    for node in selection.selections:
        inner = getattr(node, "selection_set", None)
        below = f"{{{selection_text(inner)}}}" if inner is not None else ""
        if isinstance(node, FieldNode):
            arguments = ",".join(sorted(print_ast(argument) for argument in node.arguments or ()))
            parts.append(f"{node.name.value}({arguments}){below}")
        elif isinstance(node, InlineFragmentNode):
            condition = node.type_condition.name.value if node.type_condition else ""
            parts.append(f"...{condition}{below}")
    return " ".join(sorted(parts))
