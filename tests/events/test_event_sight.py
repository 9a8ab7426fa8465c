"""No event reaches a caller who may not see it: in lists, subscriptions, the feed, webhooks, replays and dead letters."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256

import httpx2
import pytest
import strawberry
from pydantic import SecretStr
from running_gateway import SDL, SECRET, gateway_on
from served_process import free_port
from standardwebhooks import Webhook as Verifier
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.access.settings import AccessSettings, KeySettings
from gateway.events.settings import EventsSettings, WebhookSettings
from gateway.federation.composition import SubgraphSource, compose
from gateway.settings import Settings
from gateway.settings_tables import StateSettings, SupergraphSettings
from gateway.upstream.settings import SubgraphSettings
from subgraphs.kit.current_request import current_request
from subgraphs.kit.settings import SubgraphSettings as ProcessSettings
from subgraphs.kit.subgraph_app import Running, create_app
from subgraphs.kit.subgraph_schema import print_subgraph_schema, subgraph_schema

HOOK_SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
FEED_KEY = "analytics-key-of-16+"
UNITS = {"emea-1": "EMEA", "emea-2": "EMEA", "amer-1": "AMER"}
"""Customer → the business unit that it belongs to; its tenant is its own name."""


def gid(typename: str, local: str) -> str:
    return base64.urlsafe_b64encode(f"{typename}:{local}".encode()).decode().rstrip("=")


NAMES = {gid("Customer", name): name for name in UNITS}


@strawberry.federation.type(keys=["id"], description="A customer.")
class Customer:
    id: strawberry.ID = strawberry.field(description="Its id.")
    name: str | None = strawberry.field(description="Its name.")

    @classmethod
    async def resolve_reference(cls, info: strawberry.Info, *, id: strawberry.ID) -> Customer | None:  # noqa: A002 - the key's name
        """As identity does: whoever is beyond the caller's claims is not there."""
        current = current_request()
        assert current is not None
        assert current.caller is not None
        caller, name = current.caller, NAMES.get(str(id))
        units = caller.allowed("business_unit")
        is_there = name is not None and (units is None or UNITS[name] in units) and caller.tenant in (None, name)
        return cls(id=id, name=name) if is_there else None


@strawberry.type(description="What can be read.")
class Query:
    @strawberry.field(description="Whether it answers.")
    def well(self) -> bool | None:
        return True


SCHEMA = subgraph_schema(query=Query, types=(Customer,))


def event(number: int, customer: str | None, *, source: str = "concord/billing") -> dict[str, object]:
    keys = {"contract": f"CON-{number}"} | ({"customer": gid("Customer", customer)} if customer else {})
    return {
        "specversion": "1.0",
        "id": f"evt-{number}",
        "source": source,
        "type": "concord.contract.paused.v1",
        "subject": gid("Contract", f"CON-{number}"),
        "time": "2026-03-01T09:30:00Z",
        "datacontenttype": "application/json",
        "data": {"keys": keys, "changes": [{"field": "status", "from": "ACTIVE", "to": "PAUSED"}]},
    }


def key(name: str) -> dict[str, str]:
    return {"x-api-key": f"key-of-{name}"}


@dataclass
class Guarded:
    url: str
    client: httpx2.AsyncClient
    faults: dict[str, int]
    sign: object

    async def publish(self, *events) -> None:
        body = json.dumps(events).encode()
        headers = {"content-type": "application/cloudevents-batch+json", "x-concord-signature": self.sign(body)}
        assert (await self.client.post(f"{self.url}/events", content=body, headers=headers)).status_code == 200

    async def ask(self, name: str, query: str, **variables):
        body = {"query": query, "variables": variables}
        return (await self.client.post(f"{self.url}/graphql", json=body, headers=key(name))).json()

    async def events(self, name: str, arguments: str = "first: 50"):
        query = f"""{{ events({arguments}) {{ totalCount edges {{ cursor node {{ id }} }}
            pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"""
        answer = await self.ask(name, query)
        assert "errors" not in answer, answer
        return answer["data"]["events"]


def ids(page) -> list[str]:
    return [edge["node"]["id"] for edge in page["edges"]]


