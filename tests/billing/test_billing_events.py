"""What happens in Stripe reaches the event log: by webhook, after a downtime, and as time goes by."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import hmac
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from billing_processes import WEBHOOK_SECRET, Pair, Peers, listening, sandbox_process, subgraph_process
from jsonschema import Draft202012Validator
from waiting import until

CONTRACTS = Path(__file__).parents[2] / "schema" / "events"
TODAY = dt.datetime.now(dt.UTC).date()


def signed(body: bytes, *, secret: str = WEBHOOK_SECRET, at: float | None = None) -> dict[str, str]:
    moment = int(time.time() if at is None else at)
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return {"stripe-signature": f"t={moment},v1={digest}", "content-type": "application/json"}


async def stripe(pair: Pair, method: str, path: str, body: str = "") -> dict[str, Any]:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    reply = await pair.sandbox.client.request(method, path, content=body, headers=headers)
    assert reply.status_code == 200, reply.text
    return orjson.loads(reply.content)


async def active(pair: Pair, skip: int = 0) -> dict[str, Any]:
    """An active contract's subscription, as Stripe has it."""
    found = await stripe(pair, "GET", "/v1/subscriptions?status=active&limit=100")
    chosen = [s for s in found["data"] if s["metadata"].get("contract_number") and s["pause_collection"] is None]
    return sorted(chosen, key=lambda s: s["metadata"]["contract_number"])[skip]


async def test_a_change_at_the_vendor_shows_in_graph_and_log(pair: Pair) -> None:
    """An upgrade made in Stripe itself: new quantity, amendment, changed MRR, one event with both values."""
    subscription = await active(pair)
    number = subscription["metadata"]["contract_number"]
    item = next(i for i in subscription["items"]["data"] if i["price"]["recurring"]["usage_type"] == "licensed")
    more = item["quantity"] + 4
    query = "query ($f: ContractFilter) { contracts(filter: $f) { edges { node { mrr { amount } amendments(last: 1) { edges { node { quantityFrom quantityTo } } } items { quantity } } } } }"

    async def contract() -> dict[str, Any]:
        answer = await pair.subgraph.graphql(query, {"f": {"numberContains": number}})
        return answer["data"]["contracts"]["edges"][0]["node"]

    before = await contract()
    body = f"items[0][id]={item['id']}&items[0][quantity]={more}"
    await stripe(pair, "POST", f"/v1/subscriptions/{subscription['id']}", body)
    event = (await until(lambda: pair.peers.of("contract.amended", contract=number)))[-1]
    after = await contract()
    assert event["data"]["changes"] == [{"field": "mrr", "from": before["mrr"]["amount"], "to": after["mrr"]["amount"]}]
    assert after["amendments"]["edges"][-1]["node"] == {"quantityFrom": item["quantity"], "quantityTo": more}
    assert more in [entry["quantity"] for entry in after["items"]]


async def test_use_that_others_record_is_noticed(pair: Pair) -> None:
    """Stripe sends no event for it: the meters in force are read by turns."""
    query = (
        "query ($f: ContractFilter) { contracts(filter: $f, first: 200) { edges { node { number customer { billingRecord { externalId }"
        ' entitlement(feature: "storage") { used limit contract { number } } } } } } }'
    )

    async def nodes() -> list[dict[str, Any]]:
        answer = await pair.subgraph.graphql(query, {"f": {"status": ["ACTIVE"]}})
        return [edge["node"] for edge in answer["data"]["contracts"]["edges"]]

    node = next(
        n for n in await nodes() if (n["customer"]["entitlement"]["contract"] or {}).get("number") == n["number"]
    )
    owner, used = node["customer"]["billingRecord"]["externalId"], int(node["customer"]["entitlement"]["used"])
    body = f"event_name=storage&payload[stripe_customer_id]={owner}&payload[value]=5"
    await stripe(pair, "POST", "/v1/billing/meter_events", body)
    events = await until(lambda: pair.peers.of("usage.recorded", contract=node["number"]))
    after = next(n for n in await nodes() if n["number"] == node["number"])
    assert events[-1]["data"]["changes"] == [{"field": "used", "from": str(used), "to": str(used + 5)}]
    assert int(after["customer"]["entitlement"]["used"]) == used + 5


