"""The ownership table: which system and team stands behind each type and field, and how long what they say may be kept.

Composition checks a graph against it; a process that serves reads it without composition.
"""

from gateway.federation.ownership.model import CachePolicy, Ownership, System
from gateway.federation.ownership.parse import OwnershipInvalidError, parse_ownership

__all__ = [
    "CachePolicy",
    "Ownership",
    "OwnershipInvalidError",
    "System",
    "parse_ownership",
]
