"""Every page in this folder: compose, plan, execute, compare. CONCORD_UPDATE_CASES=1 writes what was found."""

from __future__ import annotations

import json
import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from graphql import build_schema

from gateway.engine import ABSENT, Engine, GraphQLRequest
from gateway.errors import RequestRefused
from gateway.federation.composition import SubgraphSource, compose
from gateway.federation.operation import Operation, prepare
from gateway.federation.plan import OperationKind, QueryPlan, print_plan
from gateway.federation.planner import Planner
from gateway.federation.supergraph import Supergraph, parse_supergraph

HERE = Path(__file__).parent
PAGES = sorted(HERE.glob("*.md"))
IS_UPDATING = os.environ.get("CONCORD_UPDATE_CASES") == "1"


def _load(path: Path) -> ModuleType:
    name = f"concord_cases_{path.stem}"
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


page_module = _load(HERE / "page.py")
records_module = _load(HERE / "records.py")
fixture_module = _load(HERE.parent / "conformance" / "fixture_subgraph.py")


class _Labelled:
    """A planner that was told the active labels."""

    def __init__(self, planner: Planner, labels: frozenset[str]) -> None:
        self._planner = planner
        self._labels = labels

    def plan(self, operation: Operation, active_labels: frozenset[str] = frozenset()) -> QueryPlan:
        return self._planner.plan(operation, active_labels | self._labels)


def _supergraph(page: Any) -> Supergraph:
    if page.supergraph is not None:
        return parse_supergraph(page.supergraph)
    composition = compose([SubgraphSource(name, f"http://{name}", sdl) for name, sdl in page.subgraphs.items()])
    assert composition.supergraph_sdl is not None, composition.errors
    return parse_supergraph(composition.supergraph_sdl)


def _plan(planner: _Labelled, supergraph: Supergraph, text: str) -> tuple[str, bool]:
    """Return the plan's text, and whether the operation is a subscription."""
    try:
        operation = prepare(supergraph.api_schema, text)
    except RequestRefused:
        return "refused\n", False
    return print_plan(planner.plan(operation)), operation.kind is OperationKind.SUBSCRIPTION


async def _respond(engine: Engine, asked: Any) -> dict[str, Any]:
    response = await engine.execute(GraphQLRequest(query=asked.text, variables=asked.variables))
    answer: dict[str, Any] = {} if response.data is ABSENT else {"data": response.data}
    if response.errors:
        answer["errors"] = [
            {**error, "extensions": {k: v for k, v in error["extensions"].items() if k != "correlationId"}}
            for error in response.errors
        ]
    return answer


def _unsplit(page: Any, asked: Any, records: Any) -> Any:
    schema = build_schema(page.schema, assume_valid=True)
    resolver = records_module.Resolver(records, is_subgraph=False)
    return records_module.answer(schema, resolver, asked.text, asked.variables)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
async def test_page(path: Path) -> None:
    page = page_module.read_page(path)
    supergraph = _supergraph(page)
    planner = Planner(supergraph)
    records = records_module.Records(page.data)
    clients = {
        name: records_module.PageSubgraph(fixture_module.subgraph_schema(sdl), records)
        for name, sdl in page.subgraphs.items()
    }
    found: list[tuple[str, Any]] = []
    for asked in page.asked:
        labelled = _Labelled(planner, asked.labels)
        engine = Engine(supergraph, clients, planner=labelled)
        try:
            plan, is_stream = _plan(labelled, supergraph, asked.text)
            response = None if is_stream else await _respond(engine, asked)
        finally:
            engine.close()
        codes = [error["extensions"]["code"] for error in (response or {}).get("errors", ())]
        assert "INTERNAL_SERVER_ERROR" not in codes, asked.title
        found.append((plan, response))
        if page.schema is not None and response is not None and "data" in response:
            # As text, since the order of fields is part of an answer.
            assert json.dumps(response["data"]) == json.dumps(_unsplit(page, asked, records)["data"]), asked.title
    if IS_UPDATING:
        page_module.write_answers(path, found)
        page = page_module.read_page(path)
    assert [(asked.plan, asked.response) for asked in page.asked] == found
