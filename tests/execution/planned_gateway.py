"""An engine whose plan the test makes by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from graphql import build_schema
from scripted_subgraph import ScriptedSubgraph

from gateway.engine import Engine, EngineLimits, GraphQLRequest, GraphQLResponse
from gateway.execution.located import SubgraphProfile
from gateway.execution.ports import RequestContext, SubgraphAnswer, SubgraphClient, SubgraphRequest
from gateway.federation.operation import Operation
from gateway.federation.plan import (
    EachItem,
    EntityFetch,
    EntityInput,
    OperationKind,
    Path,
    PathKey,
    PlanNode,
    QueryPlan,
    RepresentationField,
    RootFetch,
    SubscriptionPlan,
)
from gateway.federation.supergraph import SubgraphInfo, Supergraph, parse_supergraph
from gateway.upstream.http import HttpSubgraph
from gateway.upstream.lean_transport import LeanTransport


@dataclass
class OnePlan:
    node: PlanNode | SubscriptionPlan | None

    def plan(self, operation: Operation, active_labels: frozenset[str]) -> QueryPlan:
        return QueryPlan(kind=operation.kind, root=self.node)


@dataclass
class Planned:
    engine: Engine
    clients: Mapping[str, SubgraphClient]

    async def ask(self, query: str, variables: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
        """Return data and errors, without the correlation id, which is only checked to be there."""
        return told(await self.respond(query, variables, **headers))

    async def respond(self, query: str, variables: dict[str, Any] | None = None, **headers: str) -> GraphQLResponse:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.engine.execute(GraphQLRequest(query=query, variables=variables or {}, headers=names))

    async def aclose(self) -> None:
        self.engine.close()
        for client in self.clients.values():
            await client.aclose()


_SHELL = """
schema @link(url: "https://specs.apollo.dev/link/v1.0") @link(url: "https://specs.apollo.dev/join/v0.5", for: EXECUTION) {
  query: Query
}
directive @join__graph(name: String!, url: String!) on ENUM_VALUE
directive @link(url: String, as: String, for: link__Purpose, import: [link__Import]) repeatable on SCHEMA
enum link__Purpose { EXECUTION }
scalar link__Import
enum join__Graph { A @join__graph(name: "a", url: "") }
type Query { a: Int }
"""


def plain_supergraph(sdl: str, subgraphs: list[str]) -> Supergraph:
    """A supergraph of some subgraphs that knows its schema and nothing else: enough for plans made by hand."""
    schema = build_schema(sdl)
    infos = {name: SubgraphInfo(name, "", {}) for name in subgraphs}
    return replace(parse_supergraph(_SHELL), schema=schema, api_schema=schema, subgraphs=infos)


def told(response: GraphQLResponse) -> dict[str, Any]:
    payload = response.payload()
    for error in payload.get("errors", ()):
        assert error["extensions"].pop("correlationId") == response.headers["X-Correlation-Id"]
    if "errors" in payload:
        payload["errors"] = [
            {"path": error.get("path"), **{k: v for k, v in error["extensions"].items() if k != "class"}}
            for error in payload["errors"]
        ]
    return payload


async def no_subscriptions(request: SubgraphRequest, context: RequestContext) -> Any:
    raise AssertionError(request, context)
    yield SubgraphAnswer(None)


def planned(
    sdl: str,
    plan: Any,
    subgraphs: Mapping[str, ScriptedSubgraph],
    *,
    planner: Any = None,
    limits: EngineLimits | None = None,
    profiles: Mapping[str, SubgraphProfile] | None = None,
    wrap: Any = lambda client: client,
    urls: Mapping[str, str] | None = None,
    transport: Any = LeanTransport,
    max_bytes: int = 64 << 20,
    **options: Any,
) -> Planned:
    supergraph = plain_supergraph(sdl, list(subgraphs))
    clients = {}
    for name, each in subgraphs.items():
        carrier = transport(each.url if urls is None else urls.get(name, each.url), max_bytes=max_bytes)
        clients[name] = wrap(HttpSubgraph(carrier, subscribe=no_subscriptions))
    engine = Engine(
        supergraph,
        clients,
        planner=planner or OnePlan(plan),
        profiles=profiles,
        limits=limits or EngineLimits(),
        **options,
    )
    return Planned(engine, clients)


def path(text: str) -> Path:
    """`users.@.friend` or `nodes.@[A|B].x`, in the plan's own notation."""
    steps: list[Any] = []
    for part in filter(None, text.split(".")):
        name, _, types = part.rstrip("]").partition("[")
        possible = frozenset(types.split("|")) if types else None
        steps.append(EachItem(possible) if name == "@" else PathKey(name, possible))
    return tuple(steps)


def root(
    subgraph: str, document: str, *fields: str, kind: OperationKind = OperationKind.QUERY, **options: Any
) -> RootFetch:
    return RootFetch(subgraph=subgraph, kind=kind, document=document, root_fields=fields, **options)


def key(*names: str, required: bool = True) -> tuple[RepresentationField, ...]:
    typename = RepresentationField("__typename", "__typename", is_nullable=False)
    return (typename, *(RepresentationField(name, name, is_nullable=not required) for name in names))


def entity(
    subgraph: str,
    selection: str,
    *paths: str,
    type_name: str,
    keys: Any = ("id",),
    fields: tuple[str, ...],
    **options: Any,
) -> EntityFetch:
    entity_input = EntityInput(
        paths=tuple(map(path, paths)),
        type_condition=type_name,
        representation=key(*keys) if isinstance(keys[0], str) else keys,
        fields=fields,
        **options,
    )
    document = f"query($representations:[_Any!]!){{_entities(representations:$representations){{...on {type_name}{{{selection}}}}}}}"
    return EntityFetch(subgraph=subgraph, document=document, inputs=(entity_input,))
