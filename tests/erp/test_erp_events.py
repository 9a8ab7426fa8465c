"""What happens in the ERP reaches the event log: by polling, once, without a gap over a stop."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
import sqlite3
from decimal import Decimal
from typing import Any

from subgraphs.erp.port import CreditLine
from subgraphs.kit.global_id import encode_global_id

TODAY = dt.date(2026, 10, 20)
TYPES = (
    "invoice.posted",
    "invoice.paid",
    "invoice.voided",
    "payment.received",
    "credit_memo.issued",
    "customer.credit_hold_changed",
)


async def customers(world: Any) -> Any:
    """erpRef → global id, once identity knows all four."""
    query = {"query": "{ customers { edges { node { id erpRef } } } }"}
    answer = (await world.http.post(f"{world.identity.url}/graphql", json=query)).json()
    edges = answer["data"]["customers"]["edges"]
    return len(edges) == 4 and {edge["node"]["erpRef"]: edge["node"]["id"] for edge in edges}


async def begin(world: Any) -> dict[str, str]:
    """Wait until the feeds have looked for the first time: what happens from then on is news. Returns erpRef → global id."""

    async def have_looked() -> bool:
        with sqlite3.connect(f"file:{world.folder / 'erp' / 'erp.sqlite'}?mode=ro", uri=True) as connection:
            (count,) = connection.execute("select count(*) from high_water_mark").fetchone()
        connection.close()
        return count == 3

    await world.eventually(have_looked, 30)
    return dict(await world.eventually(lambda: customers(world), 30))


def posted_draft(party: int, contract: str, product: int, **more: Any) -> dict[str, Any]:
    line = {"type": "line", "product": product, "quantity": 2.0, "unit_price": Decimal("40.00"), "description": "Seats"}
    return {
        "type": "out",
        "party": party,
        "reference": contract,
        "invoice_date": TODAY,
        "lines": [["create", [line]]],
        **more,
    }


async def test_each_change_is_told_once_with_its_keys(small_world: Any) -> None:
    world = small_world
    known = await begin(world)
    async with world.tryton() as system:
        open_ = [i for i in await system.erp.changed_invoices(None) if i.status == "POSTED"]
        paid, credited, voided = open_[:3]
        (product, *_) = await system.rows("product.product", [], "code")
        created = (
            await system.rest(
                "POST",
                "account.invoice",
                body=posted_draft(int(paid.customer_id), "CON-2026-9999", product["id"]),
                fields=("number",),
            )
        ).json()
        await system.rest("POST", f"account.invoice/{created['id']}/post", body={})
        payment = await system.erp.record_payment(
            paid, amount=paid.balance, received_on=TODAY, method=None, reference="in full"
        )
        line = (await system.erp.lines_of_invoices.read([credited.id]))[credited.id][0]
        memo = await system.erp.issue_credit_memo(
            credited,
            [CreditLine(line_id=line.id, quantity=Decimal(1), unit_price=Decimal(1))],
            issued_on=TODAY,
            reason="Goodwill",
            reference="R-1",
        )
        await system.erp.void_invoice(voided, version=voided.version)
        number = (await system.erp.invoices.read([str(created["id"])]))[str(created["id"])].number

    def keys(invoice: Any) -> dict[str, str]:
        return {"customer": known[invoice.customer_id], "contract": invoice.contract, "invoice": invoice.number}

    expected = {
        ("concord.invoice.posted.v1", encode_global_id("Invoice", str(created["id"]))): {
            "customer": known[paid.customer_id],
            "contract": "CON-2026-9999",
            "invoice": number,
        },
        ("concord.payment.received.v1", encode_global_id("Payment", payment)): keys(paid),
        ("concord.invoice.paid.v1", encode_global_id("Invoice", paid.id)): keys(paid),
        ("concord.credit_memo.issued.v1", encode_global_id("CreditMemo", memo)): keys(credited),
        ("concord.invoice.voided.v1", encode_global_id("Invoice", voided.id)): keys(voided),
    }
    types = TYPES[:-1]

    async def all_told() -> Any:
        return len(await world.told(*types)) >= len(expected)

    await world.eventually(all_told, 30)
    told = await world.told(*types)
    assert {(e.event.type, e.event.subject): dict(e.event.keys) for e in told} == expected
    assert len(told) == len(expected)

    async def are_journaled() -> bool:
        journal = await world.told("journal.posted")
        return {e.event.keys.get("invoice") for e in journal} >= {paid.number, voided.number, number}

    await world.eventually(are_journaled, 30)
    assert await world.events.dead_letters.read(0, 10) == ()


async def test_what_is_overdue_in_one_currency_has_a_sum_whatever_else_is_open(small_world: Any) -> None:
    world = small_world
    await begin(world)
    async with world.tryton() as system:
        late = next(i for i in await system.erp.changed_invoices(None) if i.is_overdue(TODAY))
        (product, *_) = await system.rows("product.product", [], "code")
        codes = {row["code"]: row["id"] for row in await system.rows("currency.currency", [], "code")}
        other = next(code for code in ("USD", "EUR") if code != late.currency)
        draft = posted_draft(int(late.customer_id), "CON-2026-9998", product["id"], currency=codes[other])
        created = (await system.rest("POST", "account.invoice", body=draft, fields=("number",))).json()
        await system.rest("POST", f"account.invoice/{created['id']}/post", body={})
    query = """query($of: [_Any!]!) { _entities(representations: $of) { ... on Customer {
        openBalance { currency } overdueBalance { currency } openBalances { currency } } } }"""
    of = [{"__typename": "Customer", "erpRef": late.customer_id}]
    answer = await world.http.post(f"{world.erp.url}/graphql", json={"query": query, "variables": {"of": of}})
    assert answer.json()["data"]["_entities"] == [
        {
            "openBalance": None,
            "overdueBalance": {"currency": late.currency},
            "openBalances": [{"currency": code} for code in sorted((late.currency, other))],
        }
    ]


async def test_revenue_that_is_deferred_is_told_once_and_recognised_when_its_months_come(small_world: Any) -> None:
    world = small_world
    known = await begin(world)
    change = await world.http.post(f"{world.sandbox.url}/__sandbox/changes", json={"kind": "invoice_posted"})
    assert change.status_code == 200, change.text
    (posted,) = await world.eventually(lambda: world.told("invoice.posted"), 30)
    told = await world.eventually(lambda: world.told("revenue.schedule_created"), 30)
    contract = posted.event.keys["contract"]
    assert {e.event.subject for e in told} == {encode_global_id("Contract", contract)}
    assert {e.event.keys["invoice"] for e in told} == {posted.event.keys["invoice"]}
    assert {e.event.keys["customer"] for e in told} <= set(known.values())
    assert all([c.field for c in e.event.changes] == ["amount", "startsOn", "endsOn"] for e in told)
    assert await world.events.dead_letters.read(0, 10) == ()


async def test_money_that_is_given_back_is_told_with_what_it_was_for(small_world: Any) -> None:
    world = small_world
    known = await begin(world)
    change = await world.http.post(f"{world.sandbox.url}/__sandbox/changes", json={"kind": "payment_refunded"})
    assert change.status_code == 200, change.text
    (refunded,) = await world.eventually(lambda: world.told("payment.refunded"), 30)
    (issued,) = await world.told("credit_memo.issued")
    (made,) = change.json()["changes"]
    assert issued.event.subject == encode_global_id("CreditMemo", made["id"])
    assert dict(refunded.event.keys) == dict(issued.event.keys)
    assert refunded.event.keys["customer"] in known.values()
    (amount,) = refunded.event.changes
    assert amount.field == "amount"
    assert Decimal(amount.after.split()[0]) > 0
    assert (
        f"got {Decimal(amount.after.split()[0]):,.2f} {amount.after.split()[1]} of {refunded.event.keys['invoice']} back"
        in (made["sentence"])
    )
    assert await world.told("payment.received") == []
    assert await world.events.dead_letters.read(0, 10) == ()


async def test_what_the_calendar_brings_is_told_once_when_its_day_comes(small_world: Any) -> None:
    """Invoices that are due soon, and revenue of the months that have come, while nobody changes anything."""
    world = small_world
    known = await begin(world)
    async with world.tryton() as system:
        buyer = (await system.erp.changed_invoices(None))[0].customer_id
        (product, *_) = await system.rows("product.product", [], "code")
        draft = posted_draft(int(buyer), "CON-2026-9997", product["id"])
        (_, (line,)) = draft["lines"][0]
        line |= {"defer_from": dt.date(2026, 11, 1), "defer_to": dt.date(2027, 1, 31)}
        terms = await system.rows("account.invoice.payment_term", [], "name")
        draft["payment_term"] = terms[0]["id"]
        created = (await system.rest("POST", "account.invoice", body=draft, fields=("number",))).json()
        await system.rest("POST", f"account.invoice/{created['id']}/post", body={})
        lines = await system.rows("account.invoice.line", [["invoice", "=", created["id"]]], "invoice")
        deferrals = await system.rows(
            "account.invoice.deferred", [["invoice_line", "in", [each["id"] for each in lines]]], "state"
        )
        for deferral in deferrals:
            await system.rest("POST", f"account.invoice.deferred/{deferral['id']}/run", body={})
        posted = (await system.erp.invoices.read([str(created["id"])]))[str(created["id"])]
    (schedule,) = await world.eventually(lambda: world.told("revenue.schedule_created"), 30)
    assert schedule.event.keys["invoice"] == posted.number
    assert await world.told("invoice.due_soon", "revenue.recognized") == []
    assert posted.due_on is not None
    near = posted.due_on - dt.timedelta(days=3)
    counts = []
    for day in (near, near, dt.date(2026, 12, 5)):  # a restart on the same day tells nothing again
        world.erp.stop()
        world.start_subgraph(TODAY=day.isoformat())
        await world.eventually(lambda: world.told("invoice.due_soon"), 60)
        counts.append(len([e for e in await world.told("invoice.due_soon") if e.event.subject == gid_of(posted)]))
    assert counts == [1, 1, 1]

    async def recognised() -> Any:
        found = await world.told("revenue.recognized")
        return found if len(found) >= 2 else None

    told = await world.eventually(recognised, 60)
    keys = {"customer": known[buyer], "contract": "CON-2026-9997", "invoice": posted.number}
    assert [dict(e.event.keys) for e in told] == [keys, keys]
    assert [e.event.time.date() for e in told] == [dt.date(2026, 11, 1), dt.date(2026, 12, 1)]
    assert all(e.event.changes[0].after == "RECOGNIZED" for e in told)
    assert await world.events.dead_letters.read(0, 10) == ()


async def test_an_invoice_that_can_not_be_read_stops_no_news_and_its_own_is_told_when_it_can(small_world: Any) -> None:
    """Of the ledger: its entries, the schedule they begin, and the revenue of months that came meanwhile."""
    world = small_world
    known = await begin(world)
    # Its contract goes by no name, and its currency becomes a number, as if Tryton kept them otherwise.
    broken = {f'"reference":{gap}"CON-2026-9997"': '"currency": 7' for gap in ("", " ")}
    async with world.fault(rewrite=broken):
        async with world.tryton() as system:
            buyer = (await system.erp.changed_invoices(None))[0].customer_id
            (product, *_) = await system.rows("product.product", [], "code")
            odd, plain = (posted_draft(int(buyer), f"CON-2026-999{n}", product["id"]) for n in (7, 8))
            (_, (line,)) = odd["lines"][0]
            line |= {"defer_from": dt.date(2026, 11, 1), "defer_to": dt.date(2027, 1, 31)}
            for draft in (odd, plain):
                created = (await system.rest("POST", "account.invoice", body=draft, fields=("number",))).json()
                await system.rest("POST", f"account.invoice/{created['id']}/post", body={})
                if draft is odd:
                    await told_nothing_for(world, 1.0)  # alone in its poll, or in one with what follows
                    lines = await system.rows("account.invoice.line", [["invoice", "=", created["id"]]], "invoice")
                    domain = [["invoice_line", "in", [each["id"] for each in lines]]]
                    for deferral in await system.rows("account.invoice.deferred", domain, "state"):
                        await system.rest("POST", f"account.invoice.deferred/{deferral['id']}/run", body={})
                    await told_nothing_for(world, 1.0)
        (other,) = await world.eventually(lambda: world.told("journal.posted"), 30)
        assert other.event.keys["contract"] == "CON-2026-9998"

    async def schedule() -> Any:
        entries = await world.told("journal.posted")
        return await world.told("revenue.schedule_created") if len(entries) == 6 else None

    (scheduled,) = await world.eventually(schedule, 30)
    assert (scheduled.event.keys["contract"], scheduled.event.keys["customer"]) == ("CON-2026-9997", known[buyer])
    contracts = [e.event.keys["contract"] for e in await world.told("journal.posted")]
    assert sorted(contracts) == ["CON-2026-9997"] * 5 + ["CON-2026-9998"]
    async with world.fault(rewrite=broken):
        world.erp.stop()
        world.start_subgraph(TODAY="2026-12-05")
        await world.eventually(lambda: world.told("invoice.overdue"), 30)
        await told_nothing_for(world, 1.0, "revenue.recognized")

    async def recognised() -> Any:
        return len(await world.told("revenue.recognized")) == 2

    await world.eventually(recognised, 60)
    assert await world.events.dead_letters.read(0, 10) == ()


async def test_a_customer_that_is_deleted_is_gone_from_identity_and_one_that_is_retired_is_not(
    small_world: Any,
) -> None:
    world = small_world
    await begin(world)
    world.erp.stop()
    world.start_subgraph(SYNCHRONISE_INTERVAL_S=0.5)
    async with world.tryton() as system:
        values = [{"code": f"CUST-D-{number}", "name": f"Short lived {number}"} for number in range(2)]
        context = {"company": 1, "companies": [1]}
        made = await system.erp._tryton.call("model.party.party.create", values, context)

        async def references() -> dict[str, str]:
            query = {"query": "{ customers { edges { node { erpRef id } } } }"}
            answer = (await world.http.post(f"{world.identity.url}/graphql", json=query)).json()
            return {edge["node"]["erpRef"]: edge["node"]["id"] for edge in answer["data"]["customers"]["edges"]}

        async def are_known() -> Any:
            found = await references()
            return found if {str(each) for each in made} <= found.keys() else None

        known = await world.eventually(are_known, 30)
        retired, deleted = made
        await system.erp._tryton.call("model.party.party.write", [retired], {"active": False}, context)
        (await system.rest("DELETE", f"party.party/{deleted}")).raise_for_status()

        async def is_gone() -> bool:
            return str(deleted) not in await references()

        await world.eventually(is_gone, 30)
        assert str(retired) in await references()
    told = [e.event for e in await world.told("customer.updated") if e.event.subject == known[str(deleted)]]
    assert [(change.field, change.before, change.after) for change in told[-1].changes] == [
        ("identities", f"erp:{deleted}", None)
    ]


UNREADABLE = '"lines_to_pay": 7, "contact_mechanisms": 7, "company": 7'
"""As if Tryton kept an invoice's lines, a customer's addresses and an entry's company otherwise."""
DIFFERENCES = "{ erpSystems { differences { kind object } } }"


