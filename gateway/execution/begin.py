"""Start a fetch that nobody awaits: at once where the subgraph's client can, else in a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeAlias

from gateway.execution.ports import Begin, Landing, RequestContext, SubgraphAnswer, SubgraphClient, SubgraphRequest

Fetch: TypeAlias = Callable[[], Coroutine[Any, Any, SubgraphAnswer]]
"""What is left of a fetch. Raises SubgraphFailure."""


def begin_with(client: SubgraphClient) -> Begin:
    """Return the function that starts fetches of a client."""
    own: Begin | None = getattr(client, "begin", None)
    return own or partial(begin_in_task, client)


def begin_in_task(
    client: SubgraphClient, request: SubgraphRequest, context: RequestContext, land: Landing
) -> asyncio.Task[None]:
    """Start a fetch as a task."""
    return land_in_task(partial(client.fetch, request, context), land)


def land_in_task(fetch: Fetch, land: Landing) -> asyncio.Task[None]:
    """Fetch in a task, and tell how that ended."""
    return asyncio.get_running_loop().create_task(_land(fetch, land))


async def _land(fetch: Fetch, land: Landing) -> None:
    try:
        answer = await fetch()
    except Exception as error:  # noqa: BLE001 - nobody awaits this task: whatever it is, whoever asked has to know
        land(error)
    else:
        land(answer)
