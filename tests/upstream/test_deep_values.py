"""A value nested deeper than most writers of JSON go reaches the subgraph that requires it, and costs nothing but itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from scripted_subgraph import reply
from served_graph import Graph

PEOPLE = """
scalar JSON
type Query { user: User users: [User] }
type Mutation { change: User }
type User @key(fields: "id") { id: ID! name: String data: JSON }
"""
SCORES = """
scalar JSON
type User @key(fields: "id") { id: ID! data: JSON @external score: Int @requires(fields: "data") deep: JSON }
"""
OWNERSHIP = """
[systems.identity]
team = "identity"
subgraphs = ["people"]
types = ["User"]
[systems.erp]
team = "finance"
subgraphs = ["scores"]
fields.User = ["score", "deep"]
cache.User = { ttl_s = 600, scope = "public" }
"""
DEEPEST = 1_010
"""A depth that is just read: our reader goes to 1,024."""


def nested(depth: int, kind: str) -> str:
    """The JSON of a value; tests' own reader doesn't go deep."""
    before, after = {"object": ('{"a":', "}"), "list": ("[", "]")}[kind]
    return before * depth + "1" + after * depth


@asynccontextmanager
async def answering(say: Callable[[bytes], str]) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve a subgraph that does not read what it is asked; yields its address, and the bodies that came."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length: ")[2].partition(b"\r")[0])
                asked.append(await reader.readexactly(length))
                writer.write(reply(say(asked[-1]).encode(), connection="keep-alive"))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/graphql", asked
    finally:
        server.close()


@pytest.mark.parametrize("ownership", ["", OWNERSHIP], ids=["not kept", "kept"])
async def test_what_another_system_requires_is_passed_on_however_deep_it_is(graph: Graph, ownership: str) -> None:
    """On each way of running a plan: the typed one, the general one, with entities kept and without."""
    value, scores = "1", '{"score":7,"deep":1}'

    def say_people(body: bytes) -> str:
        user = f'{{"__typename":"User","id":"1","name":"Ada","data":{value}}}'
        roots = {"user": user, "users": f"[{user},{user}]", "change": user}
        document = body.partition(b'"variables"')[0].decode()
        found = (name for name in roots if f"{name}{{" in document)
        told = ",".join(f'"{name}":{roots[name]}' for name in found)
        return f'{{"data":{{{told}}}}}'

    def say_scores(body: bytes) -> str:
        told = ",".join([scores] * body.count(b'"__typename":"User"'))
        return scores and f'{{"data":{{"_entities":[{told}]}}}}'

    async with answering(say_people) as (people, _), answering(say_scores) as (erp, asked):
        for name, url in (("people", people), ("scores", erp)):
            graph.subgraphs[name].url = url
        graph.compose({"people": PEOPLE, "scores": SCORES})
        graph.ownership = ownership
        with graph.serve() as gateway:
            async with httpx2.AsyncClient(timeout=60, trust_env=False) as client:

                async def ask(query: str) -> tuple[Any, list[tuple[Any, str]]]:
                    answer = (await client.post(f"{gateway.url}/graphql", json={"query": query})).json()
                    errors = [(each["path"], each["extensions"]["code"]) for each in answer.get("errors", ())]
                    return answer["data"], errors

                for kind, depth in (
                    ("list", 400),
                    ("object", 400),
                    ("list", 520),
                    ("object", DEEPEST),
                    ("list", DEEPEST),
                ):
                    value, scores = nested(depth, kind), '{"score":7,"deep":1}'
                    for _ in range(2):  # the first time it goes the general way
                        assert await ask("{ user { name score } }") == ({"user": {"name": "Ada", "score": 7}}, [])
                    assert f'"data":{value}'.encode() in asked[-1]
                    # The answer itself can't hold it.
                    told = {"name": "Ada", "data": None, "score": 7}
                    assert await ask("{ user { name data score } }") == (
                        {"user": told},
                        [(["user", "data"], "SYSTEM_BAD_RESPONSE")],
                    )
                    told = {"data": None, "score": 7}
                    assert await ask("{ users { data score } }") == (
                        {"users": [told, told]},
                        [(["users", n, "data"], "SYSTEM_BAD_RESPONSE") for n in (0, 1)],
                    )
                    assert await ask("mutation { change { score } }") == ({"change": {"score": 7}}, [])
                    # Nor is anything lost where a system is asked in vain with such a value.
                    scores = ""
                    data, errors = await ask("{ user { name score } }")
                    assert (data, errors) == (
                        {"user": {"name": "Ada", "score": None}},
                        [(["user", "score"], "SYSTEM_BAD_RESPONSE")],
                    )
                    value, scores = "1", f'{{"score":7,"deep":{nested(depth, kind)}}}'
                    # Entities that several objects share are copied.
                    assert await ask("{ user { deep } users { deep } }") == (
                        {"user": {"deep": None}, "users": [{"deep": None}] * 2},
                        [
                            (path, "SYSTEM_BAD_RESPONSE")
                            for path in (["user", "deep"], ["users", 0, "deep"], ["users", 1, "deep"])
                        ],
                    )
            assert gateway.lines("internal_error") == []
