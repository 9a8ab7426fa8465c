"""Two ERPs behind one graph: reads and writes go where the data is, new customers where routes lead, regions stay apart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from erp_world import KEY, SECRET, SMALL, System, World, sandbox_settings, system_at, world_of
from served_process import ServedProcess, serve_module
from tryton import LOGIN, PASSWORD

from gateway.access.caller import Caller
from gateway.access.identity import CallerSigner
from subgraphs.kit.global_id import encode_global_id, parse_global_id

AMERICANS = 3
ROUTES = [{"countries": ["US", "CA"], "instance": "us"}, {"currencies": ["GBP"], "countries": ["GB"], "instance": "us"}]
HEAD = "id number currency total { amount } status"


def confined(*regions: str) -> dict[str, str]:
    """The header of a caller whose claims allow these regions only."""
    name, value = CallerSigner(SECRET, "erp")(Caller(subject="ada", filters={"region": regions}))
    return {name: value}


@dataclass
class Two:
    """One's own Tryton in the EU and a further one in the US, each filled by itself: their numbers overlap."""

    world: World
    american: ServedProcess

    @asynccontextmanager
    async def tryton(self) -> AsyncIterator[System]:
        """A person at the American ERP."""
        async with system_at(f"{self.american.url}/erp", KEY) as found:
            yield found

    async def data(self, query: str, variables: dict[str, Any] | None = None, *regions: str) -> Any:
        return await self.world.data(query, variables, **(confined(*regions) if regions else {}))

    async def invoices(self, *regions: str) -> list[dict[str, Any]]:
        query = f"{{ invoices(first: 100) {{ totalCount edges {{ node {{ {HEAD} }} }} }} }}"
        found = (await self.data(query, None, *regions))["invoices"]
        assert found["totalCount"] == len(found["edges"])
        return [edge["node"] for edge in found["edges"]]

    async def step(self, name: str, selection: str, given: dict[str, Any], key: str, *regions: str) -> dict[str, Any]:
        """A workflow's step."""
        kind = f"{name[0].upper()}{name[1:]}Input"
        query = f"mutation($input: {kind}!) {{ {name}(input: $input) {{ {selection} }} }}"
        headers = confined(*regions) if regions else {}
        return await self.world.ask(query, {"input": given}, Idempotency_Key=key, **headers)


@pytest.fixture(scope="module")
async def two(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Two]:
    folder = tmp_path_factory.mktemp("two-erps")
    settings = sandbox_settings(folder / "american", AMERICANS)
    american = await asyncio.to_thread(serve_module, "subgraphs.erp.sandbox", folder / "american", settings)
    further = {
        "name": "us", "url": f"{american.url}/erp", "token": KEY, "login": LOGIN, "password": PASSWORD, "region": "US",
    }  # fmt: skip
    try:
        async with world_of(
            folder, SMALL, INSTANCES=json.dumps([further]), REGION="EU", ROUTES=json.dumps(ROUTES)
        ) as world:
            yield Two(world, american)
    finally:
        await asyncio.to_thread(american.stop)


def local(node: dict[str, Any]) -> str:
    return parse_global_id(node["id"])[1]


async def test_the_invoices_of_both_are_one_list_however_it_is_paged(two: Two) -> None:
    everything = await two.invoices()
    american = [node for node in everything if local(node).startswith("us:")]
    assert american
    assert len(american) < len(everything)
    # Both number their documents by themselves, so that the numbers overlap, and ids do not.
    assert len({node["number"] for node in everything}) < len({node["id"] for node in everything}) == len(everything)
    for field in ("NUMBER", "ISSUED_ON"):
        for direction in ("ASC", "DESC"):
            order = {"field": field, "direction": direction}
            forward = await pages(two, order, "first", "after")
            assert sorted(node["id"] for node in forward) == sorted(node["id"] for node in everything)
            backward = await pages(two, order, "last", "before")
            assert [node["id"] for node in backward] == [node["id"] for node in forward]
            key = "number" if field == "NUMBER" else "issuedOn"
            values = [node[key] for node in forward if node[key]]
            assert values == sorted(values, reverse=direction == "DESC")


