"""From rows to medians, a table, a chart and a file that a later run compares itself with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.chart import bars
from bench.measure import Candidate, Row

CALM = 0.15
"""Rows in which neighbours took more of the core than this are left out where enough others remain."""
_OURS = "concord"
_CHART_WIDTH = 50


def medians(rows: Sequence[Row]) -> Row:
    """Return the median of each figure, of calm rows where there are enough."""
    calm = [row for row in rows if row.others < CALM]
    chosen = calm if len(calm) >= max(2, len(rows) // 3) else rows
    figures: dict[str, Any] = {each.name: median(getattr(row, each.name) for row in chosen) for each in fields(Row)}
    figures["failed"] = sum(row.failed for row in rows)
    return Row(**figures)


def print_report(
    title: str, candidates: Sequence[Candidate], results: Mapping[str, Row], before: dict[str, Any], chart: Path
) -> None:
    """Print the table, ours against each peer, the chart, and how ours compares with an earlier run.

    The chart is drawn as an SVG, too.
    """
    console = Console(width=150)
    table = Table(title=title, title_justify="left")
    for heading in ("gateway", "CPU ms", "user", "system", "req/s", "req/core·s", "p50 ms", "p95", "p99", "fetches"):
        table.add_column(heading, justify="left" if heading == "gateway" else "right")
    for heading in ("MB", "own MB", "failed", "core taken by others", "field order"):
        table.add_column(heading, justify="right")
    for each in candidates:
        row = results[each.gateway.name]
        table.add_row(
            each.gateway.name,
            *(f"{figure:.3f}" for figure in (row.cpu, row.user, row.system)),
            *(f"{figure:.0f}" for figure in (row.requests_per_s, row.requests_per_core_s)),
            *(f"{figure:.1f}" for figure in (row.p50, row.p95, row.p99)),
            f"{row.fetches:.2f}",
            f"{row.memory_mb:.0f}",
            f"{row.private_mb:.0f}",
            str(row.failed),
            f"{row.others:.0%}",
            "query" if each.keeps_order else "other",
        )
    console.print(table)
    ours = results.get(_OURS)
    if ours is not None:
        for name, row in results.items():
            if name != _OURS:
                console.print(
                    f"  concord's CPU is {ours.cpu / row.cpu:.3f} of {name}'s (1/{row.cpu / ours.cpu:.1f}), "
                    f"its requests/s {ours.requests_per_s / row.requests_per_s:.1f} times, "
                    f"its p99 {ours.p99 / row.p99:.2f} of it"
                )
    longest = max(row.cpu for row in results.values())
    console.print("\nCPU per request")
    for name, row in sorted(results.items(), key=lambda each: each[1].cpu):
        bar = "█" * max(1, round(row.cpu / longest * _CHART_WIDTH))
        console.print(f"  {name:18} {bar} {row.cpu:.3f} ms", highlight=False)
    bars(chart, f"CPU per request: {title}", {name: row.cpu for name, row in results.items()}, unit="ms", ours=_OURS)
    console.print(f"  drawn in {chart}", highlight=False)
    _print_comparison(console, results, before)


def _print_comparison(console: Console, results: Mapping[str, Row], before: dict[str, Any]) -> None:
    for name, row in results.items():
        earlier = before.get(name)
        if earlier is not None:
            change = row.cpu / earlier["median"]["cpu"] - 1
            console.print(f"  {name}: {change:+.1%} CPU per request since the run before", highlight=False)


def read_results(path: Path) -> dict[str, Any]:
    """Return the gateways of an earlier run's file; empty where there is none."""
    if not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_bytes())["gateways"]
    return found


def write_results(path: Path, options: Mapping[str, Any], rows: Mapping[str, Sequence[Row]]) -> None:
    """Write options, medians and rows of each gateway."""
    gateways = {
        name: {"median": asdict(medians(each)), "rows": [asdict(row) for row in each]} for name, each in rows.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"options": dict(options), "gateways": gateways}, indent=1) + "\n")
