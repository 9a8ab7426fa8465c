"""Compares our composition with Apollo's on 585 cases: verdict, set of error codes, meaning of the supergraph.

python tests/composition/conformance.py [--case ID] [--json] [--quick]
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from graphql import (  # noqa: E402
    DirectiveDefinitionNode,
    ListValueNode,
    Node,
    ObjectValueNode,
    SchemaDefinitionNode,
    StringValueNode,
    ValueNode,
    parse,
    print_ast,
)

from gateway.federation.composition import Composition, SubgraphSource, compose  # noqa: E402

DATA = Path(__file__).parent / "data" / "cases.json.gz"
CRASHED = {"THROWN", None}
DEFAULTS = {("join__type", "resolvable", "true"), ("join__type", "extension", "false")}


@dataclass(frozen=True, slots=True)
class Case:
    id: int
    test: str
    subgraphs: tuple[SubgraphSource, ...]
    codes: tuple[str | None, ...]
    supergraph: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    id: int
    test: str
    expected: tuple[str, ...]
    actual: tuple[str, ...]
    verdict: bool
    codes: bool
    differences: tuple[str, ...]
    """Elements of the supergraph that mean something else than the reference's."""


@cache
def load_cases() -> tuple[Case, ...]:
    rows = json.loads(gzip.decompress(DATA.read_bytes()))
    return tuple(
        Case(
            row["id"],
            row["test"],
            tuple(SubgraphSource(each["name"], each.get("url") or "", each["sdl"]) for each in row["subgraphs"]),
            tuple(row["codes"] or ()),
            row["supergraph"],
        )
        for row in rows
    )


def run_case(case: Case) -> Outcome:
    result = compose(case.subgraphs)
    expected = {code for code in case.codes if code not in CRASHED}
    actual = {error.code for error in result.errors}
    fails = bool(case.codes)
    crashed = fails and not expected
    return Outcome(
        case.id,
        case.test,
        tuple(sorted(map(str, case.codes))),
        tuple(sorted(actual)),
        verdict=fails == bool(actual),
        codes=bool(actual) if crashed else actual == expected,
        differences=differences(case.supergraph, result),
    )


def differences(reference: str | None, result: Composition) -> tuple[str, ...]:
    if reference is None or result.supergraph_sdl is None:
        return ()
    theirs, ours = meaning(reference), meaning(result.supergraph_sdl)
    return tuple(sorted(key for key in theirs.keys() | ours.keys() if theirs.get(key) != ours.get(key)))


def meaning(sdl: str) -> dict[str, object]:
    """Every element of a supergraph with what it says, in an order that does not matter.

    The join and link specifications' own definitions are left out: their versions differ.
    """
    found: dict[str, object] = {}
    for node in parse(sdl).definitions:
        if isinstance(node, SchemaDefinitionNode):
            roots = sorted((operation.operation.value, operation.type.name.value) for operation in node.operation_types)
            found["schema"] = (roots, [text for text in applied(node) if "specs.apollo.dev/join/" not in text])
            continue
        name = node.name.value
        if (name.startswith(("join__", "link__")) and name != "join__Graph") or name == "link":
            continue
        if isinstance(node, DirectiveDefinitionNode):
            arguments = sorted(print_ast(argument) for argument in node.arguments or ())
            found[f"@{name}"] = (arguments, node.repeatable, sorted(location.value for location in node.locations))
            continue
        members = sorted(part.name.value for part in getattr(node, "types", None) or ())
        interfaces = sorted(part.name.value for part in getattr(node, "interfaces", None) or ())
        found[name] = (node.kind, text_of(node), applied(node), interfaces, members)
        for part in getattr(node, "fields", None) or getattr(node, "values", None) or ():
            coordinate = f"{name}.{part.name.value}"
            found[coordinate] = member(part)
            for argument in getattr(part, "arguments", None) or ():
                found[f"{coordinate}({argument.name.value}:)"] = member(argument)
    return found


def member(node: Node) -> object:
    of_type = getattr(node, "type", None)
    default = getattr(node, "default_value", None)
    return text_of(node), print_ast(of_type) if of_type else None, applied(node), value(default) if default else None


def text_of(node: Node) -> str | None:
    description = getattr(node, "description", None)
    return description.value if description else None


def applied(node: Node) -> list[str]:
    texts = []
    for each in getattr(node, "directives", None) or ():
        name = each.name.value
        arguments = sorted(
            f"{argument.name.value}:{value(argument.value)}"
            for argument in each.arguments or ()
            if (name, argument.name.value) != ("join__graph", "url")  # the cases leave URLs out
            and (name, argument.name.value, value(argument.value)) not in DEFAULTS
        )
        texts.append(f"@{name}({','.join(arguments)})")
    return sorted(texts)


def value(node: ValueNode) -> str:
    if isinstance(node, ObjectValueNode):
        return "{" + ",".join(sorted(f"{part.name.value}:{value(part.value)}" for part in node.fields)) + "}"
    if isinstance(node, ListValueNode):
        return "[" + ",".join(value(item) for item in node.values) + "]"
    if isinstance(node, StringValueNode):
        return json.dumps(" ".join(node.value.split()))
    return print_ast(node)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", type=int, action="append", help="only this case, with its errors in full")
    parser.add_argument("--json", action="store_true", help="print every outcome as JSON")
    options = parser.parse_args()
    cases = [case for case in load_cases() if not options.case or case.id in options.case]
    start = time.perf_counter()
    outcomes = [run_case(case) for case in cases]
    seconds = time.perf_counter() - start
    if options.json:
        print(json.dumps([asdict(outcome) for outcome in outcomes], indent=1))
        return 0
    if options.case:
        for case in cases:
            show(case)
    report(outcomes, seconds)
    return 0 if all(outcome.verdict and outcome.codes and not outcome.differences for outcome in outcomes) else 1


def show(case: Case) -> None:
    result = compose(case.subgraphs)
    print(f"case {case.id}: {case.test}\nexpected {case.codes or 'a supergraph'}")
    for subgraph in case.subgraphs:
        print(f"--- {subgraph.name}\n{subgraph.sdl}")
    print(json.dumps([error.to_json() for error in result.errors], indent=1))
    print(result.supergraph_sdl or "")


def report(outcomes: list[Outcome], seconds: float) -> None:
    composed = [outcome for outcome in outcomes if not outcome.expected and not outcome.actual]
    rows = (
        ("verdict", sum(outcome.verdict for outcome in outcomes), len(outcomes)),
        ("set of codes", sum(outcome.codes for outcome in outcomes), len(outcomes)),
        ("supergraph equal in meaning", sum(not outcome.differences for outcome in composed), len(composed)),
    )
    for name, good, total in rows:
        share = 100 * good / total if total else 100.0
        print(f"{name:<28} {good:>4} of {total:>4}  {share:6.2f} %")
    print(f"{'time':<28} {seconds:.1f} s")
    for outcome in outcomes:
        if not outcome.codes:
            print(
                f"  case {outcome.id}: expected {list(outcome.expected)}, got {list(outcome.actual)} — {outcome.test}"
            )
        elif outcome.differences:
            print(f"  case {outcome.id}: differs at {', '.join(outcome.differences[:6])} — {outcome.test}")


if __name__ == "__main__":
    sys.exit(main())
