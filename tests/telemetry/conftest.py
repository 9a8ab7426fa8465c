from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from scripted_subgraph import ScriptedSubgraph
from served_graph import Graph


@pytest.fixture
async def graph(tmp_path: Path) -> AsyncIterator[Graph]:
    """A graph of two subgraphs, `people` and `scores`, that say what the test tells them to."""
    subgraphs = {name: await ScriptedSubgraph().start() for name in ("people", "scores")}
    yield Graph(tmp_path, subgraphs)
    for each in subgraphs.values():
        await each.stop()
