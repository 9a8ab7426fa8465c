"""The ERP's part of the graph over HTTP, before a sandbox with 120 customers."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest

from subgraphs.kit.connection import encode_cursor
from subgraphs.kit.global_id import encode_global_id

TODAY = dt.date(2026, 10, 20)
BALANCES = """
    ... on Customer {
      legalName taxIds creditHold creditLimit { amount currency }
      openBalance { amount currency } overdueBalance { amount currency }
      open: invoices(filter: {status: [POSTED]}, orderBy: {field: DUE_ON, direction: ASC}) {
        totalCount edges { node { number dueOn overdue balance { amount } } }
      }
    }
"""


@pytest.fixture(scope="session")
async def references(world: Any) -> dict[str, str]:
    """Business key → erpRef."""
    async with world.tryton() as system:
        return {record.reference: record.id for record in await system.erp.changed_customers(None)}


def customer(references: dict[str, str], *keys: str) -> dict[str, str]:
    return {"__typename": "Customer", "erpRef": "+".join(references[key] for key in keys)}


async def test_a_hundred_customers_cost_one_request_per_kind_of_record(world: Any, references: dict[str, str]) -> None:
    facts = [c for c in world.company.customers if c.reference in references][:100]
    open_invoices = defaultdict(list)
    for i in world.company.invoices:
        if i.status == "POSTED":
            open_invoices[i.customer].append(i)
    query = f"query($r: [_Any!]!) {{ _entities(representations: $r) {{ {BALANCES} }} }}"
    await world.ask(query, {"r": [customer(references, facts[0].reference)]})
    answer = await world.ask(query, {"r": [customer(references, fact.reference) for fact in facts]})
    assert answer["extensions"]["concord"]["vendorRequests"] == {"tryton": 3}  # parties, open documents, invoices
    for fact, entity in zip(facts, answer["data"]["_entities"], strict=True):
        owed = sorted(open_invoices[fact.reference], key=lambda i: (i.due_on, i.number))
        assert (entity["creditHold"], entity["taxIds"]) == (fact.credit_hold, [fact.tax_id])
        assert entity["creditLimit"] == {"amount": f"{fact.credit_limit:.2f}", "currency": "EUR"}
        assert Decimal(entity["openBalance"]["amount"]) == sum(i.balance for i in owed)
        assert Decimal(entity["overdueBalance"]["amount"]) == sum(i.balance for i in owed if i.due_on < TODAY)
        assert not owed or entity["openBalance"]["currency"] == fact.currency
        assert entity["open"] == {
            "totalCount": len(owed),
            "edges": [
                {
                    "node": {
                        "number": i.number,
                        "dueOn": i.due_on.isoformat(),
                        "overdue": i.due_on < TODAY,
                        "balance": {"amount": str(i.balance)},
                    }
                }
                for i in owed
            ],
        }


async def test_a_customer_of_two_records_is_their_union(world: Any, references: dict[str, str]) -> None:
    owing = [i for i in world.company.invoices if i.status == "POSTED" and i.currency == "EUR"]
    first, second = list(dict.fromkeys(i.customer for i in owing))[:2]
    (both,) = await world.entities(BALANCES, customer(references, first, second))
    total = sum(i.balance for i in owing if i.customer in {first, second})
    assert Decimal(both["openBalance"]["amount"]) == total
    assert both["open"]["totalCount"] == len([i for i in owing if i.customer in {first, second}])
    facts = {c.reference: c for c in world.company.customers}
    assert both["taxIds"] == [facts[first].tax_id, facts[second].tax_id]


async def test_what_does_not_exist_is_null_and_no_error(world: Any) -> None:
    absent = [
        {"__typename": "Customer", "erpRef": "987654321"},
        {"__typename": "Customer", "erpRef": "no number"},
        {"__typename": "Invoice", "number": "INV-1999-00001"},
        {"__typename": "Invoice", "id": encode_global_id("Invoice", "987654321")},
        {"__typename": "Invoice", "id": "not an id"},
        {"__typename": "Payment", "id": encode_global_id("Payment", "987654321")},
        {"__typename": "CreditMemo", "id": encode_global_id("CreditMemo", "1")},
        {"__typename": "RevenueEntry", "id": encode_global_id("RevenueEntry", "1:1999-01")},
        {"__typename": "RevenueEntry", "id": encode_global_id("RevenueEntry", "line:987654321")},
        {"__typename": "JournalEntry", "id": encode_global_id("JournalEntry", "987654321")},
        {"__typename": "AccountingPeriod", "id": encode_global_id("AccountingPeriod", "987654321")},
        {"__typename": "InvoiceLine", "id": encode_global_id("InvoiceLine", "987654321")},
        {"__typename": "Product", "sku": "NO-SUCH-SKU"},
    ]
    assert await world.entities("__typename", *absent) == [None] * len(absent)
    data = await world.data(
        "query($id: ID!) { invoice(id: $id) { id } }", {"id": encode_global_id("Invoice", "98765432")}
    )
    assert data == {"invoice": None}


async def test_an_invoice_leads_to_everything_that_belongs_to_it(world: Any) -> None:
    paid_twice = next(
        i for i in world.company.invoices if len([p for p in world.company.payments if p.invoice == i.number]) > 1
    )
    credited = next(iter(world.company.credit_memos))
    selection = """
      ... on Invoice {
        number status currency net { amount } tax { amount } total { amount } balance { amount } issuedOn dueOn postedAt
        contract { number } customer { legalName }
        lines { edges { node { description quantity unitPrice amount { amount currency } product { sku taxCode revenueRule }
          billedLine { ref } invoice { number } taxes } } }
        payments { edges { node { amount { amount currency } receivedOn reference invoice { number }
          journalEntry { number posted lines { debit { amount } credit { amount } } } } } }
        creditMemos { edges { node { number reason total { amount } applied invoice { number } journalEntry { number } } } }
        journalEntry { number period { code status } }
      }
    """
    one, other = await world.entities(
        selection,
        {"__typename": "Invoice", "number": paid_twice.number},
        {"__typename": "Invoice", "number": credited.invoice},
    )
    facts = {c.reference: c for c in world.company.customers}
    money = lambda amount: {"amount": str(amount)}  # noqa: E731
    assert {name: one[name] for name in ("number", "status", "currency", "net", "tax", "total", "balance")} == {
        "number": paid_twice.number,
        "status": paid_twice.status.value,
        "currency": paid_twice.currency,
        "net": money(paid_twice.net),
        "tax": money(paid_twice.tax),
        "total": money(paid_twice.total),
        "balance": money(paid_twice.balance),
    }
    assert (one["issuedOn"], one["dueOn"]) == (paid_twice.issued_on.isoformat(), paid_twice.due_on.isoformat())
    assert (one["contract"], one["customer"]) == (
        {"number": paid_twice.contract},
        {"legalName": dict(facts[paid_twice.customer].names).get("erp") or facts[paid_twice.customer].legal_name},
    )
    assert [(e["node"]["billedLine"]["ref"], e["node"]["amount"]["amount"]) for e in one["lines"]["edges"]] == [
        (line.billed_line, str(line.amount))
        for line in world.company.invoice_lines
        if line.invoice == paid_twice.number
    ]
    for edge in one["payments"]["edges"]:
        lines = edge["node"]["journalEntry"]["lines"]
        assert sum(Decimal(x["debit"]["amount"]) - Decimal(x["credit"]["amount"]) for x in lines) == 0
    assert one["journalEntry"]["number"] == paid_twice.journal_entry
    assert other["creditMemos"]["edges"] == [
        {
            "node": {
                "number": credited.reference,
                "reason": f"{credited.reason} [{credited.reference}]",
                "total": money(credited.total),
                "applied": True,
                "invoice": {"number": credited.invoice},
                "journalEntry": {"number": credited.journal_entry},
            }
        }
    ]


async def test_of_a_contract_what_is_billed_is_recognised_or_deferred(world: Any) -> None:
    invoices = {i.number: i for i in world.company.invoices}
    contracts = sorted({i.contract for i in invoices.values()})[:100]
    billed, recognised = defaultdict(Decimal), defaultdict(Decimal)
    for i in invoices.values():
        if i.status in {"POSTED", "PAID"}:
            billed[i.contract] += i.net
    for memo in world.company.credit_memos:
        billed[invoices[memo.invoice].contract] -= memo.net
        recognised[invoices[memo.invoice].contract] -= memo.net
    rules = {p.sku: p.revenue_rule for p in world.company.products}
    line_of = {line.reference: line for line in world.company.invoice_lines}
    for entry in world.company.revenue_entries:
        at_once = rules[line_of[entry.invoice_line].sku] == "POINT_IN_TIME"
        if entry.status == "RECOGNIZED" or at_once:
            recognised[entry.contract] += entry.amount
    selection = """... on Contract { number billedToDate { amount } recognizedToDate { amount } deferredBalance { amount }
      revenueSchedule(first: 3) { totalCount edges { node { month status amount { amount } journalEntry { number } } } } }"""
    found = await world.entities(selection, *({"__typename": "Contract", "number": n} for n in contracts))
    for entity in found:
        number = entity["number"]
        if number not in billed:
            assert entity["billedToDate"] is None
            continue
        amounts = {
            name: Decimal(entity[name]["amount"]) for name in ("billedToDate", "recognizedToDate", "deferredBalance")
        }
        assert amounts["billedToDate"] == billed[number]
        assert amounts["recognizedToDate"] + amounts["deferredBalance"] == billed[number]
        # Other currencies are booked in euro and come back rounded to cents.
        assert abs(amounts["recognizedToDate"] - recognised[number]) < 1
        assert [e["node"]["month"] for e in entity["revenueSchedule"]["edges"]] == sorted(
            e["node"]["month"] for e in entity["revenueSchedule"]["edges"]
        )


async def test_every_gap_between_billed_line_and_ledger_has_a_name(world: Any) -> None:
    invoices = {i.number: i for i in world.company.invoices}
    selection = "... on BilledLine { ref invoiceLine { id } gaps { code system message } }"
    lines = world.company.billed_lines
    expected = {}
    for line in lines:
        fact = invoices.get(line.invoice or "")
        if fact is None or fact.status == "VOIDED":
            expected[line.ref] = ["NOT_INVOICED"]
        elif fact.status == "DRAFT":
            expected[line.ref] = ["NOT_POSTED"]
        elif fact.status == "POSTED":
            expected[line.ref] = ["UNPAID"]
        else:
            expected[line.ref] = []
    chosen = [line for line in lines if expected[line.ref]] + [line for line in lines if not expected[line.ref]][:50]
    found = await world.entities(selection, *({"__typename": "BilledLine", "ref": line.ref} for line in chosen))
    assert {e["ref"]: [gap["code"] for gap in e["gaps"]] for e in found} == {
        line.ref: expected[line.ref] for line in chosen
    }
    never = next(e for e in found if e["invoiceLine"] is None)
    assert never["gaps"] == [
        {
            "code": "NOT_INVOICED",
            "system": "erp",
            "message": f"No invoice line of the ERP carries the billed line {never['ref']}.",
        }
    ]


async def test_the_invoice_list_is_paged_forward_and_backward(world: Any) -> None:
    query = """query($first: Int, $after: String, $last: Int, $before: String) {
      invoices(first: $first, after: $after, last: $last, before: $before, filter: {contractNumber: "%s"}, orderBy: {field: NUMBER, direction: ASC}) {
        totalCount edges { cursor node { number } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
    contract = max(
        {i.contract for i in world.company.invoices}, key=lambda c: sum(i.contract == c for i in world.company.invoices)
    )
    query %= contract
    numbers = sorted(i.number for i in world.company.invoices if i.contract == contract)
    seen: list[str] = []
    after = None
    while True:
        page = (await world.data(query, {"first": 4, "after": after}))["invoices"]
        assert page["totalCount"] == len(numbers)
        seen += [edge["node"]["number"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == numbers
    back = (await world.data(query, {"last": 3, "before": after}))["invoices"]
    assert [edge["node"]["number"] for edge in back["edges"]] == numbers[-4:-1]
    assert (back["pageInfo"]["hasNextPage"], back["pageInfo"]["hasPreviousPage"]) == (True, True)
    overdue = (await world.data("{ invoices(filter: {overdue: true}, orderBy: {field: DUE_ON}) { totalCount } }"))[
        "invoices"
    ]
    assert overdue == {
        "totalCount": sum(i.balance > 0 and i.due_on < TODAY for i in world.company.invoices if i.status == "POSTED")
    }
    periods = (await world.data("{ accountingPeriods(last: 1) { edges { node { code status } } } }"))[
        "accountingPeriods"
    ]
    assert periods == {"edges": [{"node": {"code": world.company.periods[0].code, "status": "CLOSED"}}]}


async def test_a_cursor_of_another_order_is_refused(world: Any) -> None:
    """It names a place in its own order only: in another one the page behind it would be any page."""
    query = """query($by: InvoiceOrder, $after: String) { invoices(filter: {status: [POSTED]}, orderBy: $by, first: 2, after: $after) {
      edges { cursor node { number } } } }"""
    fields = ("ISSUED_ON", "NUMBER", "DUE_ON")
    firsts = {field: (await world.data(query, {"by": {"field": field}}))["invoices"]["edges"][0] for field in fields}
    forged = [
        encode_cursor("issued_on", "yesterday", "1"),
        encode_cursor("issued_on", "20260101", "1"),
        encode_cursor("number", "INV\0", "1"),
        encode_cursor("number", "INV", "one"),
        encode_cursor("number", 7, "1"),
        encode_cursor("2026-01-01", "1"),
    ]
    for field in fields:
        foreign = [edge["cursor"] for of, edge in firsts.items() if of != field]
        for cursor in (*foreign, *forged):
            answer = await world.ask(query, {"by": {"field": field}, "after": cursor})
            assert answer["data"] == {"invoices": None}, (field, cursor)
            assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
            assert answer["errors"][0]["message"].startswith("The cursor is not one of this list")
    # An id beyond all is only behind all.
    beyond = {"by": {"field": "NUMBER", "direction": "ASC"}, "after": encode_cursor("number", "", "9" * 18)}
    assert (await world.data(query, beyond))["invoices"]["edges"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ invoices(first: 201) { totalCount } }", "A page has between 0 and 200 items."),
        ("{ invoices(first: 1, last: 1) { totalCount } }", "Ask for `first` or for `last`, not both."),
        ('{ invoices(after: "rubbish") { totalCount } }', "The cursor is not one of this list."),
        ('{ invoices(after: "WyJ4IiwibiIsIjEiXQ") { totalCount } }', "The cursor is not one of this list in this order."),
        ('{ invoices(after: "WyJ4Iiwgbm90XQ") { totalCount } }', "The cursor is not one of this list."),
        ('{ invoices(filter: {issuedFrom: "2026-02-01", issuedUntil: "2026-01-01"}) { totalCount } }', "`issuedFrom` is later than `issuedUntil`."),
        ('{ invoices(filter: {number: ""}) { totalCount } }', "`number` has between 1 and 200 characters."),
        ('{ invoices(filter: {customerId: "rubbish"}) { totalCount } }', "The id is not a global id of this graph."),
        ("{ invoices(orderBy: {field: DUE_ON}) { totalCount } }", "To order by DUE_ON, filter by customer, contract, status POSTED or overdue."),
        ('{ invoice(id: "Q3VzdG9tZXI6MQ") { id } }', "The id is of another type than Invoice."),
    ],
)  # fmt: skip
async def test_bad_arguments_are_refused_with_a_code(world: Any, query: str, message: str) -> None:
    answer = await world.ask(query)
    (error,) = answer["errors"]
    assert (error["message"], error["extensions"]) == (
        message,
        {"code": "BAD_USER_INPUT", "system": "erp", "retryable": False},
    )
    assert list(answer["data"].values()) == [None]


@pytest.mark.parametrize(
    ("fault", "code", "retryable"),
    [
        ({"mode": "down"}, "SYSTEM_UNAVAILABLE", True),
        ({"mode": "reset"}, "SYSTEM_UNAVAILABLE", True),
        ({"mode": "truncate"}, "SYSTEM_UNAVAILABLE", True),
        ({"mode": "blackhole"}, "SYSTEM_TIMEOUT", True),
        ({"mode": "slow_body"}, "SYSTEM_TIMEOUT", True),
        ({"mode": "garbage"}, "SYSTEM_BAD_RESPONSE", True),
        ({"mode": "html"}, "SYSTEM_BAD_RESPONSE", True),
        ({"errorRate": 1.0, "errorStatus": 500}, "SYSTEM_ERROR", True),
        ({"errorRate": 1.0, "errorStatus": 401}, "SYSTEM_AUTH_FAILED", False),
        ({"rateLimitPerS": 0.01}, "SYSTEM_RATE_LIMITED", True),
    ],
)
async def test_a_sick_erp_costs_its_own_fields_within_the_deadline(
    world: Any, fault: dict[str, Any], code: str, retryable: bool
) -> None:
    query = "{ invoices(first: 1) { edges { node { id } } } __typename }"
    async with world.fault(**fault):
        if "rateLimitPerS" in fault:
            await world.ask(query)  # the one request that the limit lets pass
        answer = await world.ask(query, X_Concord_Deadline_Ms="700" if code == "SYSTEM_TIMEOUT" else "30000")
    (error,) = answer["errors"]
    assert answer["data"] == {"invoices": None, "__typename": "Query"}
    assert (error["path"], error["extensions"]["code"], error["extensions"]["retryable"]) == (
        ["invoices"],
        code,
        retryable,
    )
    assert error["extensions"]["system"] == "erp"
    assert "Traceback" not in str(answer)
    assert (await world.data(query))["invoices"]["edges"]
