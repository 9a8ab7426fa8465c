"""Merge what a fetch brought into the response tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import orjson
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
)

from gateway.execution.ports import encode_whole

Composites: TypeAlias = Mapping[str, "Composites"]
"""Response names of a selection that have a selection of their own. Everything else is a leaf, even where its value is
a JSON object, and is replaced as a whole."""


def merge(target: dict[str, Any], source: dict[str, Any], composites: Composites) -> None:
    """Merge `source` into `target`, composite fields deeply and lists item by item. A null never hides a value."""
    for name, value in source.items():
        present = target.get(name)
        if present is None:
            target[name] = value
        elif value is not None:
            inner = composites.get(name)
            if inner is None:
                target[name] = value
            else:
                _merge_value(present, value, inner)


def _merge_value(present: Any, value: Any, composites: Composites) -> None:
    if isinstance(present, dict) and isinstance(value, dict):
        merge(present, value, composites)
    elif isinstance(present, list) and isinstance(value, list):
        for index, (old, new) in enumerate(zip(present, value, strict=False)):
            if old is None:
                present[index] = new
            elif new is not None:
                _merge_value(old, new, composites)


def composites_of(
    selections: Sequence[SelectionSetNode], fragments: Mapping[str, FragmentDefinitionNode]
) -> dict[str, Composites]:
    """Return the composite response names of selections that are merged with each other, through fragments."""
    nested: dict[str, list[SelectionSetNode]] = {}
    pending = list(selections)
    while pending:
        for node in pending.pop().selections:
            match node:
                case FieldNode():
                    if node.selection_set is not None:
                        name = node.alias.value if node.alias else node.name.value
                        nested.setdefault(name, []).append(node.selection_set)
                case InlineFragmentNode():
                    pending.append(node.selection_set)
                case FragmentSpreadNode():
                    pending.append(fragments[node.name.value].selection_set)
    return {name: composites_of(inner, fragments) for name, inner in nested.items()}


def copy_json(value: Any) -> Any:
    """Return a deep copy of a JSON value."""
    try:
        return _copied(value)
    except RecursionError:
        return orjson.loads(encode_whole(value))


def _copied(value: Any) -> Any:
    if value.__class__ is dict:
        return {name: _copied(item) for name, item in value.items()}
    if value.__class__ is list:
        return [_copied(item) for item in value]
    return value


def read_selection(document: str) -> tuple[SelectionSetNode, dict[str, FragmentDefinitionNode]]:
    """Return the selection of a fetch's document, and its fragments by name."""
    parsed = parse(document, no_location=True)
    fragments = {node.name.value: node for node in parsed.definitions if isinstance(node, FragmentDefinitionNode)}
    operation = next(node for node in parsed.definitions if isinstance(node, OperationDefinitionNode))
    return operation.selection_set, fragments
