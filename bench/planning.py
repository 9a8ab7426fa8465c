"""`python -m bench.planning`: planning time against size, for operations and graphs that are made to be hard."""

from __future__ import annotations

import gc
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from bench.figures import compare_and_keep
from bench.hard_operations import FAMILIES, Family
from bench.workplace import PLACE
from gateway.errors import GatewayError
from gateway.federation.composition import SubgraphSource, compose
from gateway.federation.operation import Operation, prepare
from gateway.federation.planner import Planner
from gateway.federation.supergraph import parse_supergraph

_LINK = (
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", '
    'import: ["@key", "@shareable", "@external", "@requires"])\n'
)
_ENOUGH_S = 0.3
"""What takes less is measured again, and the least counts."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One operation over one graph. CPU milliseconds, so that neighbours on the machine don't count."""

    family: str
    size: int
    characters: int
    """Of the operation's text."""
    read_ms: float
    """The supergraph's text → supergraph."""
    cold_ms: float
    """Operation → plan, by a planner that has seen nothing of the graph."""
    warm_ms: float
    """The same again."""
    code: str | None
    """Where planning is refused."""


def measure(family: Family) -> Iterator[Measurement]:
    """Measure one family, smallest first."""
    fixed = _compose(family, family.sizes[0]) if family.is_fixed else None
    for size in family.sizes:
        sdl = fixed or _compose(family, size)
        read_ms, supergraph = _least(lambda sdl=sdl: parse_supergraph(sdl))  # type: ignore[misc]  # bound at once
        text = family.operation(size)
        operation = prepare(supergraph.api_schema, text)
        cold_ms, (planner, code) = _least(lambda: _plan(Planner(supergraph), operation))  # noqa: B023 - called at once
        warm_ms, _ = _least(lambda: _plan(planner, operation))  # noqa: B023 - called at once
        yield Measurement(family.name, size, len(text), read_ms, cold_ms, warm_ms, code)


def _compose(family: Family, size: int) -> str:
    sources = [
        SubgraphSource(n, f"http://{n}", s if "@link" in s else _LINK + s) for n, s in family.graph(size).items()
    ]
    composed = compose(sources)
    if composed.supergraph_sdl is None:
        raise SystemExit(f"{family.name} {size} does not compose: {composed.errors[0].message}")
    return composed.supergraph_sdl


def _plan(planner: Planner, operation: Operation) -> tuple[Planner, str | None]:
    try:
        planner.plan(operation)
    except GatewayError as refused:
        return planner, refused.code
    return planner, None


T = TypeVar("T")


def _least(run: Callable[[], T]) -> tuple[float, T]:
    """Return the least time of a few runs, and what the last one returned."""
    spent, least = 0.0, math.inf
    while True:
        gc.collect()
        start = time.process_time()
        found = run()
        took = time.process_time() - start
        spent, least = spent + took, min(least, took)
        if spent > _ENOUGH_S or least * 20 < spent:
            return least * 1000, found


def exponent(points: Sequence[tuple[float, float]]) -> float | None:
    """Return the slope of log y over log x: 1 where y grows as x does."""
    logs = [(math.log(x), math.log(y)) for x, y in points if x > 0 and y > 0]
    if len(logs) < 2:
        return None
    mean_x, mean_y = (sum(each[axis] for each in logs) / len(logs) for axis in (0, 1))
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / sum((x - mean_x) ** 2 for x, _ in logs)


def main(
    only: Annotated[list[str] | None, typer.Option(help="Only this family; repeatable.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Time the planner on operations and graphs that are made to be hard.

    The exponent is the slope of log(cold time) over log(size), fitted to the larger half of the sizes that were planned.
    """
    console = Console(width=110, stderr=as_json)
    found: list[Measurement] = []
    for family in FAMILIES:
        if not only or family.name in only:
            measured = list(measure(family))
            found += measured
            console.print(_table(family, measured))
    figures = {f"{each.family} {each.size}": {"plan ms": each.cold_ms} for each in found}
    compare_and_keep(PLACE / "results/planning.json", {}, figures, watched="plan ms", console=console)
    if as_json:
        print(json.dumps([asdict(each) for each in found], indent=1))


def _table(family: Family, measured: Sequence[Measurement]) -> Table:
    planned = [(each.size, each.cold_ms) for each in measured if each.code is None]
    slope = exponent(planned[len(planned) // 2 - 1 :]) if len(planned) > 1 else None
    told = "" if slope is None else f", exponent {slope:.2f}"
    table = Table(title=f"{family.name}: {family.grows}{told}", title_justify="left")
    for heading in ("size", "characters", "read ms", "plan ms", "again ms", "refused"):
        table.add_column(heading, justify="right")
    for each in measured:
        figures = (f"{each.read_ms:.0f}", f"{each.cold_ms:.1f}", f"{each.warm_ms:.1f}")
        table.add_row(str(each.size), str(each.characters), *figures, each.code or "")
    return table


if __name__ == "__main__":
    typer.run(main)
