"""The whole line over real subgraphs: strawberry behind uvicorn, composed, planned, executed, completed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import strawberry
from planned_gateway import told
from served_app import served
from strawberry.asgi import GraphQL

from gateway.engine import Engine, GraphQLRequest
from gateway.execution.ports import RequestContext
from gateway.federation.composition import SubgraphSource, compose
from gateway.federation.supergraph import parse_supergraph
from gateway.upstream.coalesce import Coalesced
from gateway.upstream.deadline import Deadlined
from gateway.upstream.in_process import InProcessSubgraph
from gateway.upstream.remote import remote_subgraph

NAMES = {"1": "Ada", "2": "Bob", "3": "Cyd"}


@strawberry.federation.type(keys=["id"], name="User")
class Member:
    id: strawberry.ID

    @strawberry.field
    def name(self) -> str | None:
        return NAMES[self.id]

    @classmethod
    def resolve_reference(cls, id: strawberry.ID) -> Member | None:  # noqa: A002 - strawberry passes keys by name
        return Member(id=id) if id in NAMES else None


@strawberry.federation.type
class Members:
    @strawberry.field
    def users(self) -> list[Member]:
        return [Member(id=strawberry.ID(each)) for each in NAMES]


@strawberry.type
class Rename:
    @strawberry.mutation
    def rename(self, id: strawberry.ID, name: str) -> Member:  # noqa: A002 - the argument's name
        NAMES[id] = name
        return Member(id=id)


@strawberry.federation.interface
class Document:
    number: str


@strawberry.federation.type(keys=["number"])
class Invoice(Document):
    due: int


@strawberry.federation.type(keys=["number"])
class Credit(Document):
    left: int | None


@strawberry.federation.type(keys=["id"], name="User")
class Debtor:
    id: strawberry.ID
    name: str | None = strawberry.federation.field(external=True, default=None)

    @strawberry.field
    def documents(self) -> list[Document]:
        return [Invoice(number=f"I{self.id}", due=int(self.id)), Credit(number=f"C{self.id}", left=None)]

    @strawberry.federation.field(requires=["name"])
    def greeting(self) -> str | None:
        if self.name == "Bob":
            raise ValueError("secret")
        return f"Dear {self.name}"

    @classmethod
    def resolve_reference(cls, id: strawberry.ID, name: str | None = None) -> Debtor:  # noqa: A002 - as above
        return Debtor(id=id, name=name)


@strawberry.federation.type
class Debts:
    @strawberry.field
    def worst(self) -> Debtor:
        return Debtor(id=strawberry.ID("3"))


MEMBERS = strawberry.federation.Schema(query=Members, mutation=Rename, federation_version="2.11")
DEBTS = strawberry.federation.Schema(query=Debts, types=[Invoice, Credit], federation_version="2.11")


@pytest.fixture(scope="module")
async def urls() -> AsyncIterator[dict[str, str]]:
    async with served(GraphQL(MEMBERS), ws="none") as members, served(GraphQL(DEBTS), ws="none") as debts:
        yield {"members": f"{members}/graphql", "debts": f"{debts}/graphql"}


async def nothing(context: RequestContext) -> None:
    return None


@pytest.fixture(params=["http", "in process"])
async def engine(urls, request) -> AsyncIterator[Engine]:
    composition = compose(
        [
            SubgraphSource("members", urls["members"], MEMBERS.as_str()),
            SubgraphSource("debts", urls["debts"], DEBTS.as_str()),
        ]
    )
    assert composition.supergraph_sdl is not None, composition.errors
    clients: dict[str, Any] = {"members": remote_subgraph(urls["members"]), "debts": remote_subgraph(urls["debts"])}
    if request.param == "in process":
        clients["debts"] = InProcessSubgraph(DEBTS, make_context=nothing)
    engine = Engine(
        parse_supergraph(composition.supergraph_sdl),
        {name: Coalesced(Deadlined(client)) for name, client in clients.items()},
    )
    yield engine
    engine.close()
    for client in clients.values():
        await client.aclose()


async def ask(engine: Engine, query: str, **options: Any) -> Any:
    return told(await engine.execute(GraphQLRequest(query=query, **options)))


async def test_one_answer_from_two_subgraphs(engine):
    query = """
        { users { name greeting documents { __typename number ... on Invoice { due } ...C } } worst { n: name } }
        fragment C on Credit { left }
    """
    people = [
        {
            "name": name,
            "greeting": None if name == "Bob" else f"Dear {name}",
            "documents": [
                {"__typename": "Invoice", "number": f"I{number}", "due": int(number)},
                {"__typename": "Credit", "number": f"C{number}", "left": None},
            ],
        }
        for number, name in NAMES.items()
    ]
    error = {"path": ["users", 1, "greeting"], "code": "SYSTEM_ERROR", "system": "debts", "retryable": True}
    for _ in range(2):
        assert await ask(engine, query) == {
            "data": {"users": people, "worst": {"n": NAMES["3"]}},
            "errors": [error],
        }


async def test_a_write_is_read_back_through_its_owner(engine):
    renamed = await ask(engine, 'mutation { rename(id: "3", name: "Eve") { name greeting } }')
    assert renamed == {"data": {"rename": {"name": "Eve", "greeting": "Dear Eve"}}}
    NAMES["3"] = "Cyd"


async def test_a_subgraph_that_is_gone_costs_its_fields_only(urls, unused_tcp_port):
    composition = compose(
        [
            SubgraphSource("members", urls["members"], MEMBERS.as_str()),
            SubgraphSource("debts", urls["debts"], DEBTS.as_str()),
        ]
    )
    assert composition.supergraph_sdl is not None
    gone = f"http://127.0.0.1:{unused_tcp_port}/graphql"
    clients = {"members": remote_subgraph(urls["members"]), "debts": remote_subgraph(gone)}
    engine = Engine(parse_supergraph(composition.supergraph_sdl), clients)

    def error(*path: Any) -> dict[str, Any]:
        return {"path": list(path), "code": "SYSTEM_UNAVAILABLE", "system": "debts", "retryable": True}

    assert await ask(engine, "{ users { name greeting } }") == {
        "data": {"users": [{"name": name, "greeting": None} for name in NAMES.values()]},
        "errors": [error("users", index, "greeting") for index in range(3)],
    }
    # `documents` is a list of non-null things, and `users` too: null rises as far as the schema says.
    assert await ask(engine, "{ users { name documents { number } } }") == {
        "data": None,
        "errors": [error("users", index, "documents") for index in range(3)],
    }
    assert await ask(engine, "{ worst { name } users { name } }") == {"data": None, "errors": [error("worst")]}
    engine.close()
    for client in clients.values():
        await client.aclose()
