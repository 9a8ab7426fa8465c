"""A router before this gateway gets events posted to an address of its own, by Apollo's callback protocol 1.0."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from running_gateway import head_cursor, running_door
from served_process import free_port
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from waiting import until

QUERY = """subscription ($cursor: String) { contractEvents(cursor: $cursor) { id cursor contract { number } } }"""
ACCEPT = {"accept": "application/json;callbackSpec=1.0, application/json"}


@dataclass
class Router:
    """What a router does at its callback address: it knows its subscriptions and says whether it wants more."""

    url: str = ""
    known: set[str] = field(default_factory=lambda: {"sub-1"})
    messages: list[dict] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """Statuses of the next answers, instead of the right one."""

    async def receive(self, request):
        message = await request.json()
        assert request.headers["subscription-protocol"] == "callback"
        assert (message["kind"], message["verifier"]) == ("subscription", "v-1")
        if self.answers:
            return Response(status_code=self.answers.pop(0))
        if message["id"] not in self.known or request.path_params["id"] != message["id"]:
            return Response(status_code=404)
        self.messages.append(message)
        return Response(status_code=204, headers={"subscription-protocol": "callback"})

    async def until(self, found):
        return await until(lambda: found(self.messages))

    def of(self, action):
        return [message for message in self.messages if message["action"] == action]


@pytest.fixture
async def router(serve):
    router = Router()
    async with serve(Starlette(routes=[Route("/callback/{id}", router.receive, methods=["POST"])])) as url:
        router.url = f"{url}/callback"
        yield router


@pytest.fixture
async def door(tmp_path, schemas, serve, router):
    hosts = (router.url.split("/")[2], "gone.example")
    async with running_door(tmp_path, schemas, serve, events={"egress_hosts": hosts}) as running:
        yield running


@pytest.fixture
def begin(door, router):
    async def begin(query=QUERY, variables=None, *, headers=ACCEPT, **subscription):
        given = {"callbackUrl": f"{router.url}/sub-1", "subscriptionId": "sub-1", "verifier": "v-1"} | subscription
        body = {"query": query, "variables": variables or {}, "extensions": {"subscription": given}}
        return await door.client.post(f"{door.url}/graphql", json=body, headers=headers)

    return begin


@pytest.fixture
def publish(door, post, activated):
    async def publish(*numbers):
        await post(f"{door.url}/events", [activated(n) for n in numbers], "application/cloudevents-batch+json")

    return publish


async def test_a_subscription_is_confirmed_and_its_events_are_posted_in_order(door, router, begin, publish, activated):
    await publish(0)
    started = await begin(variables={"cursor": await head_cursor(door)}, heartbeatIntervalMs=1000)
    assert (started.status_code, started.json()) == (200, {"data": None})
    assert started.headers["subscription-protocol"] == "callback"
    assert [message["action"] for message in router.messages] == ["check"]
    router.answers = [503, 500]  # tried again, and nothing overtakes
    await publish(1, 2, 3)
    events = await router.until(lambda _: len(router.of("next")) >= 3 and router.of("next"))
    assert [event["payload"]["data"]["contractEvents"]["id"] for event in events] == [
        activated(n)["id"] for n in (1, 2, 3)
    ]
    for event in events:
        inside = event["payload"]["data"]["contractEvents"]
        assert event == {
            "kind": "subscription",
            "action": "next",
            "id": "sub-1",
            "verifier": "v-1",
            "payload": {
                "data": {"contractEvents": inside},
                "extensions": {"concord": {"cursor": inside["cursor"]}},
            },
        }
    await router.until(lambda _: len(router.of("check")) >= 3)  # heartbeats


async def test_a_router_that_wants_no_more_gets_no_more_and_can_come_back_with_the_cursor(
    door, router, begin, publish, activated
):
    await publish(0)
    await begin(variables={"cursor": await head_cursor(door)})
    await publish(1)
    (first,) = await router.until(lambda _: router.of("next"))
    router.known.clear()
    await publish(2)
    async with asyncio.timeout(60):
        while "concord_event_streams 0.0" not in (await door.client.get(f"{door.url}/metrics")).text:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    router.known.add("sub-1")
    cursor = first["payload"]["extensions"]["concord"]["cursor"]
    await begin(variables={"cursor": cursor})
    again = await router.until(lambda _: len(router.of("next")) == 2 and router.of("next"))
    assert again[1]["payload"]["data"]["contractEvents"]["id"] == activated(2)["id"]


async def test_a_gateway_that_stops_tells_the_router_to_come_back(tmp_path, schemas, serve, router, begin_at):
    hosts = (router.url.split("/")[2],)
    async with running_door(tmp_path, schemas, serve, events={"egress_hosts": hosts}) as door:
        assert (await begin_at(door)).status_code == 200
    (message,) = router.of("complete")
    (error,) = message["errors"]
    assert (error["extensions"]["code"], error["extensions"]["retryable"]) == ("SHUTTING_DOWN", True)


@pytest.fixture
def begin_at(router):
    async def begin_at(door):
        given = {"callbackUrl": f"{router.url}/sub-1", "subscriptionId": "sub-1", "verifier": "v-1"}
        body = {"query": QUERY, "extensions": {"subscription": given}}
        return await door.client.post(f"{door.url}/graphql", json=body, headers=ACCEPT)

    return begin_at


async def test_addresses_that_may_not_be_called_or_do_not_confirm_are_refused(router, begin):
    for change, status, code in (
        ({"callbackUrl": "http://169.254.169.254/latest"}, 403, "FORBIDDEN"),
        ({"callbackUrl": f"{router.url}/other".replace("http:", "file:")}, 403, "FORBIDDEN"),
        ({"callbackUrl": router.url.replace("http://", "http://user@") + "/sub-1"}, 403, "FORBIDDEN"),
        ({"callbackUrl": f"{router.url}/other"}, 400, "BAD_REQUEST"),
        ({"subscriptionId": "sub-2"}, 400, "BAD_REQUEST"),
        ({"callbackUrl": f"http://127.0.0.1:{free_port()}/"}, 403, "FORBIDDEN"),
        ({"callbackUrl": 7}, 400, "BAD_REQUEST"),
        ({"verifier": None}, 400, "BAD_REQUEST"),
        ({"heartbeatIntervalMs": -1}, 400, "BAD_REQUEST"),
    ):
        refused = await begin(**change)
        (error,) = refused.json()["errors"]
        assert (refused.status_code, error["extensions"]["code"]) == (status, code), change
    assert router.messages == []


async def test_what_is_refused_or_no_subscription_is_answered_at_once(begin, router):
    wrong = await begin(variables={"cursor": "nonsense"})
    assert (wrong.status_code, wrong.json()) == (200, {"data": None})
    (message,) = await router.until(lambda _: router.of("next"))
    assert message["payload"]["errors"][0]["extensions"]["code"] == "EVENT_CURSOR_INVALID"
    assert "data" not in message["payload"]
    await router.until(lambda _: router.of("complete"))
    unknown = await begin("subscription { nothing }")
    assert (unknown.status_code, unknown.json()["errors"][0]["extensions"]["code"]) == (
        400,
        "GRAPHQL_VALIDATION_FAILED",
    )
    query = await begin("{ systems { name } }")
    assert [system["name"] for system in query.json()["data"]["systems"]] == ["identity", "gateway"]
