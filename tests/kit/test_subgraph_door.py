"""What a subgraph answers to a peer that sends it nonsense: a code, never our own failure."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path

import httpx2
import pytest
import strawberry
from served_app import served

from subgraphs.kit.settings import SubgraphSettings
from subgraphs.kit.subgraph_app import Running, create_app
from subgraphs.kit.subgraph_schema import print_subgraph_schema, subgraph_schema


@strawberry.federation.type(keys=["id", "orgRef"])
class Shop:
    """A shop."""

    id: strawberry.ID
    busy: bool | None = None

    @classmethod
    async def resolve_reference(
        cls,
        *,
        id: str | None = None,  # noqa: A002 - the key's name
        org_ref: str | None = None,
        busy: bool | None = None,
        **_others: object,
    ) -> Shop:
        return cls(id=strawberry.ID(id or (org_ref or "").upper()), busy=busy)

    @strawberry.field
    def org_ref(self) -> strawberry.ID:
        return self.id


@strawberry.type
class Query:
    shop: Shop | None = None

    @strawberry.field
    def open_on(self, day: dt.date) -> bool:
        return day.weekday() < 6


@asynccontextmanager
async def _start(_settings: SubgraphSettings) -> AsyncIterator[Running]:
    yield Running(context=dict)


@pytest.fixture(scope="module")
async def subgraph(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx2.AsyncClient]:
    settings = SubgraphSettings(
        port=0,
        state_dir=tmp_path_factory.mktemp("shop"),
        signing_secret="not a secret",
        events_url="http://127.0.0.1:1/events",
    )
    app = create_app("shops", subgraph_schema(query=Query, types=[Shop]), settings, _start)
    async with (
        app.router.lifespan_context(app),
        served(app) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False) as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("representation", "answer"),
    [
        ({"id": "a"}, {"id": "a", "busy": None}),
        ({"orgRef": "b", "busy": True}, {"id": "B", "busy": True}),
        ({"id": None, "orgRef": "b", "busy": None}, {"id": "B", "busy": None}),
        ({"id": 5}, "The keys of an entity are texts."),
        ({"orgRef": ["a"]}, "The keys of an entity are texts."),
        ({"id": "a", "orgRef": {}}, "The keys of an entity are texts."),
        ({"id": None}, "The representation has none of the keys of its type."),
        ({"busy": True}, "The representation has none of the keys of its type."),
        ({}, "The representation has none of the keys of its type."),
    ],
)
async def test_a_representation_with_a_wrong_key_is_refused_in_its_place_alone(
    subgraph, caplog, representation, answer
):
    query = "query($r: [_Any!]!) { _entities(representations: $r) { ... on Shop { id busy } } }"
    good = {"__typename": "Shop", "id": "next"}
    body = {"query": query, "variables": {"r": [{"__typename": "Shop", **representation}, good]}}
    with caplog.at_level(logging.ERROR):
        told = (await subgraph.post("/graphql", json=body)).json()
    found = answer if isinstance(answer, dict) else None
    assert told["data"] == {"_entities": [found, {"id": "next", "busy": None}]}
    refusals = [(error["message"], error["path"], error["extensions"]) for error in told.get("errors", ())]
    details = {"system": "shops", "code": "BAD_USER_INPUT", "retryable": False}
    assert refusals == ([] if found else [(answer, ["_entities", 0], details)])
    assert not caplog.records


async def test_a_wrong_path_or_method_is_answered_with_a_code(subgraph):
    nowhere = await subgraph.post("/webhooks/nobody", content=b"[]")
    assert (nowhere.status_code, nowhere.json()["errors"][0]["extensions"]["code"]) == (404, "NOT_FOUND")
    read = await subgraph.get("/graphql")
    assert (read.status_code, read.headers["allow"]) == (405, "POST")
    assert read.json()["errors"][0] == {
        "message": "Use POST.",
        "extensions": {"code": "METHOD_NOT_ALLOWED", "system": "shops", "retryable": False},
    }


async def test_a_value_that_its_scalar_refuses_is_the_callers_mistake_as_literal_and_as_variable(subgraph):
    literal = await subgraph.post("/graphql", json={"query": '{ openOn(day: "2026-02-30") }'})
    variable = {"query": "query($day: Date!) { openOn(day: $day) }", "variables": {"day": "2026-02-30"}}
    for told in (literal, await subgraph.post("/graphql", json=variable)):
        (error,) = told.json()["errors"]
        assert error["message"].endswith('A Date is written as year, month and day, such as "2026-01-31".')
        assert error["extensions"] == {"code": "BAD_USER_INPUT", "system": "shops", "retryable": False}
    unknown = (await subgraph.post("/graphql", json={"query": "{ closedOn }"})).json()
    assert unknown["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


def test_each_subgraph_prints_its_own_tags_whichever_was_made_last() -> None:
    """The kit's types are one for all of a process; their tags are not."""
    made = {
        "identity": import_module("subgraphs.identity.schema").create_schema(),
        "crm": import_module("subgraphs.crm.app").schema,
        "billing": import_module("subgraphs.billing.app").schema,
        "erp": import_module("subgraphs.erp.schema").schema,
    }
    committed = Path(__file__).parents[2] / "schema" / "subgraphs"
    differing = [
        name for name in made if print_subgraph_schema(made[name]) != (committed / f"{name}.graphql").read_text()
    ]
    assert differing == []