def waiting(world: Any) -> int:
    """How many rows are to be looked at again."""
    with sqlite3.connect(f"file:{world.folder / 'erp' / 'erp.sqlite'}?mode=ro", uri=True) as connection:
        found = connection.execute(
            "select (select count(*) from unreadable_row) + (select count(*) from waiting_journal_entry)"
        ).fetchone()
    connection.close()
    return int(found[0])


async def has_waiting(world: Any, count: int) -> bool:
    return waiting(world) == count


async def test_what_can_t_be_read_when_it_changes_is_told_once_it_can(small_world: Any) -> None:
    """However long that takes: no stamp says that it can be read again."""
    world = small_world
    known = await begin(world)
    world.erp.stop()
    async with world.tryton() as system:
        held = (await system.erp.changed_customers(None))[0]
        await system.erp.set_credit_hold(held, on_hold=not held.credit_hold, version=held.version)
        (product, *_) = await system.rows("product.product", [], "code")
        draft = posted_draft(int(held.id), "CON-2026-9997", product["id"])
        created = (await system.rest("POST", "account.invoice", body=draft, fields=("number",))).json()["id"]
        await system.rest("POST", f"account.invoice/{created}/post", body={})
        odd = [
            *await system.rows("party.party", [["id", "=", int(held.id)]], "_timestamp"),
            *await system.rows("account.invoice", [["id", "=", created]], "_timestamp"),
            *await system.rows("account.move", [["origin", "=", f"account.invoice,{created}"]], "_timestamp"),
        ]
    stamps = {row["_timestamp"] for row in odd}
    broken = {f'"_timestamp":{gap}"{stamp}"': UNREADABLE for gap in ("", " ") for stamp in stamps}
    types = (*TYPES, "journal.posted")
    async with world.fault(rewrite=broken):
        world.start_subgraph()
        await world.eventually(lambda: has_waiting(world, 3), 30)
        named = {
            (each["kind"], each["object"])
            for system in (await world.data(DIFFERENCES))["erpSystems"]
            for each in system["differences"]
        }
        assert named >= {("UNREADABLE_VALUE", model) for model in ("party.party", "account.invoice", "account.move")}
        world.erp.stop()
        # Much has changed since, so that nothing looks back as far as these.
        later = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=60)).isoformat()
        with sqlite3.connect(world.folder / "erp" / "erp.sqlite") as connection:
            connection.execute("update high_water_mark set mark = ?", (later,))
        connection.close()
        world.start_subgraph()
        await told_nothing_for(world, 1.0, *types)
    await world.eventually(lambda: has_waiting(world, 0), 30)

    async def all_told() -> Any:
        return len(await world.told(*types)) >= 3

    await world.eventually(all_told, 30)
    world.erp.stop()
    world.start_subgraph()
    await told_nothing_for(world, 1.0, "invoice.voided")
    told = {e.event.type: e.event for e in await world.told(*types)}
    assert sorted(told) == [
        "concord.customer.credit_hold_changed.v1", "concord.invoice.posted.v1", "concord.journal.posted.v1",
    ]  # fmt: skip
    assert len(await world.told(*types)) == 3
    assert {event.keys["customer"] for event in told.values()} == {known[held.id]}
    assert told["concord.invoice.posted.v1"].keys["contract"] == "CON-2026-9997"


