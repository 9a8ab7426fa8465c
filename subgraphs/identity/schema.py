"""Identity's federated schema."""

from __future__ import annotations

from subgraphs.identity.access import ACCESS, CONSUMERS
from subgraphs.identity.mutation import Mutation
from subgraphs.identity.query import Query
from subgraphs.identity.types import Customer
from subgraphs.kit.subgraph_schema import SubgraphSchema, subgraph_schema


def create_schema() -> SubgraphSchema:
    """Return the schema; its operations need an `IdentityContext`."""
    return subgraph_schema(query=Query, mutation=Mutation, types=[Customer], access=ACCESS, consumers=CONSUMERS)
