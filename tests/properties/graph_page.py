"""Writes a graph as a page of `tests/cases`, so that what was found here can stay there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from draw_operation import Asked
from graphql import parse, print_ast


def page_text(schema: str, sources: Mapping[str, str], data: Any, operations: Iterable[Asked]) -> str:
    """Return the page, without plans and responses: `CONCORD_UPDATE_CASES=1` writes those."""
    parts = ["# \n"]
    parts += [f"## Subgraph {name}\n\n```graphql\n{sdl}\n```\n" for name, sdl in sources.items()]
    parts.append(f"## Schema\n\n```graphql\n{schema}\n```\n")
    parts.append(f"## Data\n\n```json\n{json.dumps(data, indent=2)}\n```\n")
    for asked in operations:
        variables = f"\n```json\n{json.dumps(asked.variables)}\n```\n" if asked.variables else ""
        parts.append(f"## Operation \n\n```graphql\n{print_ast(parse(asked.text))}\n```\n{variables}")
    return "\n".join(parts)
