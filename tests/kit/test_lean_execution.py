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


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Deep:
    text: str
    number: int | None


@strawberry.type
class Inner(Named):
    value: Decimal
    deep: Deep
    deeper: list[Deep] | None

    @strawberry.field
    def computed(self) -> Deep:
        return Deep(text=self.name * 2, number=len(self.name))

    @strawberry.field
    def cut(self, most: int = 1) -> str:
        return self.name[:most]

    @strawberry.field
    async def late(self) -> Deep | None:
        await asyncio.sleep(0)
        return self.deep


@strawberry.type
class Thing:
    must: str
    inner: Inner
    maybe_inner: Inner | None
    inners: list[Inner]
    maybe_inners: list[Inner | None] | None
    named: Named
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
    "inner": Inner(name="n", value=Decimal(2), deep=Deep(text="t", number=1), deeper=None),
    "maybe_inner": None,
    "inners": [
        Inner(name="m", value=Decimal("2.5"), deep=Deep(text="u", number=None), deeper=[Deep(text="v", number=3)])
    ],
    "maybe_inners": [None, Inner(name="o", value=Decimal(0), deep=Deep(text="", number=0), deeper=[])],
    "named": Inner(name="p", value=Decimal(4), deep=Deep(text="w", number=5), deeper=None),
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
    Deep(text="no inner", number=1),
    [Deep(text="no inner", number=1)],
    Inner(name=None, value=Decimal(1), deep=None, deeper=[None]),  # type: ignore[arg-type, list-item]
    [Inner(name="q", value=None, deep=Deep(text=None, number="x"), deeper=(Deep(text="y", number=1),))],  # type: ignore[arg-type]
)
QUERY = """{ thing { __typename must may whole parts maybeParts grid colour day amount flag other
    loud late refused promised twice: whole
    inner { __typename name value deep { text number } deeper { number text } again: deep { t: text } computed { text } }
    asked: inner { name cut cut2: cut(most: 2) deep { text } late { text number } }
    same: inner { name name deep { text } deep { number } }
    skipped: inner { name @skip(if: true) value @include(if: true) deep { text @skip(if: false) number } }
    parts2: inner { ...Part ... on Inner { value } deep { ... { number } } }
    maybeInner { name } inners { name value computed { text number } deeper { text } } maybeInners { name deep { text } }
    named { __typename name ... on Inner { deep { text } } }
    inner2: inner { deep { text } } inner2: inner { deep { number } } } }
    fragment Part on Inner { name deep { text } }"""
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
