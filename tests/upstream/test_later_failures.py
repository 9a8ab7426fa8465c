"""A system that fails after another has brought objects costs its own fields, and no request its answer."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from scripted_subgraph import ScriptedSubgraph, reply, sends
from served_graph import Graph

PEOPLE = 'type Query { users: [User] }\ntype User @key(fields: "id") { id: ID! }'
DESKS = 'type User @key(fields: "id") { id: ID! name: String desk: Desk }\ntype Desk { floor: Int! }'
RANKS = 'type User @key(fields: "id") { id: ID! name: String @external rank: Int @requires(fields: "name") }'
QUERY = "{ users { name rank desk { floor } } }"


def entities(text: bytes) -> bytes:
    return b'{"data":{"_entities":[%b,%b]}}' % (text, text)


@pytest.mark.parametrize("rank", [b'{"rank":"odd"}', b"none"])
@pytest.mark.parametrize("street", ["s", "\xff", '\\ud800"'])
async def test_a_later_failure_costs_its_own_field(graph: Graph, rank: bytes, street: str) -> None:
    """Also where the objects hold what nobody asked for, and what is no text."""
    desk = b'{"name":"n","desk":{"street":"%b","floor":1}}' % street.encode("latin-1")
    users = b'{"data":{"users":[{"__typename":"User","id":"1"},{"__typename":"User","id":"2"}]}}'
    told = {"people": users, "desks": entities(b'{"name":"n","desk":{"floor":1}}'), "ranks": entities(b'{"rank":1}')}
    graph.subgraphs["desks"], graph.subgraphs["ranks"] = graph.subgraphs.pop("scores"), await ScriptedSubgraph().start()

    def say(**changed: bytes) -> None:
        for name, body in (told | changed).items():
            graph.subgraphs[name].behave = sends(reply(body))

    say()
    graph.compose({"people": PEOPLE, "desks": DESKS, "ranks": RANKS})
    with graph.serve() as gateway:
        async with httpx2.AsyncClient(timeout=20, trust_env=False) as client:

            async def ask() -> tuple[Any, list[tuple[Any, str]]]:
                answer = (await client.post(f"{gateway.url}/graphql", json={"query": QUERY})).json()
                errors = [(each["path"], each["extensions"]["code"]) for each in answer.get("errors", ())]
                return answer["data"], errors

            user = {"name": "n", "rank": 1, "desk": {"floor": 1}}
            for _ in range(3):  # the first time it goes the general way
                assert await ask() == ({"users": [user, user]}, [])
            say(desks=entities(desk), ranks=entities(rank))
            data, errors = await ask()
        assert gateway.lines("internal_error") == []
    if street == "s":
        spoiled = {**user, "rank": None}
        assert data == {"users": [spoiled, spoiled]}
        assert errors == [(["users", n, "rank"], "SYSTEM_BAD_RESPONSE") for n in (0, 1)]
    else:
        assert {code for _, code in errors} == {"SYSTEM_BAD_RESPONSE"}
