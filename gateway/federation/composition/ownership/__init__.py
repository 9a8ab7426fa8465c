"""Ownership: each type, field and mutation of a graph, checked against the ownership table when the graph is composed."""

from gateway.federation.composition.ownership.graph import OwnedGraph
from gateway.federation.composition.ownership.rules import OWNERSHIP_RULES

__all__ = ["OWNERSHIP_RULES", "OwnedGraph"]
