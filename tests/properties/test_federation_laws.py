"""The law of federation: however a graph is split over subgraphs, each operation's answer is that of the unsplit graph.

CONCORD_PROPERTY_EXAMPLES sets how many graphs are drawn; above the default they differ from run to run (`make nightly`).
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from draw_graph import Dice, split_graphs
from draw_operation import Asked, OperationDraw
from graph_page import page_text
from graphql import GraphQLSchema, parse, print_ast, validate
from honest_world import HonestSubgraph, World, whole_answer, whole_schema
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from split_graph import SplitGraph

from gateway.access.limits import Limits
from gateway.engine import ABSENT, Engine, EngineLimits, GraphQLRequest, GraphQLResponse
from gateway.federation.composition import SubgraphSource, compose
from gateway.federation.operation import prepare
from gateway.federation.plan import print_plan
from gateway.federation.planner import Planner
from gateway.federation.supergraph import Supergraph, parse_supergraph

FEW = 250
EXAMPLES = int(os.environ.get("CONCORD_PROPERTY_EXAMPLES", FEW))
LAW = settings(
    max_examples=EXAMPLES,
    derandomize=EXAMPLES == FEW,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
_LIMITS = EngineLimits(
    reported_errors=10_000,
    document=Limits(
        characters=10**6,
        tokens=10**5,
        depth=40,
        aliases=1_000,
        fields=10**5,
        directives=1_000,
        root_fields=1_000,
        mutation_root_fields=1_000,
    ),
)


@dataclass(slots=True)
class Split:
    """A drawn graph with its data and what composition made of it; shown as the case page it would be."""

    graph: SplitGraph
    world: World
    sources: dict[str, str]
    unsplit: GraphQLSchema
    operations: list[Asked]

    def __repr__(self) -> str:
        return "\n" + page_text(self.graph.unsplit_sdl(), self.sources, self.world.data, self.operations)

    def _repr_pretty_(self, printer: Any, is_cycle: bool) -> None:
        printer.text(repr(self))


@st.composite
def splits(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Split:
    graph = draw(split_graphs())
    dice = Dice(draw)
    world = World(graph, dice.count(0, 10_000), nulls=dice.chance(60), errors=dice.chance(60))
    unsplit = whole_schema(graph)
    sources = {name: graph.subgraph_sdl(name) for name in graph.subgraphs}
    asked = [OperationDraw(dice, unsplit).run() for _ in range(dice.count(1, 3))]
    return Split(graph, world, sources, unsplit, asked)


def composed(sources: dict[str, str]) -> str:
    composition = compose([SubgraphSource(name, f"http://{name}", sdl) for name, sdl in sources.items()])
    assert composition.supergraph_sdl is not None, [(each.code, each.message) for each in composition.errors]
    return composition.supergraph_sdl


def null_places(data: Any, errors: Any) -> set[tuple[str | int, ...]]:
    """Return the places of the nulls that errors explain: of each path, what of it is in the data.

    A gateway also tells, at the object that needed it, of a field that only it asked for; what requires a nullable field
    goes on without it.
    """
    places: set[tuple[str | int, ...]] = set()
    for error in errors:
        value, place = data, ()
        for step in error["path"]:
            if value is None:
                break
            value = value[step]
            place = (*place, step)
        assert value is None or isinstance(value, dict), error
        if value is None:
            places.add(place)
    return places


def compare(split: Split, asked: Asked, response: GraphQLResponse) -> None:
    expected = whole_answer(split.world, split.unsplit, asked.text, asked.variables)
    assert response.data is not ABSENT, (asked, response.errors)
    found = (json.dumps(response.data), response.errors)
    assert found[0] == json.dumps(expected["data"]), (asked, found, expected)
    wanted = null_places(expected["data"], expected.get("errors", ()))
    assert null_places(response.data, response.errors) == wanted, (asked, found, expected)
    assert not {e["extensions"]["code"] for e in response.errors} - {"SYSTEM_ERROR", "SYSTEM_BAD_RESPONSE"}


async def ask(split: Split, supergraph: Supergraph) -> None:
    clients = {name: HonestSubgraph(name, sdl, split.world) for name, sdl in split.sources.items()}
    engine = Engine(supergraph, clients, planner=Planner(supergraph), limits=_LIMITS)
    try:
        for asked in split.operations:
            assert not validate(split.unsplit, parse(asked.text)), asked
            split.world.bumped = 0
            response = await engine.execute(GraphQLRequest(query=asked.text, variables=asked.variables))
            assert not split.world.breaches, (asked, split.world.breaches)
            compare(split, asked, response)
    finally:
        engine.close()


@LAW
@given(splits())
def test_a_split_graph_answers_as_the_unsplit_one(split: Split) -> None:
    asyncio.run(ask(split, parse_supergraph(composed(split.sources))))


@settings(LAW, max_examples=EXAMPLES // 5)
@given(splits())
def test_composition_and_plans_are_the_same_each_time(split: Split) -> None:
    sdl = composed(split.sources)
    assert composed(split.sources) == sdl
    assert print_ast(parse(print_ast(parse(sdl)))) == print_ast(parse(sdl))
    again = composed(dict(reversed(split.sources.items())))
    assert in_order(again) == in_order(sdl)
    one, other = parse_supergraph(sdl), parse_supergraph(print_ast(parse(sdl)))
    for asked in split.operations:
        plans = {
            print_plan(Planner(supergraph).plan(prepare(supergraph.api_schema, asked.text)))
            for supergraph in (one, one, other)
        }
        assert len(plans) == 1


def in_order(sdl: str) -> list[str]:
    """Return a schema's words, whatever their order."""
    return sorted(sdl.replace(",", " ").split())