async def test_history_that_can_t_be_read_at_first_is_no_news_when_it_can(small_world: Any) -> None:
    world = small_world
    await begin(world)
    world.erp.stop()
    shutil.rmtree(world.folder / "erp")
    async with world.tryton() as system:
        invoices = [i for i in await system.erp.changed_invoices(None) if i.status == "POSTED" and i.balance > 0]
        odd = next(invoice for invoice in invoices if invoice.due_on and invoice.due_on >= TODAY)
    broken = {f'"_timestamp":{gap}"{odd.version}"': UNREADABLE for gap in ("", " ")}
    count = sum(invoice.version == odd.version for invoice in invoices)
    async with world.fault(rewrite=broken):
        world.start_subgraph()
        await world.eventually(lambda: has_waiting(world, count), 30)
        await begin(world)
    await world.eventually(lambda: has_waiting(world, 0), 30)
    await told_nothing_for(world, 0.5, *TYPES, "invoice.overdue")
    # From here on it is heard of as the others are.
    async with world.tryton() as system:
        found = (await system.erp.invoices.read([odd.id]))[odd.id]
        await system.erp.record_payment(found, amount=found.balance, received_on=TODAY, method=None, reference="late")
    await world.eventually(lambda: world.told("invoice.paid"), 30)
    assert [e.event.type for e in await world.told(*TYPES)] == [
        "concord.payment.received.v1", "concord.invoice.paid.v1",
    ]  # fmt: skip