async def test_a_new_limit_changes_the_entitlement(pair: Pair) -> None:
    subscription = await active(pair, skip=1)
    number = subscription["metadata"]["contract_number"]
    await stripe(pair, "POST", f"/v1/subscriptions/{subscription['id']}", "metadata[limit.platform]=77")
    events = await until(lambda: pair.peers.of("entitlement.changed", contract=number))
    assert events[-1]["data"]["changes"] == [{"field": "limit", "from": None, "to": "77"}]


async def test_a_contract_in_yen_counts_in_whole_yen_and_one_in_dinars_in_fils(pair: Pair) -> None:
    """Three at 1000 yen a year are 250 yen a month; three at 10.010 dinars a year are 2.503 dinars a month."""
    known = await active(pair, skip=3)
    item = known["items"]["data"][0]
    query = """query ($f: ContractFilter) { contracts(filter: $f) { edges { node {
      currency mrr { amount currency } totalValue { amount } items { unitPrice { amount } mrr { amount } } } } } }"""
    for currency, price, unit, month in (("jpy", "1000", "1000", "250"), ("kwd", "10010", "10.010", "2.503")):
        number = f"CON-{currency.upper()}-1"
        made = await stripe(
            pair, "POST", "/v1/prices",
            f"product={item['price']['product']}&currency={currency}&unit_amount={price}&recurring[interval]=year",
        )  # fmt: skip
        await stripe(
            pair, "POST", "/v1/subscriptions",
            f"customer={known['customer']}&items[0][price]={made['id']}&items[0][quantity]=3&metadata[contract_number]={number}",
        )  # fmt: skip

        async def shown(number: str = number) -> Any:
            answer = await pair.subgraph.graphql(query, {"f": {"numberContains": number}})
            return answer["data"]["contracts"]["edges"]

        (edge,) = await until(shown)
        assert edge["node"] == {
            "currency": currency.upper(),
            "mrr": {"amount": month, "currency": currency.upper()},
            "totalValue": None,
            "items": [{"unitPrice": {"amount": unit}, "mrr": {"amount": month}}],
        }


async def test_a_contracts_life_is_told_in_order_and_by_contract(pair: Pair) -> None:
    subscription = await active(pair, skip=2)
    price = next(
        i["price"]["id"] for i in subscription["items"]["data"] if i["price"]["recurring"]["usage_type"] == "licensed"
    )
    made = await stripe(
        pair, "POST", "/v1/subscriptions",
        f"customer={subscription['customer']}&items[0][price]={price}&trial_period_days=5&metadata[contract_number]=CON-LIFE-1",
    )  # fmt: skip
    await stripe(pair, "POST", f"/v1/subscriptions/{made['id']}", "pause_collection[behavior]=void")
    await stripe(pair, "DELETE", f"/v1/subscriptions/{made['id']}")
    await until(lambda: pair.peers.of("contract.cancelled", contract="CON-LIFE-1"))
    kinds = [
        event["type"].removeprefix("concord.contract.")
        for event in pair.peers.events
        if event["data"]["keys"].get("contract") == "CON-LIFE-1" and event["type"].startswith("concord.contract.")
    ]
    assert kinds == ["created.v1", "activated.v1", "cancelled.v1"]


