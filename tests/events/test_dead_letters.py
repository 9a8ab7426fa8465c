"""What broke its contract is listed, grouped, inspected, replayed as what it is, or discarded with a reason."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from running_gateway import graph_context

from gateway.events.contracts import EventContracts
from gateway.events.dead_letter_desk import DeadLetterDesk, dead_letter_id
from gateway.events.dead_letters import DeadLetterFilter, DeadLetterState
from gateway.events.ingest import rejected_event
from gateway.events.log import EventFilter
from gateway.graph.schema import create_schema

SCHEMA = create_schema()
ACTIVATED = EventFilter(types=frozenset({"concord.contract.activated.v1"}))
LETTERS = """query ($state: DeadLetterState = WAITING, $type: String, $rule: String, $first: Int = 50, $after: String) {
  deadLetters(state: $state, eventType: $type, rule: $rule, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage hasPreviousPage endCursor }
    edges { node { id eventId eventType rule message body times state reason } } } }"""


@pytest.fixture
def strict(schemas):
    """Contracts of an emitter that came later: the product's own are what they are after the mend."""
    folder = schemas
    contract = orjson.loads((folder / "concord.contract.activated.v1.json").read_bytes())

    def with_required(tmp_path):
        contract["properties"]["data"]["required"] = ["keys", "changes", "version"]
        (tmp_path / "concord.contract.activated.v1.json").write_bytes(orjson.dumps(contract))
        return EventContracts.load(tmp_path)

    return with_required


@pytest.fixture
def ask(ingest, contracts):
    """The gateway's own graph over the log and letters of the ingest server."""
    events = ingest.events

    async def ask(document, **variables):
        context = graph_context(events, contracts)
        result = await SCHEMA.execute(document, variable_values=variables, context_value=context)
        return result.data, [(error.path, error.extensions["code"], error.message) for error in result.errors or ()]

    return ask


def without(event, *path):
    holder = event
    for step in path[:-1]:
        holder = holder[step]
    del holder[path[-1]]
    return event


async def refuse_before_the_mend(ingest, strict, tmp_path, *batch):
    """Put events aside by a contract that asks for more than it does later."""
    older = strict(tmp_path)
    for envelope in batch:
        parsed = older.parse(envelope)

        await ingest.events.dead_letters.add([rejected_event(envelope, parsed)])


async def test_letters_are_listed_by_page_and_grouped_by_cause(ingest, activated, ask):
    keyless = [without(activated(n), "data", "keys", "contract") for n in range(3)]
    timeless = [without(activated(n), "time") for n in range(3, 5)]
    await ingest.post(*keyless, *timeless)
    await ingest.post(keyless[0])
    data, errors = await ask(LETTERS, first=2)
    assert errors == []
    assert data["deadLetters"]["totalCount"] == 5
    first, second = (edge["node"] for edge in data["deadLetters"]["edges"])
    assert first | {"body": orjson.loads(first["body"])} == {
        "id": dead_letter_id(1),
        "eventId": "billing:evt_0:contract.activated",
        "eventType": "concord.contract.activated.v1",
        "rule": "data.keys: required",
        "message": "data.keys: 'contract' is a required property",
        "body": keyless[0],
        "times": 2,
        "state": "WAITING",
        "reason": None,
    }
    assert second["eventId"] == "billing:evt_1:contract.activated"
    info = data["deadLetters"]["pageInfo"]
    assert (info["hasNextPage"], info["hasPreviousPage"]) == (True, False)
    data, _ = await ask(LETTERS, first=10, after=info["endCursor"])
    assert [edge["node"]["id"] for edge in data["deadLetters"]["edges"]] == [dead_letter_id(n) for n in (3, 4, 5)]
    data, _ = await ask(LETTERS, rule="event: required")
    assert [edge["node"]["eventId"] for edge in data["deadLetters"]["edges"]] == [each["id"] for each in timeless]
    data, _ = await ask("{ deadLetterCauses { eventType rule letters } }")
    assert data["deadLetterCauses"] == [
        {"eventType": "concord.contract.activated.v1", "rule": "data.keys: required", "letters": 3},
        {"eventType": "concord.contract.activated.v1", "rule": "event: required", "letters": 2},
    ]
    data, errors = await ask(
        "query ($id: ID!, $gone: ID!) { node(id: $id) { id ... on DeadLetter { message } } gone: node(id: $gone) { id } }",
        id=dead_letter_id(4),
        gone=dead_letter_id(400),
    )
    assert (data, errors) == (
        {"node": {"id": dead_letter_id(4), "message": "event: 'time' is a required property"}, "gone": None},
        [],
    )
    for arguments in ({"after": "x"}, {"first": 201}, {"first": -1}):
        assert (await ask(LETTERS, **arguments))[1][0][1] == "BAD_USER_INPUT"


REPLAY = """mutation ($id: ID!) { replayDeadLetter(input: {id: $id, clientMutationId: "m"}) {
  clientMutationId deadLetter { id state reason } } }"""


