"""Publishers post to a real server: what is taken, what is refused, and what is put aside."""

from __future__ import annotations

import time

import orjson
import pytest

from gateway.events.catalogue import event_type
from gateway.events.event import print_event
from gateway.events.log import EventFilter

EVERYTHING = EventFilter()


async def recorded(ingest):
    return [
        (event.event.id, event.event.subject, event.sequence)
        for event in (await ingest.events.log.read(0, EVERYTHING, 1_000)).events
    ]


async def test_events_are_kept_in_order_and_counted_per_subject(ingest, activated, gid):
    other = {"contract": "CON-2025-0002"}
    response = await ingest.post(activated(1), activated(2, **other), activated(3))
    assert (response.status_code, response.json()) == (200, {"accepted": 3, "duplicates": 0, "rejected": []})
    one, two = gid("Contract", "CON-2025-0001"), gid("Contract", "CON-2025-0002")
    assert await recorded(ingest) == [
        ("billing:evt_1:contract.activated", one, 1),
        ("billing:evt_2:contract.activated", two, 1),
        ("billing:evt_3:contract.activated", one, 2),
    ]


async def test_a_second_copy_is_acknowledged_and_not_kept_twice(ingest, activated):
    await ingest.post(activated(1))
    response = await ingest.post(activated(1), activated(2), activated(2))
    assert response.json() == {"accepted": 1, "duplicates": 2, "rejected": []}
    assert [row[2] for row in await recorded(ingest)] == [1, 2]


async def test_a_late_event_keeps_its_business_time_and_gets_the_next_sequence(ingest, activated):
    await ingest.post(activated(2, time="2026-03-02T00:00:00Z"))
    await ingest.post(activated(1, time="2026-03-01T00:00:00Z"))
    events = (await ingest.events.log.read(0, EVERYTHING, 10)).events
    assert [(event.sequence, event.event.time.day) for event in events] == [(1, 2), (2, 1)]
    assert events[0].recorded_at <= events[1].recorded_at


async def test_an_event_names_the_contract_that_it_was_held_against_or_written_for(ingest, activated):
    current = event_type("contract.activated").data_schema
    older = current.rpartition(".")[0] + ".0"
    assert older != current
    await ingest.post(activated(1), activated(2, dataschema=older))
    events = (await ingest.events.log.read(0, EVERYTHING, 10)).events
    assert [print_event(event.event)["dataschema"] for event in events] == [current, older]


async def test_an_event_that_breaks_its_contract_is_put_aside_and_the_others_go_on(ingest, activated, gid):
    broken = activated(2)
    del broken["data"]["keys"]["contract"]
    response = await ingest.post(activated(1), broken, "no event", activated(3))
    assert response.status_code == 200
    assert response.json() == {
        "accepted": 2,
        "duplicates": 0,
        "rejected": [
            {
                "id": "billing:evt_2:contract.activated",
                "code": "EVENT_CONTRACT_BROKEN",
                "message": "data.keys: 'contract' is a required property",
            },
            {"id": None, "code": "EVENT_CONTRACT_BROKEN", "message": "event: An event is a JSON object."},
        ],
    }
    await ingest.post(broken)
    letters = await ingest.events.dead_letters.read(0, 10)
    assert [(letter.rejected.event_id, letter.rejected.broken.rule, letter.times) for letter in letters] == [
        ("billing:evt_2:contract.activated", "data.keys: required", 2),
        (None, "event: object", 1),
    ]
    assert orjson.loads(letters[0].rejected.body) == broken
    causes = await ingest.events.dead_letters.causes()
    assert [(cause.event_type, cause.rule, cause.letters) for cause in causes] == [
        (None, "event: object", 1),
        ("concord.contract.activated.v1", "data.keys: required", 1),
    ]
    created = EventFilter(types=frozenset({"concord.dead_letter.created.v1"}))
    told = (await ingest.events.log.read(0, created, 10)).events
    assert [event.event.keys for event in told] == [
        {"deadLetter": gid("DeadLetter", "1")},
        {"deadLetter": gid("DeadLetter", "2")},
    ]


async def test_what_the_gateway_says_of_itself_fits_its_contract_too(ingest, contracts):
    await ingest.post({"type": "x" * 5_000, "id": 7})
    (told,) = (await ingest.events.log.read(0, EVERYTHING, 10)).events
    assert contracts.parse(print_event(told.event)) == told.event


def refused(response):
    (error,) = response.json()["errors"]
    return response.status_code, error["extensions"]["code"]


@pytest.mark.parametrize(
    "signature",
    [
        lambda body, sign: "",
        lambda body, sign: "t=abc,v1=",
        lambda body, sign: sign(body, "another secret"),
        lambda body, sign: sign(body + b" "),
        lambda body, sign: sign(body, at=time.time() - 301),
        lambda body, sign: sign(body, at=time.time() + 310),
        lambda body, sign: "t=" + "9" * 400 + ",v1=" + "0" * 64,
    ],
    ids=["none", "malformed", "other secret", "other body", "too old", "from the future", "huge"],
)
async def test_a_wrong_signature_is_refused_and_nothing_is_kept(ingest, activated, sign, signature):
    body = orjson.dumps([activated(1)])
    response = await ingest.post_body(body, **{"x-concord-signature": signature(body, sign)})
    assert refused(response) == (401, "SIGNATURE_INVALID")
    assert await recorded(ingest) == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "BAD_REQUEST"),
        (b"[{]", 400, "BAD_REQUEST"),
        (b'{"id": "1"}', 400, "BAD_REQUEST"),
        (b"\xff\xfe[]", 400, "BAD_REQUEST"),
        (b"[" * 100_000, 400, "BAD_REQUEST"),
        (b"[" + b"1," * 500 + b"1]", 413, "PAYLOAD_TOO_LARGE"),
        (b"[" + b" " * 1_000_000 + b"]", 413, "PAYLOAD_TOO_LARGE"),
    ],
    ids=["empty", "not JSON", "not a list", "not UTF-8", "too deep", "too many", "too large"],
)
async def test_a_body_that_is_no_batch_is_refused_whole(ingest, body, status, code):
    assert refused(await ingest.post_body(body)) == (status, code)
    assert await ingest.events.dead_letters.read(0, 10) == ()


async def test_other_media_types_and_methods_are_refused(ingest, activated):
    body = orjson.dumps([activated(1)])
    assert refused(await ingest.post_body(body, **{"content-type": "application/json"})) == (
        415,
        "UNSUPPORTED_MEDIA_TYPE",
    )
    response = await ingest.client.get(ingest.url)
    assert (*refused(response), response.headers["allow"]) == (405, "METHOD_NOT_ALLOWED", "POST")


async def test_an_empty_batch_is_fine(ingest):
    assert (await ingest.post()).json() == {"accepted": 0, "duplicates": 0, "rejected": []}
