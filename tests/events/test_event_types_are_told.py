"""No type of event is only a row in a table: each is told by somebody, and a test waits for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.events.catalogue import CATALOGUE

ROOT = Path(__file__).parents[2]
TABLES = {"catalogue.py", "test_event_types_are_told.py", "test_event_contracts.py"}


def texts(*folders: str) -> str:
    files = (path for folder in folders for path in (ROOT / folder).rglob("*.py") if path.name not in TABLES)
    return "\n".join(path.read_text() for path in files)


CODE = texts("subgraphs", "gateway")
TESTS = texts("tests")


@pytest.mark.parametrize("name", [row.name for row in CATALOGUE])
def test_each_type_has_somebody_who_tells_it_and_a_test_that_waits_for_it(name):
    assert f'"{name}"' in CODE
    assert f'"{name}"' in TESTS or f"concord.{name}.v1" in TESTS
