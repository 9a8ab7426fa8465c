"""Prints what a CPQ service is asked and has to answer, as JSON Schema: `python -m gateway.cli.print_cpq`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import msgspec

from gateway.writes.workflows.cpq import QuoteAnswer, QuoteRequest

FOLDER = Path(__file__).parents[2] / "schema" / "cpq"
_SHAPES: Mapping[str, type] = {"request.json": QuoteRequest, "answer.json": QuoteAnswer}


def print_cpq() -> Mapping[str, str]:
    """Return file name → its text."""
    found: dict[str, str] = {}
    for name, shape in _SHAPES.items():
        drawn = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(shape)}
        found[name] = json.dumps(drawn, indent=2) + "\n"
    return found


if __name__ == "__main__":
    for file, text in print_cpq().items():
        (FOLDER / file).write_text(text, encoding="utf-8")
