"""Our composition beside Apollo's, on subgraphs with mistakes in them: verdict, set of codes, the supergraph's meaning.

    python tests/composition/differential.py [--seed N] [--count N] [--show SEED] [--all]

Each seed takes one of the 585 composition cases or a random graph and makes a few mistakes in it (`mistakes.py`).
`@apollo/composition` comes from npm (`make differential` installs it) and runs in a process of its own. What differs for a
known reason is explained in `differences.md`, by the name that `explained` gives it; anything else fails.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), *(str(HERE.parent / each) for each in ("properties", "conformance", "systems"))]

from conformance import differences, load_cases  # noqa: E402
from draw_graph import GraphDraw, SeededDice  # noqa: E402
from mistakes import Mistakes, Sources  # noqa: E402
from third_party import COMPOSITION, required  # noqa: E402

from gateway.federation.composition import Composition, SubgraphSource, compose  # noqa: E402

SCRIPTS = HERE / "apollo"
_DOCUMENT = {
    "INVALID_GRAPHQL", "INVALID_LINK_DIRECTIVE_USAGE", "INVALID_LINK_IDENTIFIER", "UNKNOWN_FEDERATION_LINK_VERSION",
    "UNKNOWN_LINK_VERSION", "DIRECTIVE_DEFINITION_INVALID", "TYPE_DEFINITION_INVALID",
}  # fmt: skip
"""What is found in a document before it is known to be a subgraph."""
_STRICTER = re.compile(
    r"root type must be Object type|can only be defined once|has invalid default value|OneOf input field|directive '@link'"
    r"|Cannot extend non-"
)
_OWN_MARKED = re.compile(r"type _Service( @|$)|union _Entity @|scalar _Any @", re.MULTILINE)
_BROKEN = re.compile(r"_INVALID_FIELDS$")
_BARE_ROOT = re.compile(r"^type Query$", re.MULTILINE)
_EXTERNAL_PROVIDES = re.compile(r"@external @provides|@provides\([^)]*\) @external")
_INPUT_PATH = re.compile(r'slicingArguments: \[[^\]]*"[^"]+\.')
_MISTAKES = (1, 1, 1, 1, 2, 3)


@dataclass(frozen=True, slots=True)
class Trial:
    """One set of subgraphs with mistakes."""

    seed: int
    origin: str
    mistakes: tuple[str, ...]
    sources: Sources


@dataclass(frozen=True, slots=True)
class Verdict:
    """What both compositions made of a trial."""

    trial: Trial
    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    """Codes, in order; none where it composes."""
    elements: tuple[str, ...] = ()
    """What means something else in the two supergraphs."""
    crash: str | None = None
    messages: tuple[str, ...] = ()
    """Apollo's words."""
    own: tuple[tuple[str, str], ...] = ()
    """Our codes and words."""

    def words(self, code: str) -> list[str]:
        """Return our messages of a code."""
        return [message for each, message in self.own if each == code]

    @property
    def is_alike(self) -> bool:
        return self.ours == self.theirs and not self.elements

    @property
    def kind(self) -> str:
        """What is unlike, to count by."""
        if self.ours != self.theirs:
            return f"ours {'+'.join(self.ours) or 'composes'}, theirs {'+'.join(self.theirs) or 'composes'}"
        return f"supergraphs differ at {', '.join(self.elements[:4])}"


@cache
def origins(*, is_composing: bool) -> tuple[tuple[str, Sources], ...]:
    """Return the composition cases that compose, or those that don't."""
    return tuple(
        (f"case {case.id}", {each.name: each.sdl for each in case.subgraphs})
        for case in load_cases()
        if case.subgraphs and bool(case.supergraph) is is_composing
    )


def trial(seed: int) -> Trial:
    """Return the trial of a seed."""
    random = Random(seed)
    if random.random() < 0.3:
        graph = GraphDraw(SeededDice(seed)).run()
        origin, sources = "random graph", {name: graph.subgraph_sdl(name) for name in graph.subgraphs}
    else:
        origin, sources = random.choice(origins(is_composing=random.random() < 0.85))
    changed, made = Mistakes(random, sources).make(random.choice(_MISTAKES))
    return Trial(seed, origin, tuple(made), changed)