async def test_a_letter_that_fits_by_now_is_replayed_once_and_flagged(ingest, activated, ask, strict, tmp_path):
    late = without(activated(1), "data", "version")
    await refuse_before_the_mend(ingest, strict, tmp_path, late)
    await ingest.post(activated(2))
    settled = {
        "replayDeadLetter": {
            "clientMutationId": "m",
            "deadLetter": {"id": dead_letter_id(1), "state": "REPLAYED", "reason": None},
        }
    }
    assert await ask(REPLAY, id=dead_letter_id(1)) == (settled, [])
    _, errors = await ask(REPLAY, id=dead_letter_id(1))
    assert errors == [(["replayDeadLetter"], "CONFLICT", "The dead letter was replayed before.")]
    kept = (await ingest.events.log.read(0, ACTIVATED, 10)).events
    assert [(each.event.id, each.sequence, each.event.replay_of) for each in kept] == [
        ("billing:evt_2:contract.activated", 1, None),
        ("billing:evt_1:contract.activated", 2, dead_letter_id(1)),
    ]
    data, _ = await ask("{ events { edges { node { id replayOf } } } }")
    assert [edge["node"]["replayOf"] for edge in data["events"]["edges"]] == [None, dead_letter_id(1)]
    # The emitter sends it again after all: it is known.
    assert (await ingest.post(late)).json() == {"accepted": 0, "duplicates": 1, "rejected": []}


async def test_a_letter_whose_event_came_another_way_adds_nothing(ingest, activated, ask, strict, tmp_path):
    late = without(activated(1), "data", "version")
    await refuse_before_the_mend(ingest, strict, tmp_path, late)
    await ingest.post(activated(1))
    data, errors = await ask(REPLAY, id=dead_letter_id(1))
    assert errors == []
    letter = data["replayDeadLetter"]["deadLetter"]
    assert (letter["state"], letter["reason"]) == ("REPLAYED", "The log has an event with this id already.")
    assert len((await ingest.events.log.read(0, ACTIVATED, 10)).events) == 1


async def test_a_letter_that_still_breaks_its_contract_waits_on(ingest, activated, ask):
    await ingest.post(without(activated(1), "data", "keys", "contract"))
    data, errors = await ask(REPLAY, id=dead_letter_id(1))
    message = "It still breaks its contract: data.keys: 'contract' is a required property"
    assert (data, errors) == ({"replayDeadLetter": None}, [(["replayDeadLetter"], "EVENT_CONTRACT_BROKEN", message)])
    assert (await ask(LETTERS))[0]["deadLetters"]["totalCount"] == 1


DISCARD = """mutation ($id: ID!, $reason: String!) { discardDeadLetter(input: {id: $id, reason: $reason}) {
  deadLetter { id state reason } } }"""


async def test_a_letter_is_discarded_with_a_reason_and_stays_to_be_read(ingest, activated, ask):
    broken = without(activated(1), "data", "keys", "contract")
    await ingest.post(broken)
    for reason in ("", "  ", "x" * 501):
        assert (await ask(DISCARD, id=dead_letter_id(1), reason=reason))[1][0][1] == "BAD_USER_INPUT"
    assert (await ask(DISCARD, id=dead_letter_id(9), reason="gone"))[1][0][1] == "NOT_FOUND"
    assert (await ask(DISCARD, id="nonsense", reason="gone"))[1][0][1] == "NOT_FOUND"
    data, errors = await ask(DISCARD, id=dead_letter_id(1), reason=" a test of the vendor's ")
    discarded = {"id": dead_letter_id(1), "state": "DISCARDED", "reason": "a test of the vendor's"}
    assert (data, errors) == ({"discardDeadLetter": {"deadLetter": discarded}}, [])
    assert (await ask(DISCARD, id=dead_letter_id(1), reason="again"))[1][0][1] == "CONFLICT"
    assert (await ask(REPLAY, id=dead_letter_id(1)))[1][0][1] == "CONFLICT"
    await ingest.post(broken)  # counted, and still discarded
    assert (await ask(LETTERS))[0]["deadLetters"]["edges"] == []
    assert (await ask("{ deadLetterCauses { letters } }"))[0] == {"deadLetterCauses": []}
    data, _ = await ask(LETTERS, state="DISCARDED")
    (edge,) = data["deadLetters"]["edges"]
    assert (edge["node"]["times"], edge["node"]["state"]) == (2, "DISCARDED")


