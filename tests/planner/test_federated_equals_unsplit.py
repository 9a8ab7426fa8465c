"""The law of federation: however a graph is split over subgraphs, an operation's answer is that of the unsplit graph."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from graphql import build_schema, validate
from graphql import parse as parse_document

from gateway.access.limits import Limits
from gateway.engine import Engine, EngineLimits, GraphQLRequest
from gateway.federation.composition import SubgraphSource, compose
from gateway.federation.planner import Planner
from gateway.federation.supergraph import parse_supergraph

TESTS = Path(__file__).parent.parent


def _load(path: Path) -> ModuleType:
    name = f"concord_law_{path.stem}"
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


records_module = _load(TESTS / "cases" / "records.py")
fixture_module = _load(TESTS / "conformance" / "fixture_subgraph.py")
random_module = _load(Path(__file__).parent / "random_graph.py")


async def check(seed: int, operations: int = 4) -> int:
    """Make a graph from a seed, ask it some operations, and return how many could be compared."""
    graph = random_module.RandomGraph(seed)
    sources = {name: graph.sdl(name) for name in graph.subgraphs}
    sources = {name: sdl for name, sdl in sources.items() if "@key(" in sdl}
    composition = compose([SubgraphSource(name, f"http://{name}", sdl) for name, sdl in sources.items()])
    if composition.supergraph_sdl is None:
        return 0
    supergraph = parse_supergraph(composition.supergraph_sdl)
    unsplit = build_schema(graph.sdl(None), assume_valid=True)
    records = records_module.Records(graph.data)
    clients = {
        name: records_module.PageSubgraph(fixture_module.subgraph_schema(sdl), records) for name, sdl in sources.items()
    }
    limits = EngineLimits(
        document=Limits(aliases=10_000, fields=10_000, directives=10_000, tokens=100_000, characters=1_000_000)
    )
    engine = Engine(supergraph, clients, planner=Planner(supergraph), limits=limits)
    compared = 0
    try:
        for _ in range(operations):
            text = graph.operation()
            if validate(unsplit, parse_document(text)):
                continue
            response = await engine.execute(GraphQLRequest(query=text))
            resolver = records_module.Resolver(records, is_subgraph=False)
            expected: Any = records_module.answer(unsplit, resolver, text, {})
            assert (response.data, bool(response.errors)) == (expected["data"], "errors" in expected), (seed, text)
            compared += 1
    finally:
        engine.close()
    return compared


@pytest.mark.parametrize("block", range(4))
async def test_federated_equals_unsplit(block: int) -> None:
    compared = 0
    for seed in range(block * 25, block * 25 + 25):
        compared += await check(seed)
    assert compared > 25
