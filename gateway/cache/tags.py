"""Tags: what a kept entity depends on. Dropping a tag makes everything that was read before it unusable.

Tags are texts, since they go to Redis as they are. An entity of the CRM with the contracts in it depends on

    ("all", "type crm Customer", "in crm Contract", "key Customer crmRef 17", "by crm 3f…", "by * 3f…")

where the last two are the reader's own: what he wrote since counts for him at once, whoever the entity was read for.
"""

from __future__ import annotations

from hashlib import blake2b

from gateway.execution.ports import CallerView

ALL = "all"
EVERY_SUBGRAPH = "*"


def key_tag(type_name: str, field: str, value: object) -> str:
    """Of one entity, by one of its keys; in every subgraph alike."""
    return f"key {type_name} {field} {value}"


def type_tag(subgraph: str, type_name: str) -> str:
    """Of all entities of a type that a subgraph told."""
    return f"type {subgraph} {type_name}"


def inner_tag(subgraph: str, type_name: str) -> str:
    """Of all that a subgraph told with entities of a type somewhere inside."""
    return f"in {subgraph} {type_name}"


def writer_tag(caller: CallerView, subgraph: str) -> str:
    """Of all that a caller may be told by a subgraph; dropped when he writes through it."""
    parts = (caller.tenant or "", caller.subject) if caller.subject is not None else ("", caller.rights)
    return f"by {subgraph} {blake2b(chr(0).join(parts).encode(), digest_size=12).hexdigest()}"
