"""The entities that one fetch wants: by which key each is kept, and on which tags that depends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson
from msgspec import Struct

from gateway.cache.asked import AskedInput, KnownEntities
from gateway.cache.entity_cache import Refused
from gateway.cache.local_entries import Entry, LocalEntries
from gateway.cache.tags import ALL, EVERY_SUBGRAPH, inner_tag, key_tag, type_tag, writer_tag
from gateway.execution.ports import RequestContext, SubgraphFailure, SubgraphRequest
from gateway.federation.ownership import CachePolicy

CREDENTIALS = frozenset({"authorization", "cookie"})
"""Headers that say who asks, and nothing else."""


class Want(Struct, kw_only=True, eq=False):
    """One entity that a fetch wants. A `Struct`: it is made in C."""

    input: AskedInput
    index: int
    """Place among the input's representations."""
    representation: Mapping[str, Any]
    policy: CachePolicy | None
    """None where its type is always read."""
    key: bytes = b""
    tags: tuple[str, ...] = ()
    newest: int = 0
    """When one of its tags was dropped last, by this process's clock: what was read earlier is of no use."""
    entry: Entry | None = None
    """What was kept, or read by another fetch meanwhile."""
    stale: Entry | None = None
    """What may stand in if the owner can't be asked."""
    is_told: bool = False
    """Whether the subgraph answered it in this fetch; then `value` is what it said."""
    value: Any = None
    trouble: Refused | SubgraphFailure | None = None
    """Why there is nothing, or not all of it."""

    @property
    def is_open(self) -> bool:
        """Whether it still has to be read."""
        return self.entry is None and not self.is_told and self.trouble is None


@dataclass(frozen=True, slots=True)
class _Group:
    """What the entities of one type in one input have in common."""

    policy: CachePolicy | None
    prefix: bytes = b""
    tags: tuple[str, ...] = ()
    newest: int = 0
    key_fields: frozenset[str] = frozenset()


def wants_of(
    inputs: tuple[AskedInput, ...],
    request: SubgraphRequest,
    context: RequestContext,
    policies: Mapping[str, CachePolicy],
    known: KnownEntities,
    local: LocalEntries,
) -> list[Want]:
    """Return what a fetch wants, in order; empty where no type of it is kept."""
    lists = {each.variable for each in inputs}
    others = {name: value for name, value in request.variables.items() if name not in lists}
    arguments = orjson.dumps(others, option=orjson.OPT_SORT_KEYS) if others else b""
    wants: list[Want] = []
    is_kept = False
    for each in inputs:
        groups: dict[str, _Group] = {}
        for index, representation in enumerate(request.variables.get(each.variable) or ()):
            type_name = representation["__typename"]
            group = groups.get(type_name)
            if group is None:
                group = groups[type_name] = _group(
                    each, type_name, request, context, arguments, policies.get(type_name), known, local
                )
            if group.policy is None:
                wants.append(Want(input=each, index=index, representation=representation, policy=None))
                continue
            try:
                text = orjson.dumps(representation, option=orjson.OPT_SORT_KEYS)
            except TypeError:  # nested deeper than it writes: a value that another system has, and no key
                wants.append(Want(input=each, index=index, representation=representation, policy=None))
                continue
            is_kept = True
            key_fields = group.key_fields
            own = [key_tag(type_name, name, value) for name, value in representation.items() if name in key_fields]
            wants.append(
                Want(
                    input=each,
                    index=index,
                    representation=representation,
                    policy=group.policy,
                    key=blake2b(group.prefix + text, digest_size=20).digest(),
                    tags=(*group.tags, *own),
                    newest=max(group.newest, local.newest(own)),
                )
            )
    return wants if is_kept else []


def _group(
    asked: AskedInput,
    type_name: str,
    request: SubgraphRequest,
    context: RequestContext,
    arguments: bytes,
    policy: CachePolicy | None,
    known: KnownEntities,
    local: LocalEntries,
) -> _Group:
    if policy is None:
        return _Group(None)
    tags = (
        ALL,
        type_tag(request.subgraph, type_name),
        *(inner_tag(request.subgraph, name) for name in asked.inner_types),
        writer_tag(context.caller, request.subgraph),
        writer_tag(context.caller, EVERY_SUBGRAPH),
    )
    # An answer that is the same for everybody does not depend on who asks; on what they are confined to, and on anything
    # else that is sent, it may.
    headers = [pair for pair in sorted(request.headers) if policy.is_private or pair[0] not in CREDENTIALS]
    caller = context.caller
    rights = caller.rights if policy.is_private else [caller.tenant, sorted(caller.filters.items())]
    scope = orjson.dumps([request.subgraph, type_name, headers, rights])
    prefix = blake2b(scope + asked.digest + arguments, digest_size=16).digest()
    return _Group(policy, prefix, tags, local.newest(tags), known.key_fields.get(type_name, frozenset()))
