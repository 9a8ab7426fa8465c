"""Fixtures over scripted subgraphs, shared by the tests of execution, upstream, writes and faults."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from planned_gateway import Planned, planned
from scripted_subgraph import ScriptedSubgraph
from served_process import free_port


@pytest.fixture(scope="session")
async def pool() -> AsyncIterator[dict[str, ScriptedSubgraph]]:
    servers = {name: await ScriptedSubgraph().start() for name in ("a", "b", "c")}
    yield servers
    for server in servers.values():
        await server.stop()


@pytest.fixture
async def subgraphs(pool: dict[str, ScriptedSubgraph]) -> dict[str, ScriptedSubgraph]:
    """Three scripted subgraphs `a`, `b` and `c`."""
    for server in pool.values():
        server.reset()
    return pool


@pytest.fixture
async def gateway(subgraphs: dict[str, ScriptedSubgraph]) -> AsyncIterator[Callable[..., Planned]]:
    """Makes an engine with one hand-made plan over the scripted subgraphs."""
    made: list[Planned] = []

    def make(sdl: str, plan: Any, **options: Any) -> Planned:
        made.append(planned(sdl, plan, subgraphs, **options))
        return made[-1]

    yield make
    for each in made:
        await each.aclose()


@pytest.fixture
def unused_tcp_port() -> int:
    """A port nobody listens on."""
    return free_port()
