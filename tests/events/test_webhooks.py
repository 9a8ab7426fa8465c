"""Receivers outside GraphQL get every event in order, signed by the standard, and operations see what became of it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from running_gateway import running_door
from standardwebhooks import Webhook as Verifier
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from waiting import until

from gateway.events.settings import WebhookSettings
from gateway.settings import SettingsRefused

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
PAUSED = "concord.contract.paused.v1"


@dataclass
class Receiver:
    """Somebody else's server, which checks what it gets with the standard's own library."""

    url: str = ""
    taken: list[tuple[str, dict]] = field(default_factory=list)
    """(webhook-id, event) in the order of arrival."""
    replays: list[str | None] = field(default_factory=list)
    attempts: int = 0
    refuses: dict[str, int] = field(default_factory=dict)
    """Event to the status with which it is refused."""
    refused: list[str] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """What to answer to the next attempts, instead of 204."""

    async def receive(self, request):
        body = await request.body()
        event = Verifier(SECRET).verify(body, dict(request.headers))
        self.attempts += 1
        if self.answers:
            status, headers = self.answers.pop(0)
            return Response(status_code=status, headers=headers)
        if event["id"] in self.refuses:
            self.refused.append(event["id"])
            return Response(status_code=self.refuses[event["id"]])
        self.taken.append((request.headers["webhook-id"], event))
        self.replays.append(request.headers.get("concord-replay"))
        return Response(status_code=204)

    async def until(self, count):
        await until(lambda: len(self.taken) >= count)


@pytest.fixture
async def receiver(serve):
    receiver = Receiver()
    app = Starlette(routes=[Route("/hook", receiver.receive, methods=["POST"])])
    async with serve(app) as url:
        receiver.url = f"{url}/hook"
        yield receiver


@pytest.fixture
def delivering(tmp_path, schemas, serve, receiver):
    """A gateway with one webhook to the receiver."""

    @asynccontextmanager
    async def delivering(**settings):
        hook = WebhookSettings(url=receiver.url, secret=SECRET, first_pause_s=0.05, **settings)
        hosts = (receiver.url.split("/")[2],)
        async with running_door(
            tmp_path, schemas, serve, events={"egress_hosts": hosts}, webhooks={"analytics": hook}
        ) as door:
            await served(door)
            yield door

    return delivering


async def ask(door, query, **variables):
    answer = (await door.client.post(f"{door.url}/graphql", json={"query": query, "variables": variables})).json()
    assert "errors" not in answer, answer
    return answer["data"]


async def served(door):
    """Wait until the webhook has its place in the log."""
    async with asyncio.timeout(60):
        while not (await ask(door, "{ eventConsumers { name } }"))["eventConsumers"]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.fixture
def post(sign):
    async def post(door, *batch):
        body = json.dumps(batch).encode()
        headers = {"content-type": "application/cloudevents-batch+json", "x-concord-signature": sign(body)}
        assert (await door.client.post(f"{door.url}/events", content=body, headers=headers)).status_code == 200

    return post


STATE = """{ webhooks { name url delivered failingSince failures disabledAt reason
  deliveries(first: 50) { eventId eventType attempt status error replayId } }
  eventConsumers { name waiting unacknowledged missed } eventReplays { consumer replayed } }"""


async def test_every_event_is_delivered_signed_in_order_and_seen_in_the_graph(delivering, receiver, post, activated):
    async with delivering() as door:
        receiver.answers = [(503, {"retry-after": "0"}), (500, {}), (302, {"location": "http://169.254.169.254/"})]
        await post(door, *(activated(n) for n in range(5)))
        await receiver.until(5)
        assert [identity for identity, _ in receiver.taken] == [activated(n)["id"] for n in range(5)]
        event = receiver.taken[0][1]
        assert event.pop("recordedtime")
        assert event == activated(0) | {"sequence": "1", "dataschema": "urn:concord:event:contract.activated:1.1"}
        assert receiver.attempts == 8
        async with asyncio.timeout(60):
            while (state := await ask(door, STATE))["eventConsumers"][0]["waiting"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        (hook,) = state["webhooks"]
        deliveries = hook.pop("deliveries")
        assert hook == {
            "name": "analytics",
            "url": receiver.url,
            "delivered": 5,
            "failingSince": None,
            "failures": 0,
            "disabledAt": None,
            "reason": None,
        }
        oldest_first = [(each["attempt"], each["status"], each["error"]) for each in reversed(deliveries)]
        assert oldest_first == [
            (1, 503, "status 503"),
            (2, 500, "status 500"),
            (3, 302, "status 302"),
            (4, 204, None),
            *[(1, 204, None)] * 4,
        ]
        assert state["eventConsumers"] == [{"name": "analytics", "waiting": 0, "unacknowledged": 0, "missed": 0}]


async def test_a_restart_goes_on_where_deliveries_stopped(delivering, receiver, post, activated):
    async with delivering() as door:
        await post(door, activated(0))
        await receiver.until(1)
        receiver.answers = [(500, {})] * 1_000
        await post(door, activated(1), activated(2))
        async with asyncio.timeout(60):
            while receiver.attempts < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    receiver.answers = []
    async with delivering():
        await receiver.until(3)
    assert [identity for identity, _ in receiver.taken] == [activated(n)["id"] for n in range(3)]


async def test_a_webhook_that_fails_for_long_is_disabled_until_somebody_enables_it(
    delivering, receiver, post, activated
):
    async with delivering(disable_after_s=0.2) as door:
        receiver.answers = [(500, {})] * 1_000
        await post(door, activated(0), activated(1))
        async with asyncio.timeout(60):
            while not (hook := (await ask(door, STATE))["webhooks"][0])["disabledAt"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert hook["reason"] == "failed for too long: status 500"
        attempts = receiver.attempts
        receiver.answers = [(410, {})]
        enable = 'mutation { enableWebhook(input: {name: "analytics"}) { webhook { disabledAt failures reason } } }'
        enabled = await ask(door, enable)
        assert enabled["enableWebhook"]["webhook"] == {"disabledAt": None, "failures": 0, "reason": None}
        async with asyncio.timeout(60):
            while not (hook := (await ask(door, STATE))["webhooks"][0])["disabledAt"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert (hook["reason"], receiver.attempts) == ("the receiver says that it is gone", attempts + 1)
        await ask(door, enable)
        await receiver.until(2)
        assert [identity for identity, _ in receiver.taken] == [activated(0)["id"], activated(1)["id"]]


async def test_a_time_range_is_replayed_to_one_consumer_flagged_as_such(delivering, receiver, post, activated):
    async with delivering() as door:
        paused = [activated(n, type=PAUSED, id=f"billing:evt_{n}:contract.paused") for n in range(10, 13)]
        await post(door, activated(1), *paused[:2])
        await receiver.until(3)
        since = receiver.taken[0][1]["recordedtime"]
        replay = """mutation ($input: ReplayEventsInput!) { replayEvents(input: $input) {
          replay { id consumer perSecond reason types } clientMutationId } }"""
        given = {"consumer": "analytics", "since": since, "types": [PAUSED], "reason": "their disk was lost"}
        begun = (await ask(door, replay, input=given | {"perSecond": 200, "clientMutationId": "m"}))["replayEvents"]
        job = begun["replay"].pop("id")
        assert begun == {
            "replay": {"consumer": "analytics", "perSecond": 200, "reason": given["reason"], "types": [PAUSED]},
            "clientMutationId": "m",
        }
        await receiver.until(5)
        assert [identity for identity, _ in receiver.taken[3:]] == [f"{each['id']}:replay:{job}" for each in paused[:2]]
        assert receiver.replays == [None, None, None, job, job]
        async with asyncio.timeout(60):
            while (await ask(door, STATE))["eventReplays"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await post(door, paused[2])
        await receiver.until(6)
        assert receiver.taken[5][0] == paused[2]["id"]
        for wrong, code in (
            ({"consumer": "nobody"}, "NOT_FOUND"),
            ({"since": "2999-01-01T00:00:00Z"}, "BAD_USER_INPUT"),
            ({"types": ["no"]}, "BAD_USER_INPUT"),
            ({"perSecond": 0}, "BAD_USER_INPUT"),
            ({"reason": " "}, "BAD_USER_INPUT"),
        ):
            body = {"query": replay, "variables": {"input": given | wrong}}
            answer = (await door.client.post(f"{door.url}/graphql", json=body)).json()
            assert [error["extensions"]["code"] for error in answer["errors"]] == [code]


async def test_a_subject_that_fails_holds_back_itself_alone_and_a_poisonous_event_is_parked(
    delivering, receiver, post, activated
):
    """Of two contracts, one's first event is refused for good: the other one's events, and its own later ones, arrive."""
    poison = activated(0, contract="CON-BAD")["id"]
    receiver.refuses = {poison: 422}
    async with delivering(park_after=3) as door:
        await post(
            door,
            activated(0, contract="CON-BAD"),
            *(activated(n, contract="CON-GOOD") for n in (1, 2)),
            activated(3, contract="CON-BAD"),
            activated(4, contract="CON-GOOD"),
        )
        await receiver.until(4)
        identities = [identity for identity, _ in receiver.taken]
        assert [each for each in identities if each != activated(3)["id"]] == [activated(n)["id"] for n in (1, 2, 4)]
        assert activated(3)["id"] in identities
        assert receiver.refused == [poison] * 3
        query = "{ webhooks { delivered failures parked { eventId subject attempts reason recordedAt } } }"
        (hook,) = (await ask(door, query))["webhooks"]
        (parked,) = hook.pop("parked")
        assert parked.pop("recordedAt")
        assert parked == {
            "eventId": poison,
            "subject": activated(0, contract="CON-BAD")["subject"],
            "attempts": 3,
            "reason": "status 422",
        }
        async with asyncio.timeout(60):
            while (await ask(door, STATE))["eventConsumers"][0]["waiting"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        # Once the receiver is mended, a replay delivers it, and it is parked no longer.
        receiver.refuses = {}
        replay = """mutation { replayEvents(input: { consumer: "analytics", since: "2020-01-01T00:00:00Z", perSecond: 500,
            reason: "mended" }) { replay { id } } }"""
        await ask(door, replay)
        async with asyncio.timeout(60):
            while (await ask(door, query))["webhooks"][0]["parked"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert any(identity.startswith(f"{poison}:replay:") for identity, _ in receiver.taken)


async def test_an_event_that_makes_the_receiver_fail_is_parked_only_while_it_takes_others(
    delivering, receiver, post, activated
):
    """A status of 500 may be the receiver's own trouble: alone, it is tried for ever; beside successes, it is the event."""
    poison = activated(0, contract="CON-BAD")["id"]
    receiver.refuses = {poison: 500}
    query = "{ webhooks { parked { eventId reason } } }"
    async with delivering(park_after=2, longest_pause_s=0.1) as door:
        await post(door, activated(0, contract="CON-BAD"), activated(1, contract="CON-BAD"))
        async with asyncio.timeout(60):
            while len(receiver.refused) < 6:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert (await ask(door, query))["webhooks"] == [{"parked": []}]
        assert receiver.taken == []
        await post(door, activated(2, contract="CON-GOOD"))
        await receiver.until(2)
        assert sorted(identity for identity, _ in receiver.taken) == sorted(activated(n)["id"] for n in (1, 2))
        assert (await ask(door, query))["webhooks"] == [{"parked": [{"eventId": poison, "reason": "status 500"}]}]