async def test_a_contract_that_ends_after_its_term_has_expired_and_what_it_granted_is_revoked(pair: Pair) -> None:
    """Ended later than it was agreed for, it was not cancelled: nobody renewed it."""
    customer = await stripe(pair, "POST", "/v1/customers", "name=Ephemeral+Ltd&metadata[customer_reference]=CUST-9001")
    running = await active(pair, skip=2)
    price = next(i["price"] for i in running["items"]["data"] if i["price"]["recurring"]["usage_type"] == "licensed")
    granted = await stripe(pair, "GET", f"/v1/products/{price['product']}/features")
    keys = {entry["entitlement_feature"]["lookup_key"] for entry in granted["data"]}
    assert keys
    begun, over = (TODAY - dt.timedelta(days=400)).isoformat(), (TODAY - dt.timedelta(days=2)).isoformat()
    made = await stripe(
        pair, "POST", "/v1/subscriptions",
        f"customer={customer['id']}&items[0][price]={price['id']}&collection_method=send_invoice&days_until_due=30"
        f"&metadata[contract_number]=CON-OVER-1&metadata[term_starts_on]={begun}&metadata[term_ends_on]={over}",
    )  # fmt: skip
    await until(lambda: pair.peers.of("contract.created", contract="CON-OVER-1"))
    await stripe(pair, "DELETE", f"/v1/subscriptions/{made['id']}")
    (expired,) = await until(lambda: pair.peers.of("contract.expired", contract="CON-OVER-1"))
    assert expired["data"]["changes"] == [{"field": "status", "from": "ACTIVE", "to": "EXPIRED"}]
    assert pair.peers.of("contract.cancelled", contract="CON-OVER-1") == []

    def revoked() -> set[str]:
        subjects = {e["subject"]: e["data"]["keys"]["feature"] for e in pair.peers.of("entitlement.revoked")}
        mine = base64.urlsafe_b64encode(f"Entitlement:{customer['id']}".encode()).decode().rstrip("=")[:20]
        return {feature for subject, feature in subjects.items() if subject.startswith(mine)}

    await until(lambda: revoked() == keys)


async def test_a_payment_that_the_bank_refuses_is_told_with_its_invoice(pair: Pair) -> None:
    invoices = (await stripe(pair, "GET", "/v1/invoices?status=open&limit=100"))["data"]
    invoice = next(i for i in invoices if i["metadata"].get("invoice_number") and i["parent"])
    for attempt in (1, 2):
        body = "payment_method=pm_card_chargeCustomerFail"
        headers = {"content-type": "application/x-www-form-urlencoded"}
        reply = await pair.sandbox.client.post(f"/v1/invoices/{invoice['id']}/pay", content=body, headers=headers)
        assert (reply.status_code, reply.json()["error"]["code"]) == (402, "card_declined")
        await until(lambda attempt=attempt: len(_refused(pair, invoice)) == attempt)
    first, second = _refused(pair, invoice)
    assert first["subject"] == second["subject"]
    keys = first["data"]["keys"]
    assert keys == second["data"]["keys"]
    assert keys == {
        "customer": keys["customer"],
        "contract": invoice["parent"]["subscription_details"]["metadata"]["contract_number"],
        "invoice": invoice["metadata"]["invoice_number"],
    }
    amount = f"{invoice['amount_due'] / 100:.2f} {invoice['currency'].upper()}"
    assert first["data"]["changes"] == [
        {"field": "amount", "from": None, "to": amount},
        {"field": "attempt", "from": None, "to": str(invoice["attempt_count"] + 1)},
    ]
    assert (await stripe(pair, "GET", f"/v1/invoices/{invoice['id']}"))["status"] == "open"


def _refused(pair: Pair, invoice: dict[str, Any]) -> list[dict[str, Any]]:
    number = invoice["metadata"]["invoice_number"]
    return [e for e in pair.peers.of("payment.failed") if e["data"]["keys"].get("invoice") == number]


async def test_a_draft_becomes_a_contract_when_its_day_comes(pair: Pair) -> None:
    subscription = await active(pair, skip=2)
    price = next(
        i["price"]["id"] for i in subscription["items"]["data"] if i["price"]["recurring"]["usage_type"] == "licensed"
    )
    start = int(time.time()) + 3
    await stripe(
        pair, "POST", "/v1/subscription_schedules",
        f"customer={subscription['customer']}&start_date={start}&end_behavior=release&phases[0][items][0][price]={price}"
        f"&phases[0][items][0][quantity]=2&phases[0][end_date]={start + 86_400 * 90}&metadata[contract_number]=CON-DRAFT-1",
    )  # fmt: skip
    query = "query ($f: ContractFilter) { contracts(filter: $f) { edges { node { status items { quantity } } } } }"

    async def status() -> str | None:
        answer = await pair.subgraph.graphql(query, {"f": {"numberContains": "CON-DRAFT-1"}})
        found = [edge["node"]["status"] for edge in answer["data"]["contracts"]["edges"]]
        return found[0] if found else None

    async def has(wanted: str) -> bool:
        return await status() == wanted

    await until(lambda: has("DRAFT"))
    await until(lambda: has("ACTIVE"))
    event = (await until(lambda: pair.peers.of("contract.activated", contract="CON-DRAFT-1")))[0]
    assert event["data"]["changes"] == [{"field": "status", "from": None, "to": "ACTIVE"}]