async def pages(two: Two, order: dict[str, str], size: str, cursor: str) -> list[dict[str, Any]]:
    """All invoices, three at a time."""
    query = f"""query($o: InvoiceOrder, $c: String) {{ invoices({size}: 3, {cursor}: $c, orderBy: $o) {{
      pageInfo {{ startCursor endCursor hasNextPage hasPreviousPage }} edges {{ node {{ id number issuedOn }} }} }} }}"""
    found: list[dict[str, Any]] = []
    place = None
    while True:
        page = (await two.data(query, {"o": order, "c": place}))["invoices"]
        nodes = [edge["node"] for edge in page["edges"]]
        found = [*found, *nodes] if size == "first" else [*nodes, *found]
        info = page["pageInfo"]
        if not info["hasNextPage" if size == "first" else "hasPreviousPage"]:
            return found
        place = info["endCursor" if size == "first" else "startCursor"]


WHOLE = """erpRef legalName openBalances { amount currency } creditLimit { currency } erpRecord { externalId }
  invoices(first: 100) { totalCount edges { node { id customer { erpRef } lines { edges { node { id invoice { id }
    revenueEntries { edges { node { id invoiceLine { id } journalEntry { id } } } } } } }
    payments { edges { node { id invoice { id } journalEntry { id period { id } } } } } journalEntry { id } } } }"""


async def test_a_customer_of_both_answers_from_both_and_nothing_is_mixed_up(two: Two) -> None:
    (both,) = await two.world.entities(f"... on Customer {{ {WHOLE} }}", {"__typename": "Customer", "erpRef": "2+us:2"})
    seen = {edge["node"]["customer"]["erpRef"] for edge in both["invoices"]["edges"]}
    assert seen <= {"2", "us:2"}
    for edge in both["invoices"]["edges"]:
        is_american = local(edge["node"]).startswith("us:")
        assert is_american is edge["node"]["customer"]["erpRef"].startswith("us:")
        for found in ids_below(edge["node"]):
            assert ("us:" in found) is is_american, found
    record = "... on Customer { erpRecord { system vendor externalId } }"
    held = await two.world.entities(record, *({"__typename": "Customer", "erpRef": ref} for ref in ("2", "us:2")))
    assert [each["erpRecord"] for each in held] == [
        {"system": "erp", "vendor": "tryton", "externalId": "2"},
        {"system": "erp/us", "vendor": "tryton", "externalId": "2"},
    ]
    parts = [
        (
            await two.world.entities(
                "... on Customer { invoices { totalCount } }", {"__typename": "Customer", "erpRef": ref}
            )
        )[0]
        for ref in ("2", "us:2")
    ]
    assert both["invoices"]["totalCount"] == sum(part["invoices"]["totalCount"] for part in parts)


