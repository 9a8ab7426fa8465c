"""`python -m subgraphs.kit.conformance MODULE:FACTORY …` checks adaptors; `concord adaptor check` is the same.

Exit status: 0 if every check passed or is declared impossible, 1 if one failed, 2 if a factory can't be used.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import importlib
import sys
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from subgraphs.kit.conformance.faults import COLUMNS
from subgraphs.kit.conformance.run import Result, Verdict, run_checks
from subgraphs.kit.conformance.under_test import UnderTest


class FactoryRefusedError(Exception):
    """A factory that can't be used; the message says why."""


def _factory(name: str) -> Any:
    module_name, _, attribute = name.partition(":")
    if not attribute:
        raise FactoryRefusedError(f"{name}: write MODULE:FACTORY, such as my_desk.check:tickets.")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise FactoryRefusedError(f"{name}: {error}") from error
    if not callable(found):
        raise FactoryRefusedError(f"{name} is no function that yields an UnderTest.")
    return found


async def _check(name: str, only: Collection[str]) -> list[Result]:
    made = _factory(name)()
    if not isinstance(made, AbstractAsyncContextManager):
        raise FactoryRefusedError(f"{name} is no async context manager; write @asynccontextmanager over it.")
    async with made as tests:
        results = []
        for test in tests if isinstance(tests, tuple | list) else [tests]:
            if not isinstance(test, UnderTest):
                raise FactoryRefusedError(f"{name} yields {type(test).__name__} instead of UnderTest.")
            results += await run_checks(test, only)
        return results


def _table(results: list[Result]) -> Table:
    """Return a row per check; checks that can't be passed for one reason share a row."""
    table = Table("adaptor", "check", "", "", title_justify="left")
    words = {Verdict.PASSED: "[green]passed[/]", Verdict.CANNOT: "[yellow]cannot[/]", Verdict.FAILED: "[red]FAILED[/]"}

    def reason(result: Result) -> tuple[str, Verdict, str]:
        is_reason = result.verdict is Verdict.CANNOT
        return result.adaptor, result.verdict, result.sentence if is_reason else result.check

    shown = ""
    for (name, verdict, _), group in groupby(results, key=reason):
        checks = list(group)
        sentence = "" if verdict is Verdict.PASSED else escape(checks[0].sentence)
        first = checks[0].check.replace("_", " ")
        more = f" (and {len(checks) - 1} more)" if len(checks) > 1 else ""
        table.add_row(name if name != shown else "", first + more, words[verdict], sentence)
        shown = name
    return table


def _fault_table(results: list[Result]) -> Table:
    """Return a row per adaptor and a column per fault: how reads and writes ended."""
    words = {Verdict.PASSED: "[green]held[/]", Verdict.CANNOT: "[yellow]cannot[/]", Verdict.FAILED: "[red]FAILED[/]"}
    table = Table("adaptor", "", *(column.replace("_", " ") for column, _, _ in COLUMNS), title_justify="left")
    for name, group in groupby(results, key=lambda each: each.adaptor):
        verdicts = {each.check: each.verdict for each in group}
        for place, kind in enumerate(("reads", "writes")):
            cells = (words[verdicts[names[place]]] for _, *names in COLUMNS)
            table.add_row("" if place else name, kind, *cells)
    return table


def main() -> None:
    """Check adaptors and end by SystemExit."""
    parser = argparse.ArgumentParser(prog="concord adaptor check", description=__doc__)
    parser.add_argument("factory", nargs="+", metavar="MODULE:FACTORY")
    parser.add_argument("--json", action="store_true", help="print a list of results instead of a table")
    parser.add_argument("--faults", action="store_true", help="run the checks behind faults, as a table of what held")
    parser.add_argument("--only", default="", metavar="TEXT", help="run the checks whose names contain this")
    given = parser.parse_args()
    sys.path.insert(0, str(Path.cwd()))
    only = [check for _, *names in COLUMNS for check in names] if given.faults else [given.only]
    try:
        results = [result for name in given.factory for result in asyncio.run(_check(name, only))]
    except FactoryRefusedError as refused:
        sys.stderr.write(f"{refused}\n")
        raise SystemExit(2) from refused
    if given.json:
        sys.stdout.write(
            orjson.dumps([dataclasses.asdict(each) for each in results], option=orjson.OPT_INDENT_2).decode() + "\n"
        )
    else:
        console = Console()
        if given.faults:
            console.print(_fault_table(results))
            results_told = [each for each in results if each.verdict is not Verdict.PASSED]
            if results_told:
                console.print(_table(results_told))
        else:
            console.print(_table(results))
        counts = {verdict: sum(each.verdict is verdict for each in results) for verdict in Verdict}
        console.print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    raise SystemExit(any(each.verdict is Verdict.FAILED for each in results))


if __name__ == "__main__":
    main()
