"""Prints the codes of composition as a page: `python -m gateway.federation.composition.print_codes`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from gateway.federation.composition.codes import Code, error_codes, hint_codes

PAGE = Path(__file__).parents[3] / "schema" / "composition-codes.md"


def print_codes() -> str:
    """The page: errors, then hints, each code with its sentence, its likely mend and the module that reports it."""
    return "\n".join(
        (
            "# Codes of composition",
            "",
            "Printed from code by `python -m gateway.federation.composition.print_codes`. `concord compose` reports",
            "all errors of a stage at once, each with code, coordinate, subgraphs, place and likely mend. `…` stands for a",
            "name that the error itself gives.",
            "",
            "## Errors: what keeps subgraphs from being composed",
            "",
            *_table(error_codes()),
            "",
            "## Hints: what composes, but is worth a look",
            "",
            *_table(hint_codes()),
            "",
        )
    )


def _table(codes: Iterable[Code]) -> Iterator[str]:
    yield "| code | what it says | likely mend | from |"
    yield "| --- | --- | --- | --- |"
    for code in codes:
        mend = "<br>".join(_cell(mend) for mend in code.mends)
        path = f"../gateway/federation/composition/{code.module}"
        yield f"| `{code.code}` | {_cell(code.sentence)} | {mend} | [{code.module}]({path}) |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").strip()


if __name__ == "__main__":
    PAGE.write_text(print_codes(), encoding="utf-8")
