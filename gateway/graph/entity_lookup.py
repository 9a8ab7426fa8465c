"""Asks the owner of a type, over its `_entities` field, whether entities exist and what their other keys are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gateway.errors import REGISTRY, GatewayError
from gateway.execution.located import SubgraphProfile
from gateway.execution.ports import RequestContext, SubgraphClient, SubgraphFailure, SubgraphRequest
from gateway.federation.plan import OperationKind
from gateway.federation.supergraph.model import Supergraph

if TYPE_CHECKING:
    from gateway.graph.context import EntityKeys


class SubgraphEntityLookup:
    """`EntityLookup` for one request to the gateway."""

    def __init__(
        self,
        supergraph: Supergraph,
        clients: Mapping[str, SubgraphClient],
        context: RequestContext,
        profiles: Mapping[str, SubgraphProfile],
        echoes: frozenset[str],
    ) -> None:
        """`clients` by subgraph; the context gives deadline and correlation, `profiles` what errors call each. `echoes` as `find_owner` says."""
        self._echoes = echoes
        self._supergraph = supergraph
        self._clients = clients
        self._context = context
        self._profiles = profiles

    async def __call__(self, typename: str, known: Sequence[EntityKeys], wanted: str) -> Sequence[str | None]:
        """Return the wanted key of each entity, None where there is none. Raises `GatewayError` with a SYSTEM_* code."""
        names = frozenset(known[0])
        owner = find_owner(self._supergraph, typename, names, wanted, echoes=self._echoes)
        if owner is None:
            return [None] * len(known)
        request = SubgraphRequest(
            subgraph=owner,
            kind=OperationKind.QUERY,
            document="query($representations:[_Any!]!){_entities(representations:$representations)"
            f"{{...on {typename}{{{_selection(wanted)}}}}}}}",
            variables={"representations": [{"__typename": typename, **keys} for keys in known]},
            entities=len(known),
        )
        profile = self._profiles.get(owner)
        at_fault = {"system": owner if profile is None else profile.system}
        try:
            answer = (await self._clients[owner].fetch(request, self._context)).value
        except SubgraphFailure as failure:
            wait_ms = failure.retry_after_ms
            raise GatewayError(failure.code, failure.message, retry_after_ms=wait_ms, extensions=at_fault) from failure
        return _read_keys(answer, wanted, len(known), at_fault)


def find_owner(
    supergraph: Supergraph, typename: str, known: frozenset[str], wanted: str, *, echoes: frozenset[str]
) -> str | None:
    """Return the first subgraph that resolves a type by exactly these key fields and has the wanted one itself.

    `wanted` may be a path, `owner.id`, whose first field is looked at. `echoes` are subgraphs that take every key for
    something that exists, as the gateway's own does.
    """
    wanted = wanted.partition(".")[0]
    for name, subgraph in supergraph.subgraphs.items():
        if name in echoes:
            continue
        declared = subgraph.types.get(typename)
        if declared is None:
            continue
        field = declared.fields.get(wanted)
        if field is None or field.is_external:
            continue
        if any(key.is_resolvable and frozenset(key.fields.text.split()) == known for key in declared.keys):
            return name
    return None


def _read_keys(answer: Any, wanted: str, count: int, at_fault: Mapping[str, str]) -> list[str | None]:
    match answer:
        case {"data": {"_entities": list() as entities}} if len(entities) == count and not answer.get("errors"):
            return [_read_key(entity, wanted) for entity in entities]
        case {"errors": [{"extensions": {"code": str() as code}}, *_]} if code in REGISTRY:
            raise GatewayError(code, extensions=at_fault)
        case {"errors": [_, *_]}:
            raise GatewayError("SYSTEM_ERROR", extensions=at_fault)
        case _:
            raise GatewayError("SYSTEM_BAD_RESPONSE", extensions=at_fault)


def _read_key(entity: Any, wanted: str) -> str | None:
    for name in wanted.split("."):
        entity = entity.get(name) if isinstance(entity, dict) else None
    return None if entity is None else str(entity)


def _selection(path: str) -> str:
    """Return a selection of one field: `owner.id` becomes `owner{id}`."""
    first, _, rest = path.partition(".")
    return f"{first}{{{_selection(rest)}}}" if rest else first