@pytest.fixture
def guarded(tmp_path, schemas, serve, sign):
    """A gateway that lets in callers of several kinds, over an owner of customers that hides them as their claims say."""

    def caller(name, **more):
        scopes = ("events:read", "operations:read", "operations:write")
        return KeySettings(**{"sha256": sha256(f"key-of-{name}".encode()).hexdigest(), "scopes": scopes, **more})

    @asynccontextmanager
    async def guarded(*, events=None, webhooks=None, keys=None):
        process = ProcessSettings(signing_secret=SecretStr(SECRET), require_caller=True)

        @asynccontextmanager
        async def start(_settings):
            yield Running(context=dict)

        app, faults = create_app("owner", SCHEMA, process, start), {}

        async def broken(scope, receive, send):
            if scope["type"] == "http" and "owner" in faults:
                await PlainTextResponse("broken", faults["owner"])(scope, receive, send)
            else:
                await app(scope, receive, send)

        async with AsyncExitStack() as stack:
            url = f"{await stack.enter_async_context(serve(broken, lifespan='on'))}/graphql"
            client = await stack.enter_async_context(httpx2.AsyncClient(trust_env=False, timeout=60))
            composition = compose(
                [
                    SubgraphSource(name="owner", url=url, sdl=print_subgraph_schema(SCHEMA)),
                    SubgraphSource(
                        name="concord", url="http://concord.invalid", sdl=(SDL / "concord.graphql").read_text()
                    ),
                ]
            )
            assert composition.supergraph_sdl is not None, composition.errors
            supergraph = tmp_path / "supergraph.graphql"
            supergraph.write_text(composition.supergraph_sdl)
            settings = Settings(
                access=AccessSettings(
                    keys={
                        "everybody": caller("everybody"),
                        "emea": caller("emea", filters={"business_unit": ("EMEA",)}),
                        "nobody": caller("nobody", filters={"business_unit": ()}),
                        "amer-1": caller("amer-1", tenant="amer-1"),
                        "eu": caller("eu", filters={"region": ("EU",)}),
                        "blind": caller("blind", scopes=()),
                        **(keys or {}),
                    }
                ),
                state=StateSettings(directory=tmp_path),
                supergraph=SupergraphSettings(path=supergraph),
                events=EventsSettings(
                    contracts=schemas,
                    feed_keys={"analytics": FEED_KEY},
                    regions={"billing/us": "US", "billing/eu": "EU"},
                    **(events or {}),
                ),
                webhooks=webhooks or {},
                subgraphs={
                    "owner": SubgraphSettings(url=url, schema_path=SDL / "identity.graphql"),
                    "concord": SubgraphSettings(
                        in_process="concord", schema_path=SDL / "concord.graphql", system="gateway"
                    ),
                },
            )
            gateway = await stack.enter_async_context(gateway_on(free_port(), settings))
            yield Guarded(gateway, client, faults, sign)

    return guarded


BATCH = [
    event(1, "emea-1"),
    event(2, "amer-1"),
    event(3, None),
    event(4, "emea-2", source="concord/billing/us"),
    event(5, "emea-1", source="concord/billing/eu"),
    event(6, "stranger"),
]
SEEN = {
    "everybody": ["evt-1", "evt-2", "evt-3", "evt-4", "evt-5", "evt-6"],
    "emea": ["evt-1", "evt-4", "evt-5"],
    "nobody": [],
    "amer-1": ["evt-2"],
    "eu": ["evt-1", "evt-2", "evt-3", "evt-5", "evt-6"],
}


async def test_lists_hold_what_each_caller_may_see_page_by_page(guarded):
    async with guarded() as gate:
        await gate.publish(*BATCH)
        for name, seen in SEEN.items():
            page = await gate.events(name)
            assert (name, ids(page)) == (name, seen)
            assert page["totalCount"] == (6 if name == "everybody" else None)
            assert ids(await gate.events(name, "last: 50")) == seen
        first = await gate.events("emea", "first: 2")
        assert (ids(first), first["pageInfo"]["hasNextPage"]) == (["evt-1", "evt-4"], True)
        after = await gate.events("emea", f'first: 2, after: "{first["pageInfo"]["endCursor"]}"')
        assert (ids(after), after["pageInfo"]["hasNextPage"]) == (["evt-5"], False)
        last = await gate.events("emea", "last: 1")
        assert (ids(last), last["pageInfo"]["hasPreviousPage"]) == (["evt-5"], True)
        back = await gate.events("emea", f'last: 5, before: "{last["pageInfo"]["startCursor"]}"')
        assert (ids(back), back["pageInfo"]["hasPreviousPage"]) == (["evt-1", "evt-4"], False)
        answer = await gate.ask("blind", "{ events { edges { node { id } } } }")
        codes = {error["extensions"]["code"] for error in answer["errors"]}
        assert codes == {"UNAUTHORIZED_FIELD_OR_TYPE"}
        assert "evt-" not in json.dumps(answer)


