"""Figures of a run, kept as JSON beside those of the run before, and what changed since."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from rich.console import Console

Figures: TypeAlias = Mapping[str, Mapping[str, float]]
"""Row → figure → value: `{"customer_view hot": {"gateway ms": 1.2, "p50 ms": 9.5}}`."""

NOTABLE = 0.1
"""Changes below this are noise on a machine that others use too."""


def compare_and_keep(
    path: Path, options: Mapping[str, object], figures: Figures, *, watched: str, console: Console | None = None
) -> None:
    """Print how much the watched figure of each row changed since the run before, and write this run in its place.

    A run with other options is no run before: nothing is compared with it.
    """
    console = console or Console(width=120, highlight=False)
    before = _read(path, options)
    for row, values in figures.items():
        old, new = before.get(row, {}).get(watched), values.get(watched)
        if old and new is not None:
            change = new / old - 1
            mark = "" if abs(change) < NOTABLE else " ▲" if change > 0 else " ▼"
            console.print(f"  {row}: {change:+.0%} {watched} since the run before{mark}")
    path.parent.mkdir(parents=True, exist_ok=True)
    # What this run left out stays as it was.
    kept = {**before, **figures}
    path.write_text(json.dumps({"options": options, "figures": kept}, indent=1) + "\n")
    console.print(f"Figures: {path}")


def _read(path: Path, options: Mapping[str, object]) -> Figures:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict) or content.get("options") != json.loads(json.dumps(options)):
        return {}
    found: Figures = content.get("figures", {})
    return found
