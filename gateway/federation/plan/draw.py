"""A plan as a graph: requests, and which needs the answer of which. As text for Graphviz, or as an SVG picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from gateway.federation.plan.model import (
    Condition,
    EntityFetch,
    Parallel,
    PlanNode,
    QueryPlan,
    RootFetch,
    Sequence,
    SubscriptionPlan,
)
from gateway.federation.plan.text import print_path


@dataclass(frozen=True, slots=True)
class _Box:
    id: int
    lines: tuple[str, ...]
    """The subgraph first, then what is asked there and when."""
    needs: tuple[int, ...]
    stage: int


def draw_plan(plan: QueryPlan) -> str:
    r"""Return the plan in Graphviz's language: one node for each request, in ranks by what must run before.

    digraph plan {
      f0 [label="products\ntopProducts"];
      f0 -> f1;
    }
    """
    boxes = _boxes(plan)
    lines = ["digraph plan {", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif"];']
    lines.extend(f'  f{box.id} [label="{_quoted(box.lines)}"];' for box in boxes)
    lines.extend(f"  f{needed} -> f{box.id};" for box in boxes for needed in box.needs)
    return "\n".join([*lines, "}"]) + "\n"


_WIDTH, _LINE, _GAP_X, _GAP_Y, _MARGIN, _MOST = 260, 18, 70, 24, 20, 38


def draw_svg(plan: QueryPlan) -> str:
    """Return the plan as an SVG picture: stages from left to right, requests of one stage below each other."""
    boxes = _boxes(plan)
    places: dict[int, tuple[int, int, int]] = {}
    bottoms: dict[int, int] = {}
    for box in boxes:
        height = _LINE * len(box.lines) + 14
        top = bottoms.get(box.stage, _MARGIN)
        places[box.id] = (_MARGIN + box.stage * (_WIDTH + _GAP_X), top, height)
        bottoms[box.stage] = top + height + _GAP_Y
    width = _MARGIN * 2 + (max(bottoms, default=0) + 1) * (_WIDTH + _GAP_X) - _GAP_X
    height = max(bottoms.values(), default=_MARGIN) + _MARGIN - _GAP_Y
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{max(height, 40)}">',
        '<g font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for box in boxes:
        parts.extend(_arrow(places[needed], places[box.id]) for needed in box.needs if needed in places)
    for box in boxes:
        parts.extend(_drawn(box, places[box.id]))
    return "\n".join([*parts, "</g>", "</svg>"]) + "\n"


def _arrow(source: tuple[int, int, int], target: tuple[int, int, int]) -> str:
    from_x, from_y = source[0] + _WIDTH, source[1] + source[2] // 2
    to_x, to_y = target[0], target[1] + target[2] // 2
    bend = (from_x + to_x) // 2
    path = f"M{from_x} {from_y}C{bend} {from_y} {bend} {to_y} {to_x} {to_y}"
    return f'<path d="{path}" fill="none" stroke="#888"/><circle cx="{to_x}" cy="{to_y}" r="3" fill="#888"/>'


def _drawn(box: _Box, place: tuple[int, int, int]) -> Iterator[str]:
    from html import escape  # noqa: PLC0415 - see gateway/console/console.py

    x, y, height = place
    yield f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{height}" rx="6" fill="#f4f6fb" stroke="#456"/>'
    for number, line in enumerate(box.lines):
        weight = "" if number else ' font-weight="bold"'
        short = line if len(line) <= _MOST else f"{line[: _MOST - 1]}…"
        yield f'<text x="{x + 10}" y="{y + 20 + number * _LINE}"{weight}>{escape(short)}</text>'


def _boxes(plan: QueryPlan) -> list[_Box]:
    stages: dict[int, int] = {}
    boxes: list[_Box] = []
    for fetch, condition in _fetches(plan.root, ""):
        if isinstance(fetch, RootFetch):
            needs: tuple[int, ...] = ()
            lines = [fetch.subgraph, *fetch.root_fields]
        else:
            found = {each for entry in fetch.inputs for needed in entry.needs for each in needed}
            needs = tuple(sorted(found))
            lines = [fetch.subgraph]
            for entry in fetch.inputs:
                lines.extend(print_path(path) for path in entry.paths)
                lines.append(f"  {' '.join(entry.fields) or '__typename'}")
        if condition:
            lines.append(condition)
        stages[fetch.id] = max((stages[each] + 1 for each in needs if each in stages), default=0)
        boxes.append(_Box(fetch.id, tuple(lines), needs, stages[fetch.id]))
    return boxes


def _fetches(node: PlanNode | SubscriptionPlan | None, condition: str) -> Iterator[tuple[RootFetch | EntityFetch, str]]:
    match node:
        case None:
            return
        case RootFetch() | EntityFetch():
            yield node, condition
        case Sequence(nodes) | Parallel(nodes):
            for each in nodes:
                yield from _fetches(each, condition)
        case Condition(variable, if_true, if_false):
            yield from _fetches(if_true, f"{condition} if ${variable}".strip())
            yield from _fetches(if_false, f"{condition} unless ${variable}".strip())
        case SubscriptionPlan(primary=primary, rest=rest):
            yield primary, condition
            yield from _fetches(rest, condition)
        case _:
            assert_never(node)


def _quoted(lines: tuple[str, ...]) -> str:
    return "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
