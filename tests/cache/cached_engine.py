"""An engine over scripted subgraphs with the entity cache before one of them, and callers of the test's choosing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from scripted_subgraph import ScriptedSubgraph

from gateway.cache.cached_entities import CachedEntities
from gateway.cache.entity_cache import EntityCache
from gateway.cache.shared_entries import SharedEntries
from gateway.engine import ANONYMOUS, Caller, Engine, GraphQLRequest
from gateway.execution.ports import SubgraphClient
from gateway.federation.composition import SubgraphSource, compose
from gateway.federation.ownership import CachePolicy
from gateway.federation.supergraph import parse_supergraph
from gateway.upstream.breaker import CircuitBreaker
from gateway.upstream.bulkhead import Bulkhead
from gateway.upstream.coalesce import Coalesced
from gateway.upstream.deadline import Deadlined
from gateway.upstream.direct import Direct
from gateway.upstream.headers import Headered
from gateway.upstream.lean_transport import LeanTransport
from gateway.upstream.measured import Measured
from gateway.upstream.remote import remote_subgraph
from gateway.upstream.retry import Retried

SCHEMAS = {
    "people": """
        type Query { users(ids: [ID!]): [User] teams: [Team] }
        type User @key(fields: "id") { id: ID! name: String }
        type Team @key(fields: "code") { code: ID! }
    """,
    "scores": """
        type Mutation { setScore(id: ID!, score: Int): SetScore touch: Int }
        type SetScore { user: User }
        type User @key(fields: "id") { id: ID! score(season: Int): Int level: Int best: Team }
        type Team @key(fields: "code") { code: ID! points: Int }
    """,
}


class Scores:
    """The subgraph `scores`: what it knows, what is wrong with it, and what it was asked."""

    def __init__(self, subgraph: ScriptedSubgraph) -> None:
        self.subgraph = subgraph
        subgraph.say = self.say
        self.scores: dict[str, int] = {str(number): number * 10 for number in range(1, 10)}
        self.failing: dict[str, str] = {}
        """User → the code of the error in place of his score."""

    @property
    def asked(self) -> list[list[str]]:
        """Keys of the representations of each read, since `forget`."""
        return [
            [each.get("id") or each["code"] for name in sorted(body["variables"]) for each in lists(body, name)]
            for body in self.subgraph.requests
            if "_entities" in body["query"]
        ]

    def forget(self) -> None:
        self.subgraph.requests.clear()
        self.subgraph.headers.clear()

    def say(self, body: dict[str, Any]) -> dict[str, Any]:
        if "_entities" not in body["query"]:
            return self.write(body)
        data: dict[str, Any] = {}
        errors: list[dict[str, Any]] = []
        names = {"representations": "_entities"} | {f"r{n}": f"_e{n}" for n in range(3)}
        for variable in body["variables"]:
            name = names.get(variable)
            if name is not None:
                data[name] = [self.entity(each, [name, at], errors) for at, each in enumerate(lists(body, variable))]
        return {"data": data, "extensions": {"concord": {"vendorRequests": {"arena": 1}}}} | (
            {"errors": errors} if errors else {}
        )

    def entity(self, key: dict[str, Any], path: list[Any], errors: list[dict[str, Any]]) -> dict[str, Any] | None:
        if key["__typename"] == "Team":
            return {"points": 3}
        user = key["id"]
        if user in self.failing:
            errors.append({"message": "no", "path": [*path, "score"], "extensions": {"code": self.failing[user]}})
            return {"score": None, "level": 1}
        if user not in self.scores:
            return None
        return {"score": self.scores[user], "level": 1, "best": {"__typename": "Team", "code": "red"}}

    def write(self, body: dict[str, Any]) -> dict[str, Any]:
        if "touch" in body["query"]:
            self.scores = {user: score + 1 for user, score in self.scores.items()}
            return {"data": {"touch": 1}}
        user = body["variables"]["id"]
        self.scores[user] = body["variables"]["score"]
        return {"data": {"setScore": {"user": {"__typename": "User", "id": user, "score": self.scores[user]}}}}


def lists(body: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = body["variables"][name]
    return value if isinstance(value, list) else []


@dataclass
class Cached:
    """The engine, its cache and the subgraphs behind it."""

    engine: Engine
    cache: EntityCache
    scores: Scores
    people: ScriptedSubgraph

    async def respond(
        self, query: str, variables: dict[str, Any] | None = None, *, caller: Caller = ANONYMOUS, **headers: str
    ) -> dict[str, Any]:
        """Return the whole answer."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        request = GraphQLRequest(query=query, variables=variables or {}, headers=names)
        return (await self.engine.execute(request, caller)).payload()

    async def scores_of(self, *users: str, caller: Caller = ANONYMOUS, **headers: str) -> list[Any]:
        """Return the scores of some users, from an answer without errors."""
        answer = await self.respond(
            "query($ids: [ID!]) { users(ids: $ids) { score } }", {"ids": users}, caller=caller, **headers
        )
        assert "errors" not in answer, answer
        return [user["score"] for user in answer["data"]["users"]]


def client_of(
    url: str,
    cache: EntityCache,
    policies: Mapping[str, CachePolicy],
    forwarded: tuple[str, ...],
    is_direct: bool = True,
) -> SubgraphClient:
    """A subgraph's client as the gateway makes it, but for repeating what failed."""
    http = remote_subgraph(url)
    assert isinstance(http.transport, LeanTransport)
    measured = Measured(http)
    deadlined = Deadlined(measured)
    bulkhead = Bulkhead(deadlined)
    breaker = CircuitBreaker(bulkhead)
    retried = Retried(breaker, retries=0)
    coalesced = Coalesced(retried)
    cached = CachedEntities(coalesced, cache, policies)
    if not is_direct:
        return cached  # as around the gateway's own graph
    return Direct(
        http,
        http.transport,
        measured=measured,
        deadlined=deadlined,
        bulkhead=bulkhead,
        breaker=breaker,
        retried=retried,
        coalesced=coalesced,
        headered=Headered(cached, fixed={}, forwarded=forwarded),
        keeps=cached if policies else None,
    )


@asynccontextmanager
async def cached_engine(
    policies: Mapping[str, CachePolicy],
    subgraphs: Mapping[str, ScriptedSubgraph],
    *,
    shared: SharedEntries | None = None,
    forwarded: tuple[str, ...] = (),
    max_bytes: int = 1 << 20,
    is_direct: bool = True,
) -> AsyncIterator[Cached]:
    """Serve the graph of `SCHEMAS`; `policies` are those of the subgraph `scores`."""
    sources = [SubgraphSource(name=name, url=subgraphs[name].url, sdl=sdl) for name, sdl in SCHEMAS.items()]
    composed = compose(sources)
    assert composed.supergraph_sdl is not None, composed
    supergraph = parse_supergraph(composed.supergraph_sdl)
    cache = EntityCache(max_bytes=max_bytes, shared=shared)
    cache.use(supergraph)
    clients = {
        name: client_of(each.url, cache, policies if name == "scores" else {}, forwarded, is_direct)
        for name, each in subgraphs.items()
    }
    engine = Engine(supergraph, clients)
    people = subgraphs["people"]
    people.say = lambda body: {
        "data": {
            "users": [{"__typename": "User", "id": each} for each in body["variables"].get("ids") or ()],
            "teams": [{"__typename": "Team", "code": "red"}],
        }
    }
    try:
        yield Cached(engine, cache, Scores(subgraphs["scores"]), people)
    finally:
        engine.close()
        for client in clients.values():
            await client.aclose()
