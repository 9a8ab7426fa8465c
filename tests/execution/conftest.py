from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "execution"))

from planned_gateway import Planned, planned
from scripted_subgraph import ScriptedSubgraph


@pytest.fixture(scope="session")
async def _pool() -> AsyncIterator[dict[str, ScriptedSubgraph]]:
    servers = {name: await ScriptedSubgraph().start() for name in ("a", "b", "c")}
    yield servers
    for server in servers.values():
        await server.stop()


@pytest.fixture
async def subgraphs(_pool: dict[str, ScriptedSubgraph]) -> dict[str, ScriptedSubgraph]:
    """Three scripted subgraphs `a`, `b` and `c`."""
    for server in _pool.values():
        server.reset()
    return _pool


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
