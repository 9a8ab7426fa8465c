"""What a subgraph keeps: events until they are taken, answers of writes, webhooks until worked off, marks, projections."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from kit_server import ScriptedVendor, hang_up
from served_app import served
from starlette.responses import JSONResponse, Response
from waiting import until

from subgraphs.kit import signature
from subgraphs.kit.background import background
from subgraphs.kit.canonical_event import CanonicalEvent, FieldChange
from subgraphs.kit.change_feed import ChangeFeed, Changes
from subgraphs.kit.database import Database
from subgraphs.kit.idempotent_write import IdempotentWrites
from subgraphs.kit.outbox import Outbox
from subgraphs.kit.projection import Change, Projection
from subgraphs.kit.sandbox.state import State
from subgraphs.kit.system_error import (
    ConflictError,
    IdempotencyInProgressError,
    IdempotencyKeyReusedError,
    Outcome,
    VendorAuthError,
    VendorError,
    VendorRejectedError,
    VendorTimeoutError,
    VendorUnavailableError,
)
from subgraphs.kit.vendor_client import VendorClient
from subgraphs.kit.webhook import VendorEvent, WebhookInbox

CONTRACTS = Projection("contracts", indexes={"customer": lambda record: record["customers"]})
SCHEMAS = (Outbox.SCHEMA, IdempotentWrites.SCHEMA, WebhookInbox.SCHEMA, ChangeFeed.SCHEMA, CONTRACTS.schema)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "kit.sqlite", SCHEMAS)
    yield opened
    await opened.close()


def event(number: int) -> CanonicalEvent:
    return CanonicalEvent(
        source="erp",
        type="invoice.paid",
        subject="SW52b2ljZTpJTlYtMjAyNS0wMDAwMQ",
        identity=("account.invoice", str(number)),
        time=datetime(2026, 3, 2, 9, 30, tzinfo=UTC),
        keys={"invoice": "INV-2025-00001"},
        version=str(number),
        changes=(FieldChange("status", "POSTED", "PAID"),),
    )


async def test_events_wait_for_the_log_and_arrive_in_order_over_a_restart(
    tmp_path: Path, vendor: ScriptedVendor, vendor_url: str
) -> None:
    vendor.script.extend([hang_up, Response(b"", 503), Response(b"<html>", 200), JSONResponse({"accepted": 3})])
    first = await Database.open(tmp_path / "outbox.sqlite", SCHEMAS)
    await Outbox(first, events_url="http://127.0.0.1:9", signing_secret="s").add([event(1), event(2), event(1)])
    await first.close()
    second = await Database.open(tmp_path / "outbox.sqlite", SCHEMAS)
    outbox = Outbox(second, events_url=f"{vendor_url}/events", signing_secret="s")
    assert await outbox.waiting() == 2
    async with background(outbox.deliver_forever):
        await outbox.add([event(3)])

        async def is_empty() -> bool:
            return not await outbox.waiting()

        await until(is_empty)
    await second.close()
    bodies = [orjson.loads(asked.body) for asked in vendor.asked]
    assert [entry["data"]["version"] for entry in bodies[-1]] == ["1", "2", "3"]
    assert bodies[-1][0] == {
        "specversion": "1.0",
        "id": event(1).id,
        "source": "concord/erp",
        "type": "concord.invoice.paid.v1",
        "subject": "SW52b2ljZTpJTlYtMjAyNS0wMDAwMQ",
        "time": "2026-03-02T09:30:00Z",
        "datacontenttype": "application/json",
        "data": {
            "keys": {"invoice": "INV-2025-00001"},
            "version": "1",
            "changes": [{"field": "status", "from": "POSTED", "to": "PAID"}],
        },
    }
    last = vendor.asked[-1]
    signature.verify("s", last.body, last.headers[signature.HEADER.lower()])
    assert last.headers["content-type"] == "application/cloudevents-batch+json"


async def test_what_the_log_keeps_as_a_dead_letter_is_forgotten(
    database: Database, vendor: ScriptedVendor, vendor_url: str
) -> None:
    refused = {"accepted": 1, "duplicates": 0, "rejected": [{"id": event(1).id, "code": "EVENT_CONTRACT_BROKEN"}]}
    vendor.script.append(JSONResponse(refused))
    outbox = Outbox(database, events_url=f"{vendor_url}/events", signing_secret="s")
    await outbox.add([event(1), event(2)])
    async with background(outbox.deliver_forever):

        async def is_empty() -> bool:
            return not await outbox.waiting()

        await until(is_empty)
        # Told anew, as after its subgraph has been mended, it is on its way again.
        await outbox.add([event(1)])
        await until(is_empty)
    told = [[entry["id"] for entry in orjson.loads(asked.body)] for asked in vendor.asked]
    assert told == [[event(1).id, event(2).id], [event(1).id]]
    assert await database.run(lambda c: c.execute("select count(*) from outbox").fetchone()) == (0,)


async def test_an_event_that_is_too_large_alone_arrives_with_less_of_its_values(
    database: Database, vendor: ScriptedVendor, vendor_url: str
) -> None:
    async def log(*asgi: Any) -> None:
        vendor.script.append(log)
        is_large = len(vendor.asked[-1].body) > 20_000
        await (Response(b"", 413) if is_large else JSONResponse({"accepted": 1}))(*asgi)

    vendor.script.append(log)
    outbox = Outbox(database, events_url=f"{vendor_url}/events", signing_secret="s")
    long = FieldChange("note", "x" * 30_000, "y" * 999)
    await outbox.add([event(1), replace(event(2), changes=(long,)), event(3)])
    async with background(outbox.deliver_forever):

        async def is_empty() -> bool:
            return not await outbox.waiting()

        await until(is_empty)
    taken = [entry for asked in vendor.asked if len(asked.body) <= 20_000 for entry in orjson.loads(asked.body)]
    assert [entry["id"] for entry in taken] == [event(number).id for number in (1, 2, 3)]
    assert taken[1]["data"]["changes"] == [{"field": "note", "from": "x" * 999 + "…", "to": "y" * 999}]


async def test_a_write_is_done_once_per_key_whatever_happens_in_between(database: Database) -> None:
    writes = IdempotentWrites(database)
    done: list[str] = []

    async def write() -> str:
        done.append("written")
        await asyncio.sleep(0.05)
        return f"answer {len(done)}"

    running = asyncio.create_task(writes.run("k", {"a": 1}, write))
    await asyncio.sleep(0.02)
    with pytest.raises(IdempotencyInProgressError):
        await writes.run("k", {"a": 1}, write)
    assert [await running, await writes.run("k", {"a": 1}, write)] == ["answer 1", "answer 1"]
    with pytest.raises(IdempotencyKeyReusedError):
        await writes.run("k", {"a": 2}, write)
    assert done == ["written"]


async def test_an_unknown_outcome_is_looked_up_and_a_refusal_frees_the_key(database: Database) -> None:
    writes = IdempotentWrites(database)
    effects: list[str] = []

    async def lost() -> str:
        effects.append("applied")
        raise VendorTimeoutError("late", outcome=Outcome.UNKNOWN)

    async def refused() -> str:
        raise VendorRejectedError("no", outcome=Outcome.NOT_APPLIED)

    async def write() -> str:
        effects.append("applied again")
        return "new"

    async def look_up() -> str | None:
        return "found" if effects else None

    with pytest.raises(VendorTimeoutError):
        await writes.run("k", {}, lost)
    assert await writes.run("k", {}, write, look_up=look_up) == "found"
    assert effects == ["applied"]
    with pytest.raises(VendorRejectedError):
        await writes.run("k2", {}, refused)
    assert await writes.run("k2", {"corrected": True}, write) == "new"


def answer(status: int = 200, **headers: str) -> Response:
    return JSONResponse({}, status, headers=headers)


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ([answer(400)], Outcome.NOT_APPLIED),
        ([answer(429)], Outcome.NOT_APPLIED),
        ([answer(), answer(400)], Outcome.UNKNOWN),
        ([answer(), answer(429)], Outcome.UNKNOWN),
        ([answer(), answer(), answer(503)], Outcome.UNKNOWN),
        ([answer(), answer(), hang_up], Outcome.UNKNOWN),
    ],
)
async def test_a_write_of_several_requests_fails_with_what_became_of_all_of_them(
    database: Database, script: list[Any], outcome: Outcome
) -> None:
    """Nothing is said to be undone because of what failed after it, a read or another write; and its key stays in doubt."""
    vendor, writes, looked = ScriptedVendor(), IdempotentWrites(database), []
    async with (
        served(vendor) as url,
        VendorClient(vendor="acme", system="erp", base_url=url, retries=0) as client,
    ):

        async def write() -> str:
            await client.write("POST", "/create", json={})
            await client.write("POST", "/post", json={})
            await client.read("GET", "/posted")
            return "done"

        async def look_up() -> str | None:
            looked.append("looked")
            await client.read("GET", "/found")
            return None

        vendor.script.extend(script)
        with pytest.raises(VendorError) as failed:
            await writes.run("k", {}, write, look_up=look_up)
        assert failed.value.outcome is outcome
        vendor.script.extend(script)
        with pytest.raises(VendorError) as failed:
            await writes.run(None, {}, write)
        assert failed.value.outcome is outcome
        assert not (failed.value.retryable and outcome is Outcome.UNKNOWN)
        if outcome is Outcome.UNKNOWN:
            # A look that fails decides nothing.
            vendor.script.append(answer(503))
            with pytest.raises(VendorError) as failed:
                await writes.run("k", {}, write, look_up=look_up)
            assert failed.value.outcome is Outcome.UNKNOWN
        assert await writes.run("k", {}, write, look_up=look_up) == "done"
    assert len(looked) == (2 if outcome is Outcome.UNKNOWN else 0)


async def test_a_read_that_fails_before_anything_was_sent_leaves_nothing_in_doubt(database: Database) -> None:
    vendor, writes = ScriptedVendor(), IdempotentWrites(database)
    async with served(vendor) as url, VendorClient(vendor="acme", system="erp", base_url=url, retries=0) as client:

        async def write() -> str:
            await client.read("GET", "/before")
            return "done"

        vendor.script.append(hang_up)
        with pytest.raises(VendorError) as failed:
            await writes.run("k", {"first": 1}, write)
        assert failed.value.outcome is Outcome.NOT_APPLIED
        assert await writes.run("k", {"corrected": 1}, write) == "done"


async def test_a_repetition_that_never_left_does_not_hide_that_the_first_try_may_have_arrived(
    database: Database,
) -> None:
    """Without a way to look, only what the vendor says of the write itself ends the doubt."""
    vendor, writes = ScriptedVendor(), IdempotentWrites(database)
    async with served(vendor) as url:
        async with VendorClient(vendor="acme", system="erp", base_url=url, retries=0) as client:
            vendor.script.append(hang_up)
            with pytest.raises(VendorError) as failed:
                await writes.run("k", {}, lambda: _post(client))
            assert failed.value.outcome is Outcome.UNKNOWN
        async with VendorClient(vendor="acme", system="erp", base_url="http://127.0.0.1:9", retries=0) as nobody:
            with pytest.raises(VendorError) as failed:
                await writes.run("k", {}, lambda: _post(nobody))
            assert failed.value.outcome is Outcome.UNKNOWN
        async with VendorClient(vendor="acme", system="erp", base_url=url, retries=0) as client:
            vendor.script.append(answer(400))
            with pytest.raises(VendorError) as failed:
                await writes.run("k", {}, lambda: _post(client))
            assert failed.value.outcome is Outcome.NOT_APPLIED


async def _post(client: VendorClient) -> str:
    await client.write("POST", "/create", json={})
    return "done"


async def test_webhooks_are_kept_until_their_work_succeeds_and_copies_are_known(database: Database) -> None:
    worked: list[list[str]] = []
    failures = iter([VendorUnavailableError("down"), None, None])

    async def work(events: Any) -> None:
        failure = next(failures)
        if failure is not None:
            raise failure
        worked.append([entry.id for entry in events])

    inbox = WebhookInbox(database, work)
    assert await inbox.add([VendorEvent(id="1", payload={}), VendorEvent(id="2", payload={})]) == 2
    async with background(inbox.work_forever):

        async def is_worked() -> bool:
            return bool(worked)

        await until(is_worked)
        assert await inbox.add([VendorEvent(id="2", payload={}), VendorEvent(id="3", payload={})]) == 1

        async def is_done() -> bool:
            return len(worked) == 2

        await until(is_done)
    assert worked == [["1", "2"], ["3"]]


async def test_an_event_that_nobody_can_work_off_does_not_hold_up_the_others(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    worked: list[str] = []

    async def work(events: Any) -> None:
        ids = [entry.id for entry in events]
        if "poison" in ids:
            raise KeyError("unexpected")
        worked.extend(ids)

    inbox = WebhookInbox(database, work)
    await inbox.add([VendorEvent(id=name, payload={"of": name}) for name in ("1", "poison", "2")])
    async with background(inbox.work_forever):

        async def is_worked() -> bool:
            return len(worked) == 2

        await until(is_worked)
    assert worked == ["1", "2"]
    aside = await database.run(lambda c: c.execute("select * from webhook_given_up").fetchall())
    assert aside == [("poison", b'{"of":"poison"}', "KeyError('unexpected')")]
    assert len(caplog.records) == 4
    assert await inbox.add([VendorEvent(id="poison", payload={})]) == 0


async def test_an_event_about_a_record_that_a_system_refuses_does_not_hold_up_the_others(database: Database) -> None:
    worked: list[str] = []
    refused_credential = [VendorAuthError("another key, please")]

    async def work(events: Any) -> None:
        ids = [entry.id for entry in events]
        if refused_credential:
            raise refused_credential.pop()
        if "refused" in ids:
            raise VendorRejectedError("has been deleted")
        worked.extend(ids)

    inbox = WebhookInbox(database, work)
    await inbox.add([VendorEvent(id=name, payload={"of": name}) for name in ("1", "refused", "2")])
    async with background(inbox.work_forever):

        async def is_worked() -> bool:
            return len(worked) == 2

        await until(is_worked)
    assert worked == ["1", "2"]
    aside = await database.run(lambda c: c.execute("select id, payload from webhook_given_up").fetchall())
    assert aside == [("refused", b'{"of":"refused"}')]


async def test_a_feed_goes_on_from_its_mark_and_loses_nothing_when_applying_fails(database: Database) -> None:
    source = ["a", "b", "c", "d"]
    applied: list[str] = []
    fails = [True]

    async def poll(mark: str | None) -> Changes[str]:
        start = int(mark or 0)
        part = source[start : start + 2]
        return Changes(items=part, mark=str(start + len(part)), has_more=start + 2 < len(source))

    async def apply(items: Any) -> None:
        if items[0] == "c" and fails.pop():
            raise VendorUnavailableError("down")
        applied.extend(items)

    feed = ChangeFeed(database, "letters", poll, apply, interval_s=0.01)
    assert await feed.poll_once()
    with pytest.raises(VendorUnavailableError):
        await feed.poll_once()
    fails.append(False)
    again = ChangeFeed(database, "letters", poll, apply, interval_s=0.01)
    assert not await again.poll_once()
    assert (applied, await again.mark()) == (source, "4")


async def test_a_projection_takes_the_newest_version_only_and_finds_by_key(database: Database) -> None:
    old, new = {"customers": ["c1"], "n": 1}, {"customers": ["c2"], "n": 2}

    def fill(connection: Any) -> list[Change]:
        return [
            CONTRACTS.put(connection, "s1", new, version=2),
            CONTRACTS.put(connection, "s1", old, version=1),
            CONTRACTS.put(connection, "s1", new, version=3),
            CONTRACTS.put(connection, "s2", old, version=1),
            CONTRACTS.remove(connection, "s2", version=5),
            CONTRACTS.put(connection, "s2", old, version=4),
        ]

    changes = await database.run(fill)
    assert [change.applied for change in changes] == [True, False, False, True, True, False]
    assert [change.before for change in changes] == [None, new, new, None, old, None]
    assert await database.run(lambda c: CONTRACTS.find(c, "customer", ["c1", "c2"])) == {"c2": [new]}
    assert await database.run(lambda c: (CONTRACTS.get(c, ["s1", "s2", "s3"]), CONTRACTS.count(c))) == ({"s1": new}, 1)


async def test_work_that_fails_in_the_middle_leaves_nothing_behind(database: Database) -> None:
    def fail(connection: Any) -> None:
        CONTRACTS.put(connection, "s9", {"customers": []}, version=1)
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        await database.run(fail)
    assert await database.run(CONTRACTS.count) == 0


def test_a_sandbox_keeps_its_state_over_restarts_and_rolls_back_whole(tmp_path: Path) -> None:
    state = State.open(tmp_path / "sandbox.sqlite")
    assert state.begin_filling("7:200")
    with state.transaction():
        state.collection("companies").put("1", {"name": "Acme"})
        state.end_filling("7:200")
    with pytest.raises(ValueError, match="no"), state.transaction():
        state.collection("companies").put("1", {"name": "Changed"})
        state.collection("companies").put("2", {})
        raise ValueError("no")
    assert list(state.collection("companies").values()) == [{"name": "Acme"}]
    assert [state.next_number("n"), state.next_number("n")] == [1, 2]
    state.close()
    again = State.open(tmp_path / "sandbox.sqlite")
    assert not again.begin_filling("7:200")
    assert again.collection("companies").get("1") == {"name": "Acme"}
    assert again.next_number("n") == 3
    assert again.begin_filling("8:200")
    assert len(again.collection("companies")) == 0
    again.close()


async def test_a_write_that_was_undone_can_not_take_effect_anymore(database):
    writes, done = IdempotentWrites(database), []

    def write(name):
        async def work():
            done.append(name)
            return name

        return work

    assert await writes.run("late:undo", {"undo": 1}, write("undo"), undoes="late") == "undo"
    with pytest.raises(ConflictError) as refused:
        await writes.run("late", {"do": 1}, write("do"))
    assert (refused.value.outcome, refused.value.retryable) == (Outcome.NOT_APPLIED, False)
    # One that took effect is closed as well: its answer is not given again.
    assert await writes.run("early", {"do": 1}, write("did")) == "did"
    assert await writes.run("early:undo", {"undo": 1}, write("undid"), undoes="early") == "undid"
    with pytest.raises(ConflictError):
        await writes.run("early", {"do": 1}, write("again"))
    assert done == ["undo", "did", "undid"]


async def test_a_write_that_may_be_on_its_way_is_undone_only_once_it_has_settled(database):
    writes = IdempotentWrites(database)

    async def lost():
        raise VendorTimeoutError("m", system="erp", outcome=Outcome.UNKNOWN)

    async def undo():
        return True

    with pytest.raises(VendorTimeoutError):
        await writes.run("doubtful", {}, lost)
    with pytest.raises(IdempotencyInProgressError) as told:
        await writes.run("doubtful:undo", {}, undo, undoes="doubtful")
    assert told.value.retry_after_ms == 2000
    assert await writes.run("doubtful:undo", {}, undo, undoes="doubtful") is True


async def test_what_ran_when_a_process_died_is_in_doubt_for_the_next_one_at_once(database):
    def claim(connection):
        connection.execute("insert into idempotent_write values ('k', 'x', 'running', null, strftime('%s'))")

    await IdempotentWrites(database).run("other", {}, _nothing)
    await database.run(claim)
    with pytest.raises(IdempotencyKeyReusedError):
        await IdempotentWrites(database).run("k", {"other": 1}, _nothing)
    states = await database.run(lambda c: c.execute("select state from idempotent_write where key = 'k'").fetchall())
    assert states == [("in_doubt",)]


async def _nothing():
    return None
