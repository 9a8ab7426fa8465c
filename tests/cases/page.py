"""A case page: subgraphs, data, operations, and for each its plan and its answer, in one Markdown file."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^## (\w+)(?: (.+))?$", re.MULTILINE)


@dataclass(slots=True)
class Asked:
    """One operation of a page, with what is expected of it."""

    title: str
    text: str
    variables: dict[str, Any] = field(default_factory=dict)
    labels: frozenset[str] = frozenset()
    plan: str = ""
    response: Any = None


@dataclass(slots=True)
class Page:
    """A page's parts. `schema` is the unsplit schema, where there is one to compare with."""

    path: Path
    subgraphs: dict[str, str]
    supergraph: str | None
    schema: str | None
    data: dict[str, Any]
    asked: list[Asked]


def read_page(path: Path) -> Page:
    """Read a page.

    `## Subgraph name`, `## Schema` and `## Supergraph` hold SDL; `## Data` JSON; then any number of `## Operation title`
    (a `json` block beside the operation holds variables, a line `Labels: a, b` the active override labels), each
    followed by its `## Plan` and `## Response`.
    """
    page = Page(path, {}, None, None, {}, [])
    for kind, title, body in _sections(path.read_text(encoding="utf-8")):
        blocks = dict(_BLOCK.findall(body))
        match kind:
            case "Subgraph":
                page.subgraphs[title] = blocks["graphql"]
            case "Schema":
                page.schema = blocks["graphql"]
            case "Supergraph":
                page.supergraph = blocks["graphql"]
            case "Data":
                page.data = json.loads(blocks["json"])
            case "Operation":
                labels = re.search(r"^Labels: (.+)$", body, re.MULTILINE)
                page.asked.append(
                    Asked(
                        title,
                        blocks["graphql"],
                        json.loads(blocks.get("json", "{}")),
                        frozenset(labels[1].split(", ")) if labels else frozenset(),
                    )
                )
            case "Plan":
                page.asked[-1].plan = blocks["text"]
            case "Response":
                page.asked[-1].response = json.loads(blocks["json"])
            case _:
                raise ValueError(f"{path.name}: unknown section {kind!r}")
    return page


def write_answers(path: Path, answers: list[tuple[str, Any]]) -> None:
    """Write plans and responses into a page, in the order of its operations."""
    text = path.read_text(encoding="utf-8")
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    written: list[str] = []
    remaining = iter(answers)
    for part in parts:
        if part.startswith(("## Plan", "## Response")):
            continue
        written.append(part.rstrip() + "\n\n")
        if part.startswith("## Operation"):
            plan, response = next(remaining)
            written.append(f"## Plan\n\n```text\n{plan}```\n\n")
            if response is not None:
                shown = json.dumps(response, indent=2, ensure_ascii=False)
                written.append(f"## Response\n\n```json\n{shown}\n```\n\n")
    path.write_text("".join(written).rstrip() + "\n", encoding="utf-8")


def _sections(text: str) -> list[tuple[str, str, str]]:
    found = list(_HEADING.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    return [
        (match[1], (match[2] or "").strip(), text[match.end() : end]) for match, end in zip(found, ends, strict=True)
    ]
