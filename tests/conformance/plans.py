"""Our plans beside other gateways': requests and depth for the audit, the benchmark and our own documents.

    python tests/conformance/plans.py [--suite NAME | --random COUNT [--seed N]] [--worse] [--json]

`@apollo/query-planner` and `@graphql-hive/router-query-planner` come from npm (`make install-test` installs them) and run in a
process of their own. A figure is the worst over all values of the plan's Boolean variables: how many requests, and how
many of them one after another.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from gateway.errors import GatewayError, RequestRefused
from gateway.federation.composition import SubgraphSource, compose
from gateway.federation.operation import prepare
from gateway.federation.plan import plan_to_json
from gateway.federation.planner import Planner
from gateway.federation.supergraph import parse_supergraph

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.append(str(HERE.parent / "systems"))

from third_party import PLANNERS, required  # noqa: E402 - a script finds it by that path

SCRIPTS = HERE / "planners"

Json = dict[str, Any]
_MOST_VARIABLES = 6


@dataclass(frozen=True, slots=True)
class Asked:
    """Operations over one supergraph."""

    suite: str
    supergraph: str
    operations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Size:
    """What a plan costs, or why there is none."""

    requests: int = 0
    depth: int = 0
    error: str | None = None
    is_invalid: bool = False
    """Whether the operation is refused by the specification's rules: then another planner's plan means nothing."""

    def __str__(self) -> str:
        if self.error is not None:
            return "invalid" if self.is_invalid else "-"
        return f"{self.requests}/{self.depth}"


@dataclass(frozen=True, slots=True)
class Compared:
    """One operation's plan by three planners."""

    suite: str
    number: int
    ours: Size
    apollo: Size
    hive: Size
    query: str

    @property
    def best(self) -> tuple[int, int] | None:
        """The fewest requests and the least depth of the others' plans; None where neither asks anybody."""
        others = [size for size in (self.apollo, self.hive) if size.error is None and size.requests]
        return (min(size.requests for size in others), min(size.depth for size in others)) if others else None

    @property
    def is_worse(self) -> bool:
        """Whether another planner needs fewer requests, or fewer in a row."""
        if self.best is None or self.ours.is_invalid:
            return False
        return self.ours.error is not None or self.ours.requests > self.best[0] or self.ours.depth > self.best[1]

    @property
    def is_better(self) -> bool:
        """Whether ours is smaller than the best of both others in one figure and larger in none."""
        return (
            self.best is not None
            and self.ours.error is None
            and not self.is_worse
            and (self.ours.requests < self.best[0] or self.ours.depth < self.best[1])
        )


def asked(names: Iterable[str] | None = None) -> list[Asked]:
    """Return all operations to plan, or those of some suites."""
    found = [*_audit(), _benchmark(), _documents()]
    wanted = set(names or ())
    return [each for each in found if not wanted or each.suite in wanted]


def _audit() -> Iterator[Asked]:
    for path in sorted((HERE / "audit").glob("*.json")):
        suite = json.loads(path.read_text(encoding="utf-8"))
        yield Asked(path.stem, "\n".join(suite["supergraph"]), tuple(test["query"] for test in suite["tests"]))


def _benchmark() -> Asked:
    folder = ROOT / "bench"
    subgraphs = sorted((folder / "subgraphs").glob("*.graphql"))
    composed = compose([SubgraphSource(p.stem, f"http://{p.stem}", p.read_text(encoding="utf-8")) for p in subgraphs])
    assert composed.supergraph_sdl is not None, composed.errors
    queries = sorted((folder / "queries").glob("*.graphql"))
    return Asked("bench", composed.supergraph_sdl, tuple(path.read_text(encoding="utf-8") for path in queries))


def _documents() -> Asked:
    folder = ROOT / "schema"
    documents = sorted((folder / "documents").glob("*.graphql"))
    sdl = (folder / "supergraph.graphql").read_text(encoding="utf-8")
    return Asked("documents", sdl, tuple(path.read_text(encoding="utf-8") for path in documents))


def asked_at_random(seed: int, count: int) -> list[Asked]:
    """Return operations on random graphs: only queries, since others run what follows a mutation after the next one."""
    sys.path[:0] = [str(HERE.parent / "properties"), str(HERE)]
    from draw_graph import GraphDraw, SeededDice
    from draw_operation import OperationDraw
    from honest_world import whole_schema

    found: list[Asked] = []
    for number in range(seed, seed + count):
        dice = SeededDice(number)
        graph = GraphDraw(dice).run()
        unsplit = whole_schema(graph)
        composed = compose(
            [SubgraphSource(name, f"http://{name}", graph.subgraph_sdl(name)) for name in graph.subgraphs]
        )
        assert composed.supergraph_sdl is not None, composed.errors
        drawn = [OperationDraw(dice, unsplit).run().text for _ in range(4)]
        queries = tuple(text for text in drawn if not text.startswith("mutation"))
        found.append(Asked(f"random {number}", composed.supergraph_sdl, queries))
    return found


def compare(cases: Sequence[Asked], *, only_apollo: bool = False) -> list[Compared]:
    """Plan everything thrice. Needs node, and the other planners installed."""
    others = plan_elsewhere(cases, only_apollo=only_apollo)
    compared: list[Compared] = []
    for case, theirs in zip(cases, others, strict=True):
        for number, (query, ours, found) in enumerate(zip(case.operations, plan_here(case), theirs, strict=True)):
            sizes = {name: size_of(plan) for name, plan in found.items()}
            compared.append(Compared(case.suite, number, size_of(ours), sizes["apollo"], sizes["hive"], query))
    return compared


