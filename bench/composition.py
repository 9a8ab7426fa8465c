"""`python -m bench.composition`: how long composition takes, against the size of the graph."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bench.figures import compare_and_keep
from bench.workplace import PLACE
from gateway.federation.composition import SubgraphSource, compose

SIZES = ((1, 20), (5, 100), (10, 200), (20, 400), (50, 1000), (100, 2500), (200, 5000))
"""Subgraphs and entity types."""

_SHARED = """
extend schema @link(url: "https://specs.apollo.dev/federation/v2.11", import: ["@key", "@shareable", "@external", "@requires"])
interface Node { id: ID! }
type Money @shareable { amount: String! currency: Currency! }
type PageInfo @shareable { hasNextPage: Boolean! endCursor: String }
enum Currency { EUR USD GBP }
input Page { first: Int = 50 after: String }
"""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one graph cost."""

    subgraphs: int
    types: int
    sdl_kb: float
    """Of the subgraphs together."""
    cpu_s: float


def draw_graph(subgraphs: int, types: int) -> tuple[SubgraphSource, ...]:
    """Entities spread over subgraphs, as a company's would be.

    Each entity starts in one subgraph and gets fields from the next one, a quarter of them with `@requires`; it leads to
    an entity of its own subgraph and to one of another. Every subgraph has the same interface and value types.
    """
    documents: list[list[str]] = [[_SHARED] for _ in range(subgraphs)]
    for number in range(types):
        home, guest = number % subgraphs, (number + 1) % subgraphs
        beside, beyond = (number + subgraphs) % types, (number + 1) % types
        documents[home].append(
            f'"""What the company knows about T{number}."""\n'
            f'type T{number} implements Node @key(fields: "id") {{ id: ID! name(upper: Boolean = false): String! size: Int '
            f"price: Money list(page: Page): T{number}List! beside: T{beside} beyond: T{beyond} }}\n"
            f"type T{number}List {{ items: [T{number}!]! pageInfo: PageInfo! }}\n"
            f"extend type Query {{ t{number}(id: ID!): T{number} }}"
        )
        if home != beyond % subgraphs and beyond != beside:
            documents[home].append(f'type T{beyond} @key(fields: "id", resolvable: false) {{ id: ID! }}')
        if guest != home:
            requires = (' @requires(fields: "size")', " size: Int @external") if number % 4 == 0 else ("", "")
            documents[guest].append(
                f'extend type T{number} @key(fields: "id") {{ id: ID!{requires[1]} weight: Float{requires[0]} cost: Money }}'
            )
    return tuple(
        SubgraphSource(f"s{index:03}", f"http://s{index:03}.example/graphql", "\n".join(parts))
        for index, parts in enumerate(documents)
    )


def measure_composition(subgraphs: int, types: int) -> Measurement:
    """Compose one drawn graph; CPU seconds, so that neighbours on the machine don't count."""
    sources = draw_graph(subgraphs, types)
    gc.collect()  # what the graph before left behind
    start = time.process_time()
    composed = compose(sources)
    cpu_s = time.process_time() - start
    if composed.supergraph_sdl is None:
        raise SystemExit(f"{subgraphs} subgraphs with {types} types do not compose: {composed.errors[0].message}")
    size = sum(len(source.sdl) for source in sources) / 1000
    return Measurement(subgraphs, types, size, cpu_s)


def _measurements(limit: int) -> Iterator[Measurement]:
    measure_composition(*SIZES[0])  # what is built once, on first use, is not what is measured
    for subgraphs, types in SIZES:
        if types <= limit:
            yield measure_composition(subgraphs, types)


def main(
    limit: Annotated[int, typer.Option(help="Leave out graphs with more types.")] = 5000,
) -> None:
    """Print seconds of CPU for graphs up to 200 subgraphs and 5,000 entity types."""
    table = Table(title="Composition, one core", title_justify="left")
    for heading in ("subgraphs", "types", "SDL KB", "CPU s", "ms per type", "growth"):
        table.add_column(heading, justify="right")
    before: Measurement | None = None
    figures: dict[str, dict[str, float]] = {}
    for row in _measurements(limit):
        growth = f"{(row.cpu_s / before.cpu_s) / (row.types / before.types):.2f}" if before else ""
        table.add_row(
            str(row.subgraphs),
            str(row.types),
            f"{row.sdl_kb:.0f}",
            f"{row.cpu_s:.2f}",
            f"{1000 * row.cpu_s / row.types:.2f}",
            growth,
        )
        before = row
        figures[f"{row.subgraphs} subgraphs, {row.types} types"] = {"CPU s": row.cpu_s}
    console = Console(width=110)
    console.print(table)
    console.print("growth: how much more one type costs than in the row above; 1.00 is linear.")
    compare_and_keep(PLACE / "results/composition.json", {}, figures, watched="CPU s")


if __name__ == "__main__":
    typer.run(main)