async def test_the_command_line_shows_webhooks_and_replays_to_them(delivering, receiver, post, activated):
    async def concord(door, *arguments):
        command = [sys.executable, "-m", "gateway.cli.main", "events", *arguments, "--url", door.url]
        return await asyncio.to_thread(
            subprocess.run,
            command,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "COLUMNS": "200"},
        )

    async with delivering() as door:
        await post(door, activated(1))
        await receiver.until(1)
        shown = await concord(door, "webhooks", "--json")
        (hook,) = json.loads(shown.stdout)
        assert (hook["name"], hook["deliveries"][0]["eventId"]) == ("analytics", activated(1)["id"])
        replayed = await concord(
            door, "replay-to", "analytics", "--since", "2020-01-01T00:00:00Z", "--reason", "a test", "--json"
        )
        assert json.loads(replayed.stdout)["consumer"] == "analytics", replayed.stderr
        await receiver.until(2)
        enabled = await concord(door, "enable-webhook", "analytics")
        assert (enabled.returncode, enabled.stdout) == (0, "✓ analytics goes on\n")
        unknown = await concord(door, "enable-webhook", "nobody")
        assert (unknown.returncode, "NOT_FOUND" in unknown.stderr) == (1, True)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"url": "http://elsewhere.example/hook"}, "The host is not among `events.egress_hosts`."),
        ({"url": "http://user:pass@hooks.example/"}, "An address must not carry credentials."),
        ({"url": "ftp://hooks.example/"}, "Only http and https addresses can be called."),
        ({"url": "http://hooks.example@evil.example/"}, "An address must not carry credentials."),
        ({"url": "http://hooks.example.evil.example/"}, "The host is not among `events.egress_hosts`."),
        ({"secret": "whsec_c2hvcnQ="}, "a webhook's secret is whsec_ and the base64 of 24 to 64 bytes."),
        ({"secret": "rubbish!"}, "`secret`"),
        ({"types": ("concord.no.such.v1",)}, "there are no events of the type concord.no.such.v1."),
    ],
)
async def test_a_webhook_that_may_not_be_is_refused_at_the_start(tmp_path, schemas, serve, change, problem):
    hook = WebhookSettings(**{"url": "http://hooks.example/", "secret": SECRET} | change)
    opening = running_door(
        tmp_path, schemas, serve, events={"egress_hosts": ("hooks.example",)}, webhooks={"analytics": hook}
    )
    with pytest.raises(SettingsRefused) as refused:
        async with opening:
            pass
    (told,) = refused.value.problems
    assert told.startswith("`webhooks.analytics`: ")
    assert problem in told