async def test_a_page_of_one_who_sees_little_ends_where_the_search_ended(guarded):
    async with guarded() as gate:
        for start in range(0, 2_600, 400):
            await gate.publish(*(event(1_000 + start + n, "amer-1") for n in range(400)))
        await gate.publish(event(1, "emea-1"))
        found, after, pages = [], None, 0
        while True:
            arguments = "first: 10" + (f', after: "{after}"' if after else "")
            page = await gate.events("emea", arguments)
            found += ids(page)
            pages += 1
            if not page["pageInfo"]["hasNextPage"]:
                break
            after = page["pageInfo"]["endCursor"]
        assert (found, pages) == (["evt-1"], 2)
        back = await gate.events("amer-1", "last: 1")
        assert ids(back) == ["evt-3799"]
        page = await gate.events("nobody", "last: 1")
        assert (ids(page), page["pageInfo"]["hasPreviousPage"]) == ([], True)


async def test_subscribers_and_readers_of_the_feed_get_what_they_may_see(guarded):
    soon = {
        "short": KeySettings(
            sha256=sha256(b"key-of-short").hexdigest(), scopes=("events:read",), expires_at=time.time() + 8
        )
    }
    async with guarded(keys=soon) as gate:
        await gate.publish(event(0, "emea-1"))
        start = (await gate.events("everybody", "last: 1"))["edges"][0]["cursor"]
        subscription = f'subscription {{ contractEvents(cursor: "{start}") {{ id }} }}'

        async def subscribed(name):
            headers = {**key(name), "accept": "text/event-stream"}
            found = []
            body = {"query": subscription}
            async with gate.client.stream("POST", f"{gate.url}/graphql", json=body, headers=headers) as reply:
                async for line in reply.aiter_lines():
                    if line.startswith("data: {"):
                        found.append(json.loads(line[6:])["data"]["contractEvents"]["id"])
                        if found[-1] == "evt-9":
                            return found
            return found

        async def fed(headers, **query):
            async with gate.client.stream("GET", f"{gate.url}/events/feed", params=query, headers=headers) as reply:
                lines = [json.loads(line) async for line in reply.aiter_lines() if line]
                return reply.status_code, [line.get("id") or line["errors"][0]["extensions"]["code"] for line in lines]

        # The last event is one that all of them see.
        last = event(9, "emea-1", source="concord/billing/eu")
        async with asyncio.timeout(60):
            watching = {name: asyncio.create_task(subscribed(name)) for name in ("everybody", "emea", "eu")}
            await asyncio.sleep(0.5)
            await gate.publish(*BATCH, last)
            for name, task in watching.items():
                assert await task == [*SEEN[name], "evt-9"]
            for name in ("everybody", "emea", "eu", "amer-1", "nobody"):
                seen = SEEN[name] + ([] if name in ("amer-1", "nobody") else ["evt-9"])
                assert await fed(key(name), after=start, follow="false") == (200, seen)
            everything = await fed({"authorization": f"Bearer {FEED_KEY}"}, after=start, follow="false")
            assert everything == (200, [*SEEN["everybody"], "evt-9"])
            assert await fed(key("blind")) == (403, ["FORBIDDEN"])
            assert await fed({}) == (401, ["UNAUTHENTICATED"])
            assert await fed(key("stolen")) == (401, ["UNAUTHENTICATED"])
            # Credentials that end while the stream is open end it.
            status, told = await fed(key("short"), after=start)
            assert (status, told[-1]) == (200, "TOKEN_EXPIRED")


async def test_while_nobody_can_tell_what_a_caller_may_see_it_sees_nothing(guarded):
    async with guarded() as gate:
        await gate.publish(*BATCH)
        gate.faults["owner"] = 500
        answer = await gate.ask("emea", "{ events { edges { node { id } } } }")
        assert answer["data"] == {"events": None}
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["SYSTEM_ERROR"]
        assert ids(await gate.events("everybody"))[:6] == SEEN["everybody"]
        del gate.faults["owner"]
        assert ids(await gate.events("emea")) == SEEN["emea"]


