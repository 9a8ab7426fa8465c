"""The federation gateway audit, in process: every suite's operations through the engine, against recorded subgraphs.

    python tests/conformance/audit.py [--suite simple-entity-call] [--composed] [--json] [--verbose]

Data in `audit/` is The Guild's federation-gateway-audit (MIT): one file for each suite.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from gateway.engine import ABSENT, Engine, GraphQLRequest
from gateway.errors import GatewayError, RequestRefused
from gateway.federation.composition import SubgraphSource, compose
from gateway.federation.operation import prepare
from gateway.federation.plan import print_plan
from gateway.federation.planner import Planner
from gateway.federation.supergraph import Supergraph, parse_supergraph

DATA = Path(__file__).parent / "audit"


def _fixture_module() -> Any:
    spec = spec_from_file_location("concord_fixture_subgraph", Path(__file__).parent / "fixture_subgraph.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


fixture_subgraph = _fixture_module()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one test."""

    suite: str
    number: int
    passed: bool
    requests: int
    """Requests to subgraphs."""
    plan_ms: float
    """Cold: parsed and validated already, planner's memory empty."""
    query: str
    expected: Any
    actual: Any
    trace: tuple[str, ...]


def suites() -> list[str]:
    return sorted(path.stem for path in DATA.glob("*.json"))


async def run_suite(name: str, *, composed: bool = False) -> list[Outcome]:
    """Run a suite's tests in order, on the supergraph given or on the one that we compose."""
    suite = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    supergraph = parse_supergraph(_composed(suite) if composed else "\n".join(suite["supergraph"]))
    state: dict[str, Any] = {}
    clients = {
        subgraph: fixture_subgraph.MutationSubgraph(subgraph, "\n".join(each["sdl"]), state)
        if name == "mutations"
        else fixture_subgraph.FixtureSubgraph(subgraph, "\n".join(each["sdl"]), each["fixtures"])
        for subgraph, each in suite["subgraphs"].items()
    }
    engine = Engine(supergraph, clients, planner=Planner(supergraph))
    try:
        return [await _run_test(engine, clients, name, number, test) for number, test in enumerate(suite["tests"])]
    finally:
        engine.close()


async def _run_test(engine: Engine, clients: dict[str, Any], suite: str, number: int, test: dict[str, Any]) -> Outcome:
    for client in clients.values():
        client.requests.clear()
    response = await engine.execute(GraphQLRequest(query=test["query"], variables=test.get("variables") or {}))
    wanted = test["expected"]
    data = None if response.data is ABSENT else response.data
    actual = {"data": data, "errors": list(response.errors)}
    passed = data == wanted.get("data")
    if isinstance(wanted.get("errors"), bool):
        passed = passed and bool(response.errors) is wanted["errors"]
    trace = tuple(
        f"{client.name}: {request.document} {json.dumps(request.variables)}"
        for client in clients.values()
        for request in client.requests
    )
    return Outcome(
        suite, number, passed, len(trace), _plan_time(engine, test["query"]), test["query"], wanted, actual, trace
    )


def _plan_time(engine: Engine, query: str) -> float:
    try:
        operation = prepare(engine.supergraph.api_schema, query)
        planner = Planner(engine.supergraph)
        start = time.perf_counter()
        planner.plan(operation)
    except (GatewayError, RequestRefused):
        return 0.0
    return (time.perf_counter() - start) * 1000


def plans(name: str) -> tuple[list[str], list[str]]:
    """Return the texts of a suite's plans on the given supergraph, and on the one that we compose."""
    suite = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    found: list[list[str]] = []
    for sdl in ("\n".join(suite["supergraph"]), _composed(suite)):
        supergraph = parse_supergraph(sdl)
        found.append([_plan_text(supergraph, test["query"]) for test in suite["tests"]])
    return found[0], found[1]


def _composed(suite: dict[str, Any]) -> str:
    sources = [SubgraphSource(each, "http://x", "\n".join(of["sdl"])) for each, of in suite["subgraphs"].items()]
    composed = compose(sources).supergraph_sdl
    assert composed is not None
    return composed


def _plan_text(supergraph: Supergraph, query: str) -> str:
    try:
        return print_plan(Planner(supergraph).plan(prepare(supergraph.api_schema, query)))
    except (GatewayError, RequestRefused) as error:
        return str(error)


async def run(names: list[str], *, composed: bool = False) -> list[Outcome]:
    return [outcome for name in names for outcome in await run_suite(name, composed=composed)]


def _report(outcomes: list[Outcome], *, verbose: bool) -> Iterator[str]:
    by_suite: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_suite.setdefault(outcome.suite, []).append(outcome)
    width = max(map(len, by_suite), default=0)
    yield f"{'suite'.ljust(width)}  passed  requests  plan ms"
    for suite, found in by_suite.items():
        passed = f"{sum(each.passed for each in found)}/{len(found)}"
        slowest = max(each.plan_ms for each in found)
        yield f"{suite.ljust(width)}  {passed:>6}  {sum(each.requests for each in found):8}  {slowest:7.1f}"
    times = sorted(each.plan_ms for each in outcomes if each.plan_ms)
    total = f"{sum(each.passed for each in outcomes)}/{len(outcomes)}"
    median = times[len(times) // 2] if times else 0.0
    yield f"{'total'.ljust(width)}  {total:>6}  {sum(each.requests for each in outcomes):8}  median {median:.1f}"
    for outcome in outcomes if verbose else ():
        if not outcome.passed:
            yield f"\n{outcome.suite} {outcome.number}: {' '.join(outcome.query.split())}"
            yield f"  expected {json.dumps(outcome.expected)}"
            yield f"  actual   {json.dumps(outcome.actual)}"
            yield from (f"  {line}" for line in outcome.trace)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--suite", action="append", choices=suites(), metavar="NAME", help="only this suite; repeatable"
    )
    parser.add_argument(
        "--composed", action="store_true", help="on supergraphs that we compose of the suites' subgraphs"
    )
    parser.add_argument("--json", action="store_true", help="print outcomes as JSON")
    parser.add_argument("--verbose", action="store_true", help="show what failed, with every request")
    options = parser.parse_args()
    outcomes = asyncio.run(run(options.suite or suites(), composed=options.composed))
    if options.json:
        print(json.dumps([asdict(outcome) for outcome in outcomes], indent=1))
    else:
        print("\n".join(_report(outcomes, verbose=options.verbose)))
    return 0 if all(outcome.passed for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