async def test_a_renamed_customer_is_pushed_to_the_crosswalk(pair: Pair) -> None:
    subscription = await active(pair, skip=1)
    await stripe(pair, "POST", f"/v1/customers/{subscription['customer']}", "name=Renamed+Ltd")
    await until(lambda: pair.peers.records[subscription["customer"]]["name"] == "Renamed Ltd")


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({}, b'{"id": "evt_1"}', 401, "SIGNATURE_INVALID"),
        ({"secret": "whsec_wrong"}, b'{"id": "evt_1"}', 401, "SIGNATURE_INVALID"),
        ({"at": -400}, b'{"id": "evt_1"}', 401, "SIGNATURE_INVALID"),
        ({"at": 400}, b'{"id": "evt_1"}', 401, "SIGNATURE_INVALID"),
        ({"raw": "t=abc,v1=00"}, b"{}", 401, "SIGNATURE_INVALID"),
        ({"sign": True}, b"{}", 400, "BAD_REQUEST"),
        ({"sign": True}, b"not json", 400, "BAD_REQUEST"),
        ({"sign": True}, b"[1]", 400, "BAD_REQUEST"),
        ({"sign": True}, b'{"id":"e","object":"event","type":"x","created":"soon","data":{"object":{}}}', 400, "BAD_REQUEST"),
    ],
)  # fmt: skip
async def test_a_webhook_that_is_not_stripes_is_refused(
    pair: Pair, headers: dict[str, Any], body: bytes, status: int, code: str
) -> None:
    sent: dict[str, str] = {}
    if "raw" in headers:
        sent = {"stripe-signature": headers["raw"]}
    elif headers:
        sent = signed(body, secret=headers.get("secret", WEBHOOK_SECRET), at=time.time() + headers.get("at", 0))
    reply = await pair.subgraph.client.post("/webhooks/stripe", content=body, headers=sent)
    assert (reply.status_code, reply.json()["errors"][0]["extensions"]["code"]) == (status, code)


async def test_an_event_of_an_unknown_shape_holds_up_nothing(pair: Pair) -> None:
    """`invoice.upcoming` carries an invoice without id; a broken subscription is passed over; what follows is told."""
    strange = [
        {"type": "invoice.upcoming", "data": {"object": {"object": "invoice", "customer": "cus_1"}}},
        {"type": "customer.subscription.updated", "data": {"object": {"object": "subscription", "id": "sub_1none"}}},
        {
            "type": "entitlements.active_entitlement_summary.updated",
            "data": {"object": {}, "previous_attributes": None},
        },
        {"type": "something.new", "data": {"object": {"object": "novelty", "id": "x"}}},
    ]
    for number, event in enumerate(strange):
        body = orjson.dumps({"id": f"evt_1Strange{number}", "object": "event", "created": int(time.time()), **event})
        assert (
            await pair.subgraph.client.post("/webhooks/stripe", content=body, headers=signed(body))
        ).status_code == 200
    subscription = await active(pair, skip=4)
    await stripe(
        pair, "POST", f"/v1/subscriptions/{subscription['id']}", "metadata[limit.sso]=5&metadata[notice_days]=soon"
    )
    await until(lambda: pair.peers.of("entitlement.changed", contract=subscription["metadata"]["contract_number"]))


