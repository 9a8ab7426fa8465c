"""Start a fetch that nobody awaits: at once where the subgraph's client can, else in a task of its own."""

from __future__ import annotations

import asyncio
from functools import partial

from gateway.execution.ports import Begin, Landing, RequestContext, SubgraphClient, SubgraphRequest


def begin_with(client: SubgraphClient) -> Begin:
    """Return the function that starts fetches of a client."""
    own: Begin | None = getattr(client, "begin", None)
    return own or partial(begin_in_task, client)


def begin_in_task(
    client: SubgraphClient, request: SubgraphRequest, context: RequestContext, land: Landing
) -> asyncio.Task[None]:
    """Start a fetch as a task."""
    return asyncio.get_running_loop().create_task(_fetch(client, request, context, land))


async def _fetch(client: SubgraphClient, request: SubgraphRequest, context: RequestContext, land: Landing) -> None:
    try:
        answer = await client.fetch(request, context)
    except Exception as error:  # noqa: BLE001 - nobody awaits this task: whatever it is, whoever asked has to know
        land(error)
    else:
        land(answer)