async def told_nothing_for(world: Any, seconds: float, *types: str) -> None:
    await asyncio.sleep(seconds)
    assert await world.told(*(types or ("journal.posted", "revenue.schedule_created"))) == []


def gid_of(invoice: Any) -> str:
    return encode_global_id("Invoice", invoice.id)


async def test_what_happens_while_the_subgraph_is_stopped_is_told_when_it_is_back(small_world: Any) -> None:
    world = small_world
    await begin(world)
    control = f"{world.sandbox.url}/__sandbox/requests"
    await world.http.delete(control)

    async def has_polled_again() -> bool:
        asked = (await world.http.get(control)).json()["byRoute"]
        return asked.get("GET /erp/rest/model/account.move", 0) >= 3

    await world.eventually(has_polled_again, 30)
    assert await world.told(*TYPES, "journal.posted", "invoice.overdue") == []  # history is no news
    world.erp.kill()
    async with world.tryton() as system:
        record = (await system.erp.changed_customers(None))[-1]
        await system.erp.set_credit_hold(record, on_hold=not record.credit_hold, version=record.version)
        paid = next(i for i in await system.erp.changed_invoices(None) if i.status == "POSTED")
        await system.erp.record_payment(
            paid, amount=paid.balance, received_on=TODAY, method=None, reference="meanwhile"
        )
    # Weeks later: the rest of what was open has become overdue, once each, over one more restart.
    world.today = TODAY + dt.timedelta(days=60)
    world.start_subgraph()

    async def back() -> Any:
        types = {e.event.type for e in await world.told(*TYPES)}
        return types == {
            "concord.customer.credit_hold_changed.v1",
            "concord.payment.received.v1",
            "concord.invoice.paid.v1",
        } and await world.told("invoice.overdue")

    await world.eventually(back, 30)
    world.erp.stop()
    world.start_subgraph()
    async with world.tryton() as system:
        open_ = {i.number for i in await system.erp.changed_invoices(None) if i.status == "POSTED" and i.balance > 0}
    facts = {i.number for i in world.company.invoices if i.status == "POSTED" and i.due_on >= TODAY}

    async def overdue_told() -> Any:
        return {e.event.keys["invoice"] for e in await world.told("invoice.overdue")} >= open_ & facts

    await world.eventually(overdue_told, 30)
    told = [e.event.keys["invoice"] for e in await world.told("invoice.overdue")]
    assert sorted(told) == sorted(open_ & facts)
    assert len(await world.told(*TYPES)) == 3