async def test_copies_and_disorder_change_nothing(pair: Pair) -> None:
    """An old event that comes late, and copies of events, neither bring old data back nor are told twice."""
    subscription = await active(pair, skip=3)
    number, path = subscription["metadata"]["contract_number"], f"/v1/subscriptions/{subscription['id']}"
    await stripe(pair, "POST", path, "pause_collection[behavior]=void")
    await stripe(pair, "POST", path, "pause_collection=")
    await until(lambda: pair.peers.of("contract.resumed", contract=number))
    kept = (await stripe(pair, "GET", "/v1/events?types[]=customer.subscription.updated&limit=5"))["data"]
    pausing = next(
        e for e in kept if e["data"]["object"]["id"] == subscription["id"] and e["data"]["object"]["pause_collection"]
    )
    late = {**pausing, "id": "evt_1LateCopyOfAnOldEvent0"}
    answers = []
    for event in (pausing, pausing, late, late):
        body = orjson.dumps(event)
        reply = await pair.subgraph.client.post("/webhooks/stripe", content=body, headers=signed(body))
        answers.append((reply.status_code, reply.json()["accepted"]))
    await until(lambda: len(pair.peers.of("contract.paused", contract=number)) == 2)
    found = await pair.subgraph.graphql(
        "query ($f: ContractFilter) { contracts(filter: $f) { edges { node { status } } } }",
        {"f": {"numberContains": number}},
    )
    assert answers == [(200, 0), (200, 0), (200, 1), (200, 0)]
    assert found["data"]["contracts"]["edges"][0]["node"]["status"] == "ACTIVE"
    assert len({event["id"] for event in pair.peers.of("contract.paused", contract=number)}) == 2


async def test_what_happened_while_nobody_ran_is_caught_up(tmp_path: Path, peers: Peers) -> None:
    """No webhook gets through; after the restart the event list fills the gap, without a second reading of everything."""
    async with sandbox_process(tmp_path / "sandbox", CUSTOMERS=12) as sandbox:
        async with subgraph_process(tmp_path / "subgraph", sandbox.url, peers) as subgraph:
            pair = Pair(subgraph, sandbox, peers)
            await until(lambda: _answers(pair))
            subscription = await active(pair)
            assert await subgraph.stop() == 0
        number = subscription["metadata"]["contract_number"]
        heard = len(peers.of("contract.paused", contract=number))
        await stripe(pair, "POST", f"/v1/subscriptions/{subscription['id']}", "pause_collection[behavior]=void")
        await sandbox.client.delete("/__sandbox/requests")
        async with subgraph_process(tmp_path / "subgraph", sandbox.url, peers) as subgraph:
            pair = Pair(subgraph, sandbox, peers)
            await until(lambda: len(peers.of("contract.paused", contract=number)) == heard + 1)
            found = await subgraph.graphql(
                "query ($f: ContractFilter) { contracts(filter: $f) { edges { node { status } } } }",
                {"f": {"numberContains": number}},
            )
            routes = (await sandbox.requests())["byRoute"]
    assert found["data"]["contracts"]["edges"][0]["node"]["status"] == "PAUSED"
    assert not {"GET /v1/subscriptions", "GET /v1/invoices", "GET /v1/customers"} & set(routes)
    assert "GET /v1/events" in routes


async def test_each_change_of_a_downtime_arrives_once_and_in_order_per_contract(tmp_path: Path, peers: Peers) -> None:
    """The endpoint is off while three contracts change several times in turn; webhooks of the last changes come late, twice."""
    async with sandbox_process(tmp_path / "sandbox", CUSTOMERS=12) as sandbox:
        async with subgraph_process(tmp_path / "subgraph", sandbox.url, peers) as subgraph:
            pair = Pair(subgraph, sandbox, peers)
            await until(lambda: _answers(pair))
            changing = [await active(pair, skip) for skip in (5, 6, 7)]
            assert await subgraph.stop() == 0
        numbers = [subscription["metadata"]["contract_number"] for subscription in changing]
        steps = (
            "pause_collection[behavior]=void",
            "pause_collection=",
            "metadata[limit.sso]=77",
            "pause_collection[behavior]=void",
        )
        told = ("contract.paused", "contract.resumed", "entitlement.changed", "contract.paused")
        before = len(peers.events)
        for step in steps:
            for subscription in changing:
                await stripe(pair, "POST", f"/v1/subscriptions/{subscription['id']}", step)
        assert len(peers.events) == before
        kept = (await stripe(pair, "GET", "/v1/events?types[]=customer.subscription.updated&limit=3"))["data"]
        async with subgraph_process(tmp_path / "subgraph", sandbox.url, peers) as subgraph:
            for event in (*kept, *kept):
                body = orjson.dumps(event)
                assert (
                    await subgraph.client.post("/webhooks/stripe", content=body, headers=signed(body))
                ).status_code == 200

            def arrived() -> bool:
                return all(len(of(number)) >= len(told) for number in numbers)

            def of(number: str) -> list[dict[str, Any]]:
                wanted = {f"concord.{name}.v1" for name in told}
                return [
                    e
                    for e in peers.events[before:]
                    if e["data"]["keys"].get("contract") == number and e["type"] in wanted
                ]

            await until(arrived)
            # Polls go on after that and find nothing new to tell.
            polls = (await sandbox.requests())["byRoute"]["GET /v1/events"]

            async def polled() -> bool:
                return (await sandbox.requests())["byRoute"]["GET /v1/events"] >= polls + 3

            await until(polled)
    for number in numbers:
        mine = of(number)
        assert len({event["id"] for event in mine}) == len(mine) == len(told)
        in_time = [e["type"] for e in sorted(mine, key=lambda e: e["time"])]
        assert sorted(in_time) == sorted(f"concord.{name}.v1" for name in told)
        assert [e["time"] for e in mine] == sorted(e["time"] for e in mine)


