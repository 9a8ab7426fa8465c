"""The query graph: where one can go from where in a supergraph."""

from gateway.federation.query_graph.graph import QueryGraph
from gateway.federation.query_graph.model import FieldEdge, KeyEdge, Node

__all__ = ["FieldEdge", "KeyEdge", "Node", "QueryGraph"]