def ids_below(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [parse_global_id(value["id"])[1]] if "id" in value and "code" not in value else []
        return own + [found for each in value.values() for found in ids_below(each)]
    return [found for each in value for found in ids_below(each)] if isinstance(value, list) else []


async def test_each_record_is_found_by_its_id_and_a_number_of_two_is_refused(two: Two) -> None:
    invoices = await two.invoices()
    american = next(node for node in invoices if local(node).startswith("us:") and node["number"])
    query = f"query($id: ID!) {{ invoice(id: $id) {{ {HEAD} lines {{ edges {{ node {{ id revenueEntries {{ edges {{ node {{ id }} }} }} }} }} }} }} }}"
    found = (await two.data(query, {"id": american["id"]}))["invoice"]
    assert {key: found[key] for key in american} == american
    nodes = [edge["node"] for edge in found["lines"]["edges"]]
    entries = [edge["node"] for node in nodes for edge in node["revenueEntries"]["edges"]]
    representations = [{"__typename": "InvoiceLine", "id": node["id"]} for node in nodes]
    representations += [{"__typename": "RevenueEntry", "id": node["id"]} for node in entries]
    again = await two.world.entities("... on InvoiceLine { id } ... on RevenueEntry { id }", *representations)
    assert [each["id"] for each in again] == [each["id"] for each in representations]
    number = {"r": [{"__typename": "Invoice", "number": american["number"]}]}
    by_number = f"query($r: [_Any!]!) {{ _entities(representations: $r) {{ ... on Invoice {{ {HEAD} }} }} }}"
    twice = await two.world.ask(by_number, number)
    assert twice["data"] == {"_entities": [None]}
    assert twice["errors"][0]["extensions"]["code"] == "CONFLICT"
    assert (await two.data(by_number, number, "US"))["_entities"] == [american]


async def test_what_lives_elsewhere_does_not_exist_for_whoever_is_confined(two: Two) -> None:
    everything = await two.invoices()
    ours, theirs = await two.invoices("EU"), await two.invoices("US")
    assert {node["id"] for node in ours} | {node["id"] for node in theirs} == {node["id"] for node in everything}
    assert not {node["id"] for node in ours} & {node["id"] for node in theirs}
    assert await two.invoices("ASIA") == []
    hidden, absent = theirs[0]["id"], encode_global_id("Invoice", "us:999999")
    for regions in (("EU",), ("ASIA",), ("EU", "ASIA")):
        for each in (hidden, absent, encode_global_id("Invoice", "mars:1")):
            found = await two.data(f"query($id: ID!) {{ invoice(id: $id) {{ {HEAD} }} }}", {"id": each}, *regions)
            assert found == {"invoice": None}
    lists = """query($f: InvoiceFilter) { invoices(filter: $f) { totalCount pageInfo { hasNextPage } edges { node { id } } } }"""
    nothing = {"invoices": {"totalCount": 0, "pageInfo": {"hasNextPage": False}, "edges": []}}
    assert await two.data(lists, {"f": {"customerReference": "CUST-0001"}}, "ASIA") == nothing
    contract = "query($r: [_Any!]!) { _entities(representations: $r) { ... on Contract { invoices { totalCount } billedToDate { amount } recognizedToDate { amount } revenueSchedule { totalCount } } } }"
    numbers = {"r": [{"__typename": "Contract", "number": each.number} for each in SMALL.contracts]}
    sums = (await two.data(contract, numbers))["_entities"]
    eu, us = [(await two.data(contract, numbers, region))["_entities"] for region in ("EU", "US")]
    for all_, a, b in zip(sums, eu, us, strict=True):
        assert all_["invoices"]["totalCount"] == a["invoices"]["totalCount"] + b["invoices"]["totalCount"]
        assert (
            all_["revenueSchedule"]["totalCount"]
            == a["revenueSchedule"]["totalCount"] + b["revenueSchedule"]["totalCount"]
        )
    assert any(each["invoices"]["totalCount"] for each in us)
    names = "query($r: [_Any!]!) { _entities(representations: $r) { ... on Customer { erpRef creditHold erpVersion openBalances { amount } } } }"
    refs = {"r": [{"__typename": "Customer", "erpRef": ref} for ref in ("us:1", "us:999", "1+us:1")]}
    none, absent_one, part = (await two.data(names, refs, "EU"))["_entities"]
    assert none is absent_one is None
    assert part["erpVersion"]
    assert "+" not in part["erpVersion"]
    systems = "{ erpSystems { name vendor region } accountingPeriods(first: 100) { totalCount } }"
    shown = await two.data(systems)
    assert [(each["name"], each["vendor"], each["region"]) for each in shown["erpSystems"]] == [
        ("erp", "tryton", "EU"),
        ("erp/us", "tryton", "US"),
    ]
    confined_to = await two.data(systems, None, "EU")
    assert [each["name"] for each in confined_to["erpSystems"]] == ["erp"]
    assert 0 < confined_to["accountingPeriods"]["totalCount"] < shown["accountingPeriods"]["totalCount"]


async def test_a_hidden_record_refuses_writes_as_one_that_does_not_exist(two: Two) -> None:
    hidden = next(node for node in await two.invoices("US") if node["status"] == "POSTED")
    absent = encode_global_id("Invoice", "us:999999")
    pay = "mutation($i: RecordPaymentInput!) { recordPayment(input: $i) { invoice { id } } }"
    void = "mutation($i: VoidInvoiceInput!) { voidInvoice(input: $i) { invoice { id } } }"
    memo = "mutation($i: IssueCreditMemoInput!) { issueCreditMemo(input: $i) { invoice { id } } }"
    for query, given in (
        (pay, {"amount": "1.00"}),
        (pay, {"amount": "1.00", "reference": "wire"}),
        (void, {"version": "any"}),
        (memo, {"reason": "Goodwill"}),
    ):
        answers = [
            await two.world.ask(query, {"i": {"invoiceId": id_, **given}}, **confined("EU"))
            for id_ in (hidden["id"], absent)
        ]
        assert answers[0]["errors"] == answers[1]["errors"]
        assert answers[0]["errors"][0]["extensions"]["code"] == "NOT_FOUND"
        assert answers[0]["errors"][0]["extensions"]["outcome"] == "NOT_APPLIED"
    async with two.tryton() as system:
        record = (await system.erp.invoices.read([local(hidden).removeprefix("us:")])).popitem()[1]
    assert record.status == "POSTED"
    assert str(record.balance) != "0"


async def test_a_write_goes_to_the_books_that_have_the_invoice(two: Two) -> None:
    query = """query { invoices(first: 100, filter: {status: [POSTED]}) { edges { node { id number balance { amount } version } } } }"""
    nodes = [edge["node"] for edge in (await two.data(query))["invoices"]["edges"]]
    american = next(node for node in nodes if local(node).startswith("us:"))
    twin = next(node for node in nodes if not local(node).startswith("us:"))
    pay = """mutation($i: RecordPaymentInput!) { recordPayment(input: $i) {
      payment { id amount { amount } journalEntry { id } } invoice { id balance { amount } } } }"""
    given = {"invoiceId": american["id"], "amount": "1.25", "reference": "us-wire", "version": american["version"]}
    done = (await two.data(pay, {"i": given}))["recordPayment"]
    assert local(done["payment"]).startswith("us:")
    assert done["invoice"]["id"] == american["id"]
    memo = "mutation($i: IssueCreditMemoInput!) { issueCreditMemo(input: $i) { creditMemo { id invoice { id } applied } } }"
    line_query = "query($id: ID!) { invoice(id: $id) { lines { edges { node { id } } } } }"
    line = (await two.data(line_query, {"id": american["id"]}))["invoice"]["lines"]["edges"][0]["node"]["id"]
    issue = {
        "invoiceId": american["id"],
        "reason": "Goodwill",
        "reference": "m1",
        "lines": [{"invoiceLineId": line, "amount": "0.50"}],
    }
    credited = (await two.data(memo, {"i": issue}))["issueCreditMemo"]["creditMemo"]
    assert (local(credited).partition(":")[0], credited["invoice"]["id"], credited["applied"]) == (
        "us",
        american["id"],
        True,
    )
    untouched = (
        await two.data("query($id: ID!) { invoice(id: $id) { balance { amount } version } }", {"id": twin["id"]})
    )["invoice"]
    assert untouched == {"balance": twin["balance"], "version": twin["version"]}

    async def told() -> bool:
        return any(entry.event.subject == done["payment"]["id"] for entry in await two.world.told("payment.received"))

    await two.world.eventually(told, 30)


async def test_a_new_customer_goes_where_its_route_leads_and_its_documents_follow(two: Two) -> None:
    new = {"reference": "CUST-NEW-1", "name": "Maple Works", "country": "CA", "currency": "USD"}
    made = (await two.step("ensureParty", "erpRef wasCreated", new, "w1:party"))["data"]["ensureParty"]
    assert made["wasCreated"]
    assert made["erpRef"].startswith("us:")
    sold = {
        "erpRef": made["erpRef"], "contractNumber": "CON-2026-NEW1", "currency": "USD",
        "lines": [{"sku": SMALL.products[0].sku, "description": "Seats", "quantity": "2", "unitPrice": "40.00",
                   "billedLine": "new-1", "serviceFrom": "2026-10-01", "serviceUntil": "2027-09-30"}],
    }  # fmt: skip
    order = (await two.step("placeOrder", "invoiceId erpId status", sold, "w1:order"))["data"]["placeOrder"]
    assert order["erpId"].startswith("us:")
    assert (await two.step("placeOrder", "invoiceId erpId status", sold, "w1:order"))["data"]["placeOrder"] == order
    posted = (await two.step("postOrder", "number status", {"erpId": order["erpId"]}, "w1:invoice"))["data"][
        "postOrder"
    ]
    assert posted["status"] == "POSTED"
    await two.step("scheduleRevenue", "deferrals", {"erpId": order["erpId"]}, "w1:revenue")
    (contract,) = await two.world.entities(
        "... on Contract { invoices { edges { node { id customer { erpRef } } } } }",
        {"__typename": "Contract", "number": "CON-2026-NEW1"},
    )
    assert contract["invoices"]["edges"] == [
        {"node": {"id": order["invoiceId"], "customer": {"erpRef": made["erpRef"]}}}
    ]
    # Known there, it stays there, wherever its routes would lead; and what identity knows of it counts too.
    for given in (
        {**new, "country": "DE"},
        {"reference": "CUST-OTHER", "name": "Maple Works", "country": "DE", "erpRef": made["erpRef"]},
    ):
        found = (await two.step("ensureParty", "erpRef wasCreated", given, f"w2:{given['reference']}:party"))["data"]
        assert found["ensureParty"] == {"erpRef": made["erpRef"], "wasCreated": False}
    await two.step("undoRevenue", "isUndone", {"order": "w1:order", "undoes": "w1:revenue"}, "w1:undo-revenue")
    await two.step("undoOrder", "isUndone", {"order": "w1:order", "undoes": "w1:order"}, "w1:undo-order")
    async with two.tryton() as system:
        record = (await system.erp.invoices.read([order["erpId"].removeprefix("us:")])).popitem()[1]
        assert record.status == "VOIDED"


async def test_routes_need_all_that_they_state_and_else_it_is_ones_own_erp(two: Two) -> None:
    for number, (country, currency, is_american) in enumerate(
        (("US", "EUR", True), ("GB", "GBP", True), ("GB", "EUR", False), ("DE", "USD", False), (None, "GBP", False))
    ):
        new = {"reference": f"CUST-R-{number}", "name": f"Routed {number}", "country": country, "currency": currency}
        made = (await two.step("ensureParty", "erpRef", new, f"r{number}:party"))["data"]["ensureParty"]
        assert made["erpRef"].startswith("us:") is is_american
        gone = {"reference": new["reference"], "undoes": f"r{number}:party"}
        assert (await two.step("undoParty", "isUndone", gone, f"r{number}:undo"))["data"]["undoParty"]["isUndone"]
        async with two.tryton() if is_american else two.world.tryton() as system:
            domain = [["code", "=", new["reference"]], ["active", "in", [True, False]]]
            assert [row["active"] for row in await system.rows("party.party", domain, "active")] == [False]


async def test_nobody_learns_by_a_new_customer_whether_it_is_there_already(two: Two) -> None:
    there = {"reference": "CUST-0001", "name": "Whoever", "country": "US"}
    not_there = {"reference": "CUST-UNKNOWN", "name": "Whoever", "country": "US"}
    answers = [
        await two.step("ensureParty", "erpRef", each, f"c:{each['reference']}", "ASIA") for each in (there, not_there)
    ]
    assert answers[0]["errors"] == answers[1]["errors"]
    assert answers[0]["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_one_that_is_down_costs_its_own_records_only(two: Two) -> None:
    control = f"{two.american.url}/__sandbox/faults"
    query = "query($r: [_Any!]!) { _entities(representations: $r) { ... on Customer { legalName } } }"
    both = {"r": [{"__typename": "Customer", "erpRef": ref} for ref in ("2", "us:2")]}
    (await two.world.http.put(control, json={"mode": "down"})).raise_for_status()
    try:
        answer = await two.world.ask(query, both)
        confined_to = await two.world.ask("{ invoices { totalCount } }", **confined("EU"))
        everybody = await two.world.ask("{ invoices { totalCount } }")
    finally:
        (await two.world.http.put(control, json={})).raise_for_status()
    assert answer["data"]["_entities"][0]["legalName"]
    assert answer["data"]["_entities"][1] is None
    (error,) = answer["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["_entities", 1], "SYSTEM_UNAVAILABLE")
    # Who can't see it can't see it fail either.
    assert "errors" not in confined_to
    assert confined_to["data"]["invoices"]["totalCount"] > 0
    assert everybody["errors"][0]["extensions"]["code"] == "SYSTEM_UNAVAILABLE"
    assert (await two.data(query, both))["_entities"][1]["legalName"]