def compare(trials: Iterable[Trial]) -> Iterator[Verdict]:
    """Compose each trial twice. Needs node, and Apollo's composition installed."""
    command = ["node", str(SCRIPTS / "compose.mjs"), str(required(COMPOSITION))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for each in trials:
            process.stdin.write(json.dumps(each.sources) + "\n")
            process.stdin.flush()
            ours = compose([SubgraphSource(name, f"http://{name}", sdl) for name, sdl in each.sources.items()])
            yield judged(each, ours, json.loads(process.stdout.readline()))
        process.stdin.close()


def judged(each: Trial, ours: Composition, theirs: dict[str, Any]) -> Verdict:
    """Compare what both say."""
    own = tuple(sorted({error.code for error in ours.errors}))
    messages = tuple(error["message"] for error in theirs.get("errors", ()))
    if "crash" in theirs or any(error["code"] is None for error in theirs.get("errors", ())):
        # Apollo's own failure says nothing about the subgraphs, save that they don't compose.
        crash = theirs.get("crash") or str(messages)
        return Verdict(each, own, own or ("an error without a code",), crash=crash, messages=messages)
    codes = tuple(sorted({error["code"] for error in theirs.get("errors", ())}))
    elements = differences(theirs.get("sdl"), ours)
    said = tuple((error.code, error.message) for error in ours.errors)
    return Verdict(each, own, codes, elements, messages=messages, own=said)


def explained(verdict: Verdict) -> str | None:
    """Return the row of `differences.md` that explains why a verdict differs, or None."""
    ours, theirs, sources = set(verdict.ours), set(verdict.theirs), verdict.trial.sources.values()
    for reason, holds in (
        ("stage", ours & _DOCUMENT and theirs & _DOCUMENT and ours ^ theirs <= _DOCUMENT),
        ("stage", theirs == {"INVALID_GRAPHQL"} < ours and all("Syntax Error" in each for each in verdict.messages)),
        ("stage", theirs == {"INVALID_SUBGRAPH_NAME"} < ours),
        (
            "document",
            ours - theirs == {"INVALID_GRAPHQL"} and all(map(_STRICTER.search, verdict.words("INVALID_GRAPHQL"))),
        ),
        ("broken use", theirs - ours == {"EXTERNAL_UNUSED"} and ours < theirs and any(map(_BROKEN.search, ours))),
        (
            "collision",
            theirs < ours
            and "EXTERNAL_COLLISION_WITH_ANOTHER_DIRECTIVE" in theirs
            and any(map(_EXTERNAL_PROVIDES.search, sources)),
        ),
        ("broken key", theirs - ours == {"INTERFACE_KEY_NOT_ON_IMPLEMENTATION"} and "KEY_INVALID_FIELDS" in ours),
        ("own types", theirs - ours == {"EXTENSION_WITH_NO_BASE"} and all('"_' in each for each in verdict.messages)),
        ("own types", any(map(_OWN_MARKED.search, sources))),
        ("list", not ours ^ theirs and any("fields: [" in sdl for sdl in sources)),
        (
            "input",
            theirs == {"LIST_SIZE_INVALID_SLICING_ARGUMENT"} and not ours and any(map(_INPUT_PATH.search, sources)),
        ),
        ("bare root", theirs == {"SATISFIABILITY_ERROR"} and not ours and any(map(_BARE_ROOT.search, sources))),
    ):
        if holds:
            return reason
    return None


def show(verdict: Verdict) -> None:
    """Print a trial in full."""
    for name, sdl in verdict.trial.sources.items():
        print(f"--- {name}\n{sdl}")
    print(f"seed {verdict.trial.seed}, {verdict.trial.origin}: {'; '.join(verdict.trial.mistakes)}")
    print(verdict.kind if not verdict.is_alike else "alike")
    for message in verdict.messages or ([verdict.crash] if verdict.crash else []):
        print(f"  theirs: {message[:600]}")
    ours = compose([SubgraphSource(name, f"http://{name}", sdl) for name, sdl in verdict.trial.sources.items()])
    for error in ours.errors:
        print(f"  ours: {error.code} {error.message[:600]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=300, help="how many seeds")
    parser.add_argument("--show", type=int, action="append", help="only this seed, in full; repeatable")
    parser.add_argument("--all", action="store_true", help="show explained differences too")
    options = parser.parse_args()
    seeds = options.show or range(options.seed, options.seed + options.count)
    unlike: list[Verdict] = []
    known: Counter[str] = Counter()
    composed = refused = crashed = 0
    for verdict in compare(map(trial, seeds)):
        if options.show:
            show(verdict)
        composed += not verdict.theirs
        refused += bool(verdict.theirs)
        crashed += verdict.crash is not None
        if verdict.is_alike:
            continue
        reason = explained(verdict)
        if reason is not None:
            known[reason] += 1
        if reason is None or options.all:
            unlike.append(verdict)
    for verdict in sorted(unlike, key=lambda each: each.kind):
        print(
            f"seed {verdict.trial.seed} ({verdict.trial.origin}; {'; '.join(verdict.trial.mistakes)}): {verdict.kind}"
        )
    for reason, count in known.most_common():
        print(f"explained {count} times: {reason}")
    total = composed + refused
    print(
        f"{total} sets of subgraphs, {composed} compose, {refused} are refused ({crashed} by a crash): {len(unlike)} unlike"
    )
    return 1 if unlike else 0


if __name__ == "__main__":
    sys.exit(main())