async def test_a_vendor_that_limits_its_rate_is_read_at_its_pace(tmp_path: Path, peers: Peers) -> None:
    async with sandbox_process(tmp_path / "sandbox", CUSTOMERS=4) as sandbox:
        await sandbox.faults(rateLimitPerS=15)
        async with subgraph_process(tmp_path / "subgraph", sandbox.url, peers, POLL_INTERVAL_S=5) as subgraph:
            pair = Pair(subgraph, sandbox, peers)
            await until(lambda: _answers(pair), within_s=30)
            routes = (await sandbox.requests())["byRoute"]
    assert routes["GET /v1/invoices"] < 15


async def _answers(pair: Pair) -> bool:
    return "errors" not in await pair.subgraph.graphql("{ contracts(first: 1) { totalCount } }")


async def test_renewals_are_told_once_each_over_restarts(tmp_path: Path) -> None:
    """The marks are configured; a restart tells nothing again, and a new mark tells just itself."""
    async with listening() as peers, sandbox_process(tmp_path / "sandbox", CUSTOMERS=20) as sandbox:
        told = []
        for marks in ("[90, 60, 30, 7]", "[90, 60, 30, 7]", "[400]"):
            async with subgraph_process(
                tmp_path / "subgraph", sandbox.url, peers, RENEWAL_DAYS_BEFORE=marks
            ) as subgraph:
                pair = Pair(subgraph, sandbox, peers)
                await until(lambda pair=pair: _answers(pair))
                due = await pair.subgraph.graphql(
                    "{ contracts(first: 200) { edges { node { number renewal { dueOn daysLeft } } } } }"
                )
                await until(lambda: peers.of("renewal.due"))
                await until(lambda: _is_quiet(peers))
            told.append(
                sorted((e["data"]["keys"]["contract"], e["data"]["changes"][-1]["to"]) for e in peers.of("renewal.due"))
            )
    left = {
        e["node"]["number"]: e["node"]["renewal"] for e in due["data"]["contracts"]["edges"] if e["node"]["renewal"]
    }

    def expected(marks: list[int]) -> list[tuple[str, str]]:
        return sorted(
            (n, str(min(m for m in marks if r["daysLeft"] <= m)))
            for n, r in left.items()
            if 0 <= r["daysLeft"] <= max(marks)
        )

    near = expected([90, 60, 30, 7])
    assert near
    assert told == [near, near, sorted([*near, *expected([400])])]
    assert all("customer" in event["data"]["keys"] for event in peers.of("renewal.due", "renewal.notice_deadline"))


async def _is_quiet(peers: Peers) -> bool:
    before = len(peers.events)
    await asyncio.sleep(0.7)
    return len(peers.events) == before


async def test_every_event_keeps_its_published_contract(pair: Pair) -> None:
    problems = []
    for event in pair.peers.events:
        contract = orjson.loads((CONTRACTS / f"{event['type']}.json").read_bytes())
        problems += [f"{event['type']}: {error.message}" for error in Draft202012Validator(contract).iter_errors(event)]
    assert problems == []
    assert pair.peers.events