def plan_here(case: Asked) -> list[Json | None]:
    """Plan operations with our planner."""
    supergraph = parse_supergraph(case.supergraph)
    planner = Planner(supergraph)
    found: list[Json | None] = []
    for query in case.operations:
        try:
            planned = plan_to_json(planner.plan(prepare(supergraph.api_schema, query)))["root"]
        except RequestRefused as refused:
            planned = {"error": str(refused), "invalid": True}
        except GatewayError as refused:
            planned = {"error": str(refused)}
        found.append(_simplified(planned))
    return found


def plan_elsewhere(cases: Sequence[Asked], *, only_apollo: bool = False) -> list[list[dict[str, Json | None]]]:
    """Plan operations with the planners from npm, in one process for all."""
    home = required(PLANNERS)
    done = subprocess.run(
        ["node", str(SCRIPTS / "plan.mjs"), str(home), *(["apollo"] if only_apollo else [])],
        input=json.dumps([asdict(case) for case in cases]),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
    found: list[list[dict[str, Json | None]]] = json.loads(done.stdout)
    return found


def _simplified(node: Any) -> Json | None:
    """Return one of our plans as the others' are given: fetch, sequence, parallel and condition."""
    match node:
        case None | {"error": str()}:
            return node
        case {"kind": "RootFetch" | "EntityFetch" as kind}:
            paths = [path for each in node.get("inputs", ()) for path in each["paths"]]
            at = {"paths": paths} if kind == "EntityFetch" else {}
            return {"kind": "fetch", "subgraph": node["subgraph"], "document": node["document"], **at}
        case {"kind": "Sequence" | "Parallel" as kind, "nodes": nodes}:
            return {"kind": kind.lower(), "nodes": [_simplified(each) for each in nodes]}
        case {"kind": "Condition", "variable": variable}:
            sides = {"ifTrue": _simplified(node["ifTrue"]), "ifFalse": _simplified(node["ifFalse"])}
            return {"kind": "condition", "variable": variable, **sides}
        case {"kind": "Subscription"}:
            nodes = [_simplified(node["primary"]), _simplified(node["rest"])]
            return {"kind": "sequence", "nodes": [each for each in nodes if each is not None]}
    raise ValueError(node)


def size_of(plan: Json | None) -> Size:
    """Measure a plan."""
    if plan is not None and "error" in plan:
        return Size(error=plan["error"], is_invalid=plan.get("invalid", False))
    variables = sorted(set(_variables(plan)))[:_MOST_VARIABLES]
    sizes = [
        _measure(plan, dict(zip(variables, values, strict=True)))
        for values in product((True, False), repeat=len(variables))
    ]
    return Size(max(requests for requests, _ in sizes), max(depth for _, depth in sizes))


def _variables(node: Json | None) -> Iterator[str]:
    if node is None:
        return
    if node["kind"] == "condition":
        yield node["variable"]
    for below in (*node.get("nodes", ()), node.get("ifTrue"), node.get("ifFalse")):
        yield from _variables(below)


def _measure(node: Json | None, values: Mapping[str, bool]) -> tuple[int, int]:
    match node:
        case None:
            return 0, 0
        case {"kind": "fetch"}:
            return 1, 1
        case {"kind": "condition", "variable": variable}:
            return _measure(node["ifTrue" if values.get(variable, True) else "ifFalse"], values)
        case {"kind": kind, "nodes": nodes}:
            parts = [_measure(each, values) for each in nodes]
            depths = [depth for _, depth in parts]
            depth = sum(depths) if kind == "sequence" else max(depths, default=0)
            return sum(requests for requests, _ in parts), depth
    raise ValueError(node)


def _report(found: Sequence[Compared], *, only_worse: bool) -> Iterator[str]:
    width = max((len(each.suite) for each in found), default=0) + 4
    yield f"{'operation'.ljust(width)}     ours   apollo     hive   requests/depth"
    for each in found:
        verdict = "worse" if each.is_worse else "better" if each.is_better else ""
        if not only_worse or each.is_worse:
            name = f"{each.suite} {each.number}".ljust(width)
            yield f"{name} {each.ours!s:>8} {each.apollo!s:>8} {each.hive!s:>8}   {verdict}".rstrip()
    for name in ("apollo", "hive"):
        both = [
            (each.ours, getattr(each, name))
            for each in found
            if getattr(each, name).error is None and each.ours.error is None
        ]
        ours, theirs = sum(one.requests for one, _ in both), sum(other.requests for _, other in both)
        deep, deeper = sum(one.depth for one, _ in both), sum(other.depth for _, other in both)
        yield f"{len(both)} operations that we and {name} plan: requests {ours} to its {theirs}, depths {deep} to its {deeper}"
    worse, better = sum(each.is_worse for each in found), sum(each.is_better for each in found)
    yield f"{len(found)} operations: {worse} worse than the best of both, {better} better"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", action="append", metavar="NAME", help="only this suite; repeatable")
    parser.add_argument("--random", type=int, metavar="COUNT", help="operations on so many random graphs instead")
    parser.add_argument("--seed", type=int, default=0, help="the first random graph")
    parser.add_argument("--worse", action="store_true", help="only operations where another plan is smaller")
    parser.add_argument("--json", action="store_true", help="print figures as JSON")
    options = parser.parse_args()
    cases = asked_at_random(options.seed, options.random) if options.random else asked(options.suite)
    found = compare(cases, only_apollo=bool(options.random))
    if options.json:
        print(json.dumps([asdict(each) for each in found], indent=1))
    else:
        print("\n".join(_report(found, only_worse=options.worse)))
    return 1 if any(each.is_worse for each in found) else 0


if __name__ == "__main__":
    sys.exit(main())