async def test_a_webhook_and_its_replays_carry_what_it_is_for(guarded, serve):
    taken: list[tuple[str, str | None]] = []

    async def receive(request):
        told = Verifier(HOOK_SECRET).verify(await request.body(), dict(request.headers))
        taken.append((told["id"], request.headers.get("concord-replay")))
        return Response(status_code=204)

    async with serve(Starlette(routes=[Route("/hook", receive, methods=["POST"])])) as receiver:
        hook = WebhookSettings(url=f"{receiver}/hook", secret=HOOK_SECRET, filters={"business_unit": ("EMEA",)})
        hosts = {"egress_hosts": (receiver.removeprefix("http://"),)}
        async with guarded(events=hosts, webhooks={"partner": hook}) as gate, asyncio.timeout(60):
            while not (await gate.ask("everybody", "{ eventConsumers { name } }"))["data"]["eventConsumers"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            await gate.publish(*BATCH)
            while len(taken) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            replay = """mutation { replayEvents(input: { consumer: "partner", since: "2020-01-01T00:00:00Z",
                perSecond: 500, reason: "a test" }) { replay { id } } }"""
            job = (await gate.ask("everybody", replay))["data"]["replayEvents"]["replay"]["id"]
            while len(taken) < 6 or (await gate.ask("everybody", "{ eventReplays { id } }"))["data"]["eventReplays"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    assert taken == [(name, None) for name in SEEN["emea"]] + [(name, job) for name in SEEN["emea"]]


async def test_dead_letters_are_seen_and_settled_by_those_who_may_see_their_customer(guarded):
    def broken(number, customer):
        poison = event(number, customer)
        poison["data"]["changes"] = "none"
        return poison

    async with guarded() as gate:
        await gate.publish(*(broken(n, each) for n, each in enumerate(("emea-1", "amer-1", None, "emea-2"))))
        query = """query ($first: Int, $last: Int) { deadLetters(first: $first, last: $last) {
            totalCount edges { node { id eventId } } pageInfo { hasNextPage hasPreviousPage } } }"""

        async def letters(name, **window):
            page = (await gate.ask(name, query, **window))["data"]["deadLetters"]
            return page, [edge["node"]["eventId"] for edge in page["edges"]]

        everything, seen = await letters("everybody", first=10)
        assert (everything["totalCount"], seen) == (4, ["evt-0", "evt-1", "evt-2", "evt-3"])
        page, seen = await letters("emea", first=10)
        assert (page["totalCount"], seen) == (None, ["evt-0", "evt-3"])
        assert (await letters("emea", first=1))[0]["pageInfo"] == {"hasNextPage": True, "hasPreviousPage": False}
        page, seen = await letters("emea", last=1)
        assert (seen, page["pageInfo"]) == (["evt-3"], {"hasNextPage": False, "hasPreviousPage": True})
        identities = {edge["node"]["eventId"]: edge["node"]["id"] for edge in everything["edges"]}
        node = "query ($id: ID!) { node(id: $id) { id } }"
        assert (await gate.ask("emea", node, id=identities["evt-0"]))["data"]["node"] == {"id": identities["evt-0"]}
        assert (await gate.ask("emea", node, id=identities["evt-1"]))["data"]["node"] is None
        discard = (
            """mutation ($id: ID!) { discardDeadLetter(input: { id: $id, reason: "test" }) { deadLetter { state } } }"""
        )
        foreign = await gate.ask("emea", discard, id=identities["evt-1"])
        assert [error["extensions"]["code"] for error in foreign["errors"]] == ["NOT_FOUND"]
        absent = await gate.ask("emea", discard, id=gid("DeadLetter", "99"))
        assert [(e["message"], e["extensions"]["code"]) for e in absent["errors"]] == [
            (e["message"], e["extensions"]["code"]) for e in foreign["errors"]
        ]
        own = await gate.ask("emea", discard, id=identities["evt-0"])
        assert own["data"]["discardDeadLetter"]["deadLetter"] == {"state": "DISCARDED"}
        for all_of_them in (
            "{ deadLetterCauses { rule } }",
            "mutation { replayDeadLetters(input: {}) { replayed } }",
            'mutation { discardDeadLetters(input: { reason: "test" }) { discarded } }',
        ):
            answer = await gate.ask("emea", all_of_them)
            assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]
