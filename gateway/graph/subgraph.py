"""Puts the gateway's own graph beside the other subgraphs: an in-process client with its dependencies."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.events.embedded import Events
from gateway.execution.ports import RequestContext, SubgraphClient
from gateway.federation.supergraph import Supergraph
from gateway.graph.context import GraphContext, SystemDirectory
from gateway.graph.entity_lookup import SubgraphEntityLookup
from gateway.graph.schema import create_schema
from gateway.upstream.in_process import InProcessSubgraph

_LAST_EVENT_ID = "last-event-id"


def concord_subgraph(
    supergraph: Supergraph, clients: Mapping[str, SubgraphClient], events: Events, directory: SystemDirectory
) -> InProcessSubgraph:
    """Return the client of the subgraph `concord`; `clients` are those of the others, which know what exists."""

    async def make_context(context: RequestContext) -> GraphContext:
        return GraphContext(
            log=events.log,
            streams=events.streams,
            look_up=SubgraphEntityLookup(supergraph, clients, context),
            directory=directory,
            resume_after=context.headers.get(_LAST_EVENT_ID) or None,
        )

    return InProcessSubgraph(create_schema(), make_context=make_context)
