"""The short way through an execution answers like the usual one: data and errors, whatever an object holds."""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
from decimal import Decimal
from typing import Any

import pytest
import strawberry

from subgraphs.kit.lean_execution import LeanExecution
from subgraphs.kit.lean_resolvers import lean_resolvers
from subgraphs.kit.subgraph_schema import SubgraphSchema
from subgraphs.kit.system_error import BadUserInputError


@strawberry.enum
class Colour(enum.Enum):
    RED = "red"


@strawberry.type
class Thing:
    must: str
    may: str | None
    whole: int
    parts: list[str]
    maybe_parts: list[str | None] | None
    grid: list[list[int]]
    colour: Colour
    day: dt.date
    amount: Decimal
    flag: bool
    other: strawberry.ID

    @strawberry.field
    def loud(self) -> str:
        return self.must.upper()

    @strawberry.field
    async def late(self) -> str:
        await asyncio.sleep(0)
        return self.must

    @strawberry.field
    def refused(self) -> str | None:
        raise BadUserInputError("no")

    @strawberry.field
    def promised(self) -> str:
        return self.late_text()  # type: ignore[return-value]

    async def late_text(self) -> str:
        return "kept"


WHOLE: dict[str, Any] = {
    "must": "a",
    "may": None,
    "whole": 3,
    "parts": ["x", "y"],
    "maybe_parts": ["x", None],
    "grid": [[1], []],
    "colour": Colour.RED,
    "day": dt.date(2026, 3, 1),
    "amount": Decimal("1.50"),
    "flag": True,
    "other": "7",
}
ODD = (
    None,
    "",
    7,
    1.5,
    True,
    [],
    [None],
    ["x"],
    ("x", "y"),
    [[1]],
    {"x"},
    Colour.RED,
    BadUserInputError("no"),
    object(),
)
QUERY = """{ thing { __typename must may whole parts maybeParts grid colour day amount flag other
    loud late refused promised twice: whole } }"""
KEPT: dict[str, Any] = {}


@strawberry.type
class Query:
    @strawberry.field
    def thing(self) -> Thing | None:
        thing = Thing(**WHOLE)
        vars(thing).update(KEPT)
        return thing


def schema(execution: Any) -> SubgraphSchema:
    made = SubgraphSchema(query=Query, execution_context_class=execution)
    lean_resolvers(made)
    return made


SCHEMAS = [schema(None), schema(LeanExecution)]


async def answers(changed: dict[str, Any]) -> list[Any]:
    KEPT.clear()
    KEPT.update(changed)
    results = [await each.execute(QUERY) for each in SCHEMAS]
    return [(each.data, sorted((str(e.message), str(e.path)) for e in each.errors or ())) for each in results]


async def test_a_regular_object():
    usual, lean = await answers({})
    assert lean == usual
    assert usual[0]["thing"]["loud"] == "A"
    assert usual[0]["thing"]["promised"] == "kept"
    assert list(lean[0]["thing"]) == list(usual[0]["thing"])


@pytest.mark.parametrize("name", list(WHOLE))
async def test_an_object_that_breaks_its_type(name):
    for value in ODD:
        usual, lean = await answers({name: value})
        # An object's own words hold its address.
        assert str(lean).replace(hex(id(value)), "") == str(usual).replace(hex(id(value)), ""), value
