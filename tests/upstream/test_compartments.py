"""A system that doesn't answer takes no more than its own part of the gateway: `concord serve`, and what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager

import httpx2
import pytest
from scripted_subgraph import reply, sends
from served_graph import Graph, Served

SCHEMAS = {
    "people": "type Query { name(of: Int): String }",
    "scores": "type Query { score(of: Int): Int }",
}
LIMITS = "[limits]\nin_flight = 40\n[request]\ndeadline_s = 120\n"


@pytest.fixture
def compartments(graph: Graph) -> Graph:
    """A gateway that works on 40 requests, over `people`, which never answers, and `scores`, which is well."""
    graph.compose(SCHEMAS)
    graph.settings = LIMITS
    graph.subgraphs["people"].behave = lambda writer, request: asyncio.Event().wait()
    graph.subgraphs["scores"].say = lambda request: {"data": {"score": 7}}
    return graph


def serving(graph: Graph, *, places: int, timeout_s: float) -> AbstractContextManager[Served]:
    """Run the gateway with so many places for fetches of `people`, each for so long."""
    table = "CONCORD_SUBGRAPHS__PEOPLE__"
    return graph.serve(**{f"{table}MAX_CONNECTIONS": str(places), f"{table}TIMEOUT_S": str(timeout_s)})


@asynccontextmanager
async def asking(gateway: Served, queries: list[str]) -> AsyncIterator[list[asyncio.Task[httpx2.Response]]]:
    """Ask all at once, and leave those alone that have no answer at the end."""
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(timeout=120, trust_env=False, limits=limits) as client:
        tasks = [asyncio.create_task(client.post(f"{gateway.url}/graphql", json={"query": query})) for query in queries]
        try:
            yield tasks
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("queries", [[f"{{ name(of: {number}) }}" for number in range(60)], ["{ name }"] * 60])
async def test_queries_that_do_not_need_a_system_that_hangs_are_answered(
    compartments: Graph, queries: list[str]
) -> None:
    with serving(compartments, places=4, timeout_s=100) as gateway:
        async with asking(gateway, queries) as asked:
            await asyncio.wait(
                asked, return_when=asyncio.FIRST_COMPLETED
            )  # one that is refused, since they are too many
            async with asyncio.timeout(60):
                while True:
                    answer = await gateway.ask("{ score }")
                    if "data" in answer:
                        break
                    await asyncio.sleep(0.05)
            assert answer == {"data": {"score": 7}}
            refused = [each.result() for each in asked if each.done()]
            codes = {each.json()["errors"][0]["extensions"]["code"] for each in refused}
            assert codes <= {"OVERLOADED", "SYSTEM_CIRCUIT_OPEN"}
            # Those who wait for it as long as they may: a quarter of what is worked on, beside those who are asking it.
            waiting = {each for each in asked if not each.done()}
            while len(waiting) > 4 + 10:
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=60)
            assert await gateway.ask("{ score }") == {"data": {"score": 7}}


async def test_who_waits_is_turned_away_when_the_breaker_opens(compartments: Graph) -> None:
    """Twenty that got no answer in time are enough to know. Their places are then given to others, but no more are."""
    compartments.settings = LIMITS.replace("40", "200")
    with serving(compartments, places=25, timeout_s=2) as gateway:
        queries = [f"{{ name(of: {number}) }}" for number in range(75)]
        async with asking(gateway, queries) as asked, asyncio.timeout(60):
            answers = [(await each).json() for each in asked]
    codes = [each["errors"][0]["extensions"]["code"] for each in answers]
    assert set(codes) == {"SYSTEM_TIMEOUT", "SYSTEM_CIRCUIT_OPEN"}
    assert codes.count("SYSTEM_CIRCUIT_OPEN") >= 25


async def test_what_a_subgraph_is_allowed_is_configured(graph: Graph) -> None:
    graph.compose(SCHEMAS)
    people, scores = graph.subgraphs["people"], graph.subgraphs["scores"]
    people.behave = sends(reply(b"", "500 Oops"))
    scores.behave = lambda writer, request: asyncio.Event().wait()
    given = {
        "PEOPLE__BREAKER__LEAST": "3",
        "PEOPLE__BREAKER__OPEN_S": "600",
        "PEOPLE__RETRY__RETRIES": "1",
        "SCORES__MAX_CONNECTIONS": "1",
        "SCORES__MAX_WAITING": "0",
    }
    with graph.serve(**{f"CONCORD_SUBGRAPHS__{name}": value for name, value in given.items()}) as gateway:
        answers = [await gateway.ask("{ name }") for _ in range(3)]
        codes = [each["errors"][0]["extensions"]["code"] for each in answers]
        assert codes == ["SYSTEM_ERROR", "SYSTEM_CIRCUIT_OPEN", "SYSTEM_CIRCUIT_OPEN"]
        assert len(people.requests) == 3
        assert answers[-1]["errors"][0]["extensions"]["retryAfterMs"] > 500_000
        async with asking(gateway, ["{ score(of: 1) }"]):
            await scores.got(1)
            answer = await gateway.ask("{ score(of: 2) }")
            assert answer["errors"][0]["extensions"]["code"] == "SYSTEM_CIRCUIT_OPEN"