async def test_a_cause_is_replayed_as_a_whole_at_a_pace(ingest, activated, ask, strict, tmp_path):
    mended = [without(activated(n), "data", "version") for n in range(8)]
    await refuse_before_the_mend(ingest, strict, tmp_path, *mended)
    await ingest.post(without(activated(20), "data", "keys", "contract"), without(activated(21), "time"))
    document = """mutation ($input: ReplayDeadLettersInput!) { replayDeadLetters(input: $input) {
      replayed refusedCount remaining refused { id message } } }"""
    started = time.monotonic()
    data, errors = await ask(document, input={"rule": "data: required", "perSecond": 20})
    assert time.monotonic() - started >= 7 / 20  # the first one waits for nobody
    assert (data["replayDeadLetters"], errors) == (
        {"replayed": 8, "refusedCount": 0, "remaining": 0, "refused": []},
        [],
    )
    data, _ = await ask(document, input={})
    assert data["replayDeadLetters"] == {
        "replayed": 0,
        "refusedCount": 2,
        "remaining": 0,
        "refused": [
            {"id": dead_letter_id(9), "message": "data.keys: 'contract' is a required property"},
            {"id": dead_letter_id(10), "message": "event: 'time' is a required property"},
        ],
    }
    kept = (await ingest.events.log.read(0, ACTIVATED, 20)).events
    assert [each.event.id for each in kept] == [each["id"] for each in mended]
    for pace in (0, -1, 1001):
        assert (await ask(document, input={"perSecond": pace}))[1][0][1] == "BAD_USER_INPUT"
    discard = 'mutation { discardDeadLetters(input: {eventType: "concord.contract.activated.v1", reason: "old"}) { discarded } }'
    assert (await ask(discard))[0] == {"discardDeadLetters": {"discarded": 2}}


async def test_a_sweep_that_takes_long_says_what_remains(ingest, activated, contracts, strict, tmp_path):
    mended = [without(activated(n), "data", "version") for n in range(5)]
    await refuse_before_the_mend(ingest, strict, tmp_path, *mended)
    desk = DeadLetterDesk(ingest.events.dead_letters, ingest.events.log, contracts)
    sweep = await desk.replay_all(DeadLetterFilter(), per_second=10, within_s=0.15)
    assert 1 <= sweep.settled <= 2
    assert sweep.remaining == 5 - sweep.settled
    rest = await desk.replay_all(DeadLetterFilter(), per_second=1_000, within_s=60)
    assert (rest.settled, rest.remaining) == (sweep.remaining, 0)


async def test_settled_letters_are_forgotten_with_time_and_waiting_ones_are_not(ingest, activated):
    await ingest.post(*(without(activated(n), "time") for n in range(3)))
    letters = ingest.events.dead_letters
    assert await letters.settle(2, DeadLetterState.DISCARDED, "old")
    assert await letters.trim(datetime.now(UTC) - timedelta(days=1)) == 0
    assert await letters.trim(datetime.now(UTC) + timedelta(seconds=1)) == 1
    assert [letter.number for letter in await letters.read(0, 10)] == [1, 3]
    assert await letters.get(2) is None
    await ingest.post(without(activated(1), "time"))  # forgotten: it is news again
    assert [letter.number for letter in await letters.read(0, 10)] == [1, 3, 4]


async def test_the_command_line_shows_and_settles_them(door, post, activated):
    async def concord(*arguments):
        command = [sys.executable, "-m", "gateway.cli.main", "events", *arguments, "--url", door.url]
        environment = {**os.environ, "COLUMNS": "200"}
        return await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, timeout=300, check=False, env=environment
        )

    broken = [without(activated(n), "time") for n in range(2)]
    await post(f"{door.url}/events", [activated(7), *broken], "application/cloudevents-batch+json")
    causes, listed, shown = await asyncio.gather(
        concord("dead-letters", "--causes", "--json"),
        concord("dead-letters"),
        concord("dead-letters", "2", "--json"),
    )
    (cause,) = json.loads(causes.stdout)
    assert (cause["eventType"], cause["rule"], cause["letters"]) == (
        "concord.contract.activated.v1",
        "event: required",
        2,
    )
    assert listed.stdout.count("'time' is a required property") == 2
    assert json.loads(json.loads(shown.stdout)["body"]) == broken[1]
    refused, unknown, unclear = await asyncio.gather(
        concord("replay", "1", "--json"), concord("dead-letters", "77"), concord("replay")
    )
    assert refused.returncode == 1
    assert json.loads(refused.stdout) == {
        "replayed": 0,
        "refused": [
            {
                "id": dead_letter_id(1),
                "message": "EVENT_CONTRACT_BROKEN: It still breaks its contract: event: 'time' is a required property",
            }
        ],
    }
    assert (unknown.returncode, unclear.returncode) == (1, 2)
    assert "NOT_FOUND: There is no dead letter 77." in unknown.stderr
    discarded = await concord("discard", "1", "--reason", "a test")
    assert (discarded.returncode, discarded.stdout) == (0, "✓ 1 discarded\n")
    rest = await concord("discard", "--all", "--reason", "a test", "--json")
    assert json.loads(rest.stdout) == {"discarded": 1}
    tail = await concord("tail", "--type", "concord.dead_letter.created.v1", "--after", "nonsense")
    assert tail.returncode == 1
    assert "EVENT_CURSOR_INVALID" in tail.stderr
    page = (await door.client.post(f"{door.url}/graphql", json={"query": "{ events { edges { cursor } } }"})).json()
    after = page["data"]["events"]["edges"][0]["cursor"]
    tail = await concord("tail", "--after", after, "--limit", "2", "--json")
    assert [json.loads(line)["type"] for line in tail.stdout.splitlines()] == [
        "concord.dead_letter.created.v1",
        "concord.contract.activated.v1",
    ]
