"""Ownership: which system and team stands behind each type, field and mutation, checked when the graph is composed."""

from gateway.federation.composition.ownership.graph import OwnedGraph
from gateway.federation.composition.ownership.model import CachePolicy, Ownership, System
from gateway.federation.composition.ownership.parse import OwnershipInvalidError, parse_ownership
from gateway.federation.composition.ownership.rules import OWNERSHIP_RULES

__all__ = [
    "OWNERSHIP_RULES",
    "CachePolicy",
    "OwnedGraph",
    "Ownership",
    "OwnershipInvalidError",
    "System",
    "parse_ownership",
]
