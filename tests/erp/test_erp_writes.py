"""The ERP's four writes over HTTP: idempotent, versioned, refused with a code, found again when the outcome is unknown."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from subgraphs.kit.global_id import encode_global_id

TODAY = dt.date(2026, 10, 20)
PAY = """mutation($input: RecordPaymentInput!) { recordPayment(input: $input) {
  payment { id amount { amount currency } receivedOn reference method }
  invoice { number status balance { amount } version } clientMutationId } }"""
VOID = "mutation($input: VoidInvoiceInput!) { voidInvoice(input: $input) { invoice { number status balance { amount } } } }"
MEMO = """mutation($input: IssueCreditMemoInput!) { issueCreditMemo(input: $input) {
  creditMemo { number reason status total { amount } applied invoice { number } } invoice { status balance { amount } } } }"""
HOLD = """mutation($input: SetCreditHoldInput!) { setCreditHold(input: $input) {
  customer { erpRef creditHold erpVersion } clientMutationId } }"""


async def open_invoices(world: Any) -> list[dict[str, Any]]:
    query = """{ invoices(filter: {status: [POSTED]}, orderBy: {field: NUMBER, direction: ASC}) { edges { node {
      id number currency version balance { amount } lines { edges { node { id amount { amount } } } } } } } }"""
    return [edge["node"] for edge in (await world.data(query))["invoices"]["edges"]]


def refusal(answer: dict[str, Any]) -> tuple[Any, ...]:
    (error,) = answer["errors"]
    extensions = error["extensions"]
    return extensions["code"], extensions.get("outcome"), error["message"]


async def moves(world: Any) -> int:
    async with world.tryton() as system:
        return len(await system.rows("account.move", []))


async def test_a_payment_is_recorded_once_per_key(small_world: Any) -> None:
    world = small_world
    invoice, *_ = await open_invoices(world)
    left = Decimal(invoice["balance"]["amount"])
    before = await moves(world)
    message = {
        "input": {"invoiceId": invoice["id"], "amount": "12.50", "reference": "wire 7", "clientMutationId": "c1"}
    }
    first = await world.data(PAY, message, Idempotency_Key="k1:recordPayment")
    payment = first["recordPayment"]["payment"]
    assert (payment["amount"]["amount"], payment["receivedOn"], payment["reference"], payment["method"]) == (
        "12.50",
        TODAY.isoformat(),
        "wire 7",
        "Bank",
    )
    assert first["recordPayment"]["invoice"]["balance"] == {"amount": str(left - Decimal("12.50"))}
    assert first["recordPayment"]["clientMutationId"] == "c1"
    assert await world.data(PAY, message, Idempotency_Key="k1:recordPayment") == first
    assert await moves(world) == before + 1
    changed = {"input": {**message["input"], "amount": "13.50"}}
    assert refusal(await world.ask(PAY, changed, Idempotency_Key="k1:recordPayment"))[:2] == (
        "IDEMPOTENCY_KEY_REUSED",
        "NOT_APPLIED",
    )
    again = await world.ask(PAY, message, Idempotency_Key="k2:recordPayment")
    assert refusal(again) == ("CONFLICT", "NOT_APPLIED", "The invoice has a payment with this reference already.")


async def test_a_payment_whose_answer_was_lost_is_found_and_not_sent_again(small_world: Any) -> None:
    """By the wizard's decisive step: the books have the payment, and nobody has been told."""
    world = small_world
    invoice, *_ = await open_invoices(world)
    before = await moves(world)
    message = {"input": {"invoiceId": invoice["id"], "amount": "1.00"}}
    async with world.fault(mode="truncate", paths="/rpc/", bodies=r"pay\.execute"):
        lost = await world.ask(PAY, message, Idempotency_Key="k:recordPayment")
    assert refusal(lost)[:2] == ("SYSTEM_UNAVAILABLE", "UNKNOWN")
    assert await moves(world) == before + 1
    async with world.fault(mode="down", paths="/rest/"):
        # Nobody can look: that decides nothing.
        unseen = await world.ask(PAY, message, Idempotency_Key="k:recordPayment", X_Concord_Deadline_Ms="3000")
    assert refusal(unseen)[:2] == ("SYSTEM_UNAVAILABLE", "UNKNOWN")
    after = await world.data(PAY, message, Idempotency_Key="k:recordPayment")
    assert after["recordPayment"]["payment"]["amount"] == {"amount": "1.00", "currency": invoice["currency"]}
    assert await moves(world) == before + 1


async def test_a_payment_that_never_began_is_told_so_and_its_key_is_free(small_world: Any) -> None:
    world = small_world
    invoice, *_ = await open_invoices(world)
    before = await moves(world)
    message = {"input": {"invoiceId": invoice["id"], "amount": "1.00"}}
    async with world.fault(mode="truncate", paths="/rpc/", bodies=r"pay\.create"):
        failed = await world.ask(PAY, message, Idempotency_Key="k:recordPayment", X_Concord_Deadline_Ms="3000")
    assert refusal(failed)[:2] == ("SYSTEM_UNAVAILABLE", "NOT_APPLIED")
    corrected = {"input": {**message["input"], "amount": "2.00"}}
    after = await world.data(PAY, corrected, Idempotency_Key="k:recordPayment")
    assert after["recordPayment"]["payment"]["amount"]["amount"] == "2.00"
    assert await moves(world) == before + 1


async def test_what_can_not_be_read_after_it_was_booked_is_told_as_applied(small_world: Any) -> None:
    world = small_world
    invoice, *_ = await open_invoices(world)
    message = {"input": {"invoiceId": invoice["id"], "version": invoice["version"]}}
    # The invoice can't be read anymore once it is voided.
    async with world.fault(rewrite={'"cancelled"': "[1]"}):
        unread = await world.ask(VOID, message, Idempotency_Key="v:voidInvoice")
    assert refusal(unread)[:2] == ("SYSTEM_BAD_RESPONSE", "APPLIED")
    voided = await world.data(VOID, message, Idempotency_Key="v:voidInvoice")
    assert voided["voidInvoice"]["invoice"]["status"] == "VOIDED"


async def test_bad_payments_are_refused_before_anything_is_sent(small_world: Any) -> None:
    world = small_world
    invoice, *_ = await open_invoices(world)
    left = invoice["balance"]["amount"]
    before = await moves(world)
    for change, expected in (
        ({"amount": "0"}, ("BAD_USER_INPUT", "NOT_APPLIED", "`amount` is positive.")),
        (
            {"amount": "1.005"},
            ("BAD_USER_INPUT", "NOT_APPLIED", f"`amount` has at most two decimals in {invoice['currency']}."),
        ),
        (
            {"amount": "1000000"},
            ("BAD_USER_INPUT", "NOT_APPLIED", f"`amount` is more than the {left} {invoice['currency']} left to pay."),
        ),
        ({"receivedOn": "2026-10-21"}, ("BAD_USER_INPUT", "NOT_APPLIED", "`receivedOn` is in the future.")),
        (
            {"method": "Cheque"},
            (
                "BAD_USER_INPUT",
                "NOT_APPLIED",
                "The ERP has no such payment method; it has: Bank transfer, Card, SEPA direct debit.",
            ),
        ),
        ({"version": "1.0"}, ("CONFLICT", "NOT_APPLIED", "The invoice has changed since this version was read.")),
        (
            {"invoiceId": encode_global_id("Invoice", "987654")},
            ("NOT_FOUND", "NOT_APPLIED", "The ERP has no such invoice."),
        ),
        ({"invoiceId": "rubbish"}, ("BAD_USER_INPUT", None, "The id is not a global id of this graph.")),
    ):
        answer = await world.ask(PAY, {"input": {"invoiceId": invoice["id"], "amount": "1.00", **change}})
        assert refusal(answer) == expected
    closed = {"invoiceId": invoice["id"], "amount": "1.00", "receivedOn": "2025-01-15"}
    code, outcome, words = refusal(await world.ask(PAY, {"input": closed}))
    assert (code, outcome) == ("SYSTEM_REJECTED", "NOT_APPLIED")
    assert "period" in words
    assert await moves(world) == before


async def test_an_invoice_in_dinars_is_read_and_paid_to_the_last_fils(small_world: Any) -> None:
    world = small_world
    async with world.tryton() as system:
        buyer = (await system.erp.changed_invoices(None))[0].customer_id
        dinar = {"name": "KWD", "code": "KWD", "symbol": "KD", "digits": 3}
        currency = (await system.rest("POST", "currency.currency", body=dinar, fields=("code",))).json()["id"]
        line = {"type": "line", "quantity": 1.0, "unit_price": Decimal("12.345"), "description": "Seats"}
        draft = {
            "type": "out",
            "party": int(buyer),
            "currency": currency,
            "invoice_date": TODAY,
            "lines": [["create", [line]]],
        }
        created = (await system.rest("POST", "account.invoice", body=draft, fields=("number",))).json()["id"]
        await system.rest("POST", f"account.invoice/{created}/post", body={})
    invoice = encode_global_id("Invoice", str(created))
    query = "query($id: ID!) { invoice(id: $id) { total { amount currency } lines { edges { node { amount { amount } } } } } }"
    found = (await world.data(query, {"id": invoice}))["invoice"]
    assert found == {
        "total": {"amount": "12.345", "currency": "KWD"},
        "lines": {"edges": [{"node": {"amount": {"amount": "12.345"}}}]},
    }
    too_fine = await world.ask(PAY, {"input": {"invoiceId": invoice, "amount": "1.2345"}})
    assert refusal(too_fine) == ("BAD_USER_INPUT", "NOT_APPLIED", "`amount` has at most three decimals in KWD.")
    part = (await world.data(PAY, {"input": {"invoiceId": invoice, "amount": "2.005"}}))["recordPayment"]
    assert (part["payment"]["amount"]["amount"], part["invoice"]["balance"]["amount"]) == ("2.005", "10.340")
    rest = (await world.data(PAY, {"input": {"invoiceId": invoice, "amount": "10.34"}}))["recordPayment"]
    assert (rest["payment"]["amount"]["amount"], rest["invoice"]["status"]) == ("10.340", "PAID")
    assert rest["invoice"]["balance"] == {"amount": "0.000"}


async def test_a_credit_memo_takes_back_a_part_then_the_rest(small_world: Any) -> None:
    world = small_world
    invoice = (await open_invoices(world))[1]
    line = invoice["lines"]["edges"][0]["node"]
    part = {
        "invoiceId": invoice["id"],
        "reason": "Outage",
        "reference": "SUP-77",
        "lines": [{"invoiceLineId": line["id"], "amount": "1.00"}],
    }
    answer = await world.data(MEMO, {"input": part}, Idempotency_Key="m1:issueCreditMemo")
    memo = answer["issueCreditMemo"]["creditMemo"]
    assert (memo["reason"], memo["status"], memo["applied"], memo["invoice"]) == (
        "Outage [SUP-77]",
        "POSTED",
        True,
        {"number": invoice["number"]},
    )
    left = Decimal(invoice["balance"]["amount"]) - Decimal(memo["total"]["amount"])
    assert answer["issueCreditMemo"]["invoice"] == {"status": "POSTED", "balance": {"amount": str(left)}}
    assert await world.data(MEMO, {"input": part}, Idempotency_Key="m1:issueCreditMemo") == answer
    assert refusal(await world.ask(MEMO, {"input": part}))[0] == "CONFLICT"
    too_much = {**part, "reference": "SUP-78", "lines": [{"invoiceLineId": line["id"], "amount": "999999"}]}
    assert refusal(await world.ask(MEMO, {"input": too_much}))[0] == "BAD_USER_INPUT"
    bad_reason = {**part, "reference": "SUP-79", "reason": " "}
    assert refusal(await world.ask(MEMO, {"input": bad_reason}))[0] == "BAD_USER_INPUT"


async def test_voiding_takes_the_version_that_was_read(small_world: Any) -> None:
    world = small_world
    invoice = (await open_invoices(world))[2]
    stale = {"input": {"invoiceId": invoice["id"], "version": "1.5"}}
    assert refusal(await world.ask(VOID, stale))[:2] == ("CONFLICT", "NOT_APPLIED")
    message = {"input": {"invoiceId": invoice["id"], "version": invoice["version"]}}
    voided = {
        "voidInvoice": {"invoice": {"number": invoice["number"], "status": "VOIDED", "balance": {"amount": "0.00"}}}
    }
    assert await world.data(VOID, message, Idempotency_Key="v:voidInvoice") == voided
    assert await world.data(VOID, message, Idempotency_Key="v:voidInvoice") == voided
    assert refusal(await world.ask(VOID, message))[0] == "CONFLICT"


async def test_a_hold_is_set_by_the_customers_global_id(small_world: Any) -> None:
    world = small_world

    async def known() -> Any:
        query = {"query": "{ customers { edges { node { id erpRef } } } }"}
        answer = (await world.http.post(f"{world.identity.url}/graphql", json=query)).json()
        edges = answer["data"]["customers"]["edges"]
        return len(edges) == 4 and {edge["node"]["erpRef"]: edge["node"]["id"] for edge in edges}

    customers = await world.eventually(known)
    ref, customer = min(customers.items())
    (entity,) = await world.entities(
        "... on Customer { creditHold erpVersion }", {"__typename": "Customer", "erpRef": ref}
    )
    message = {"input": {"customerId": customer, "onHold": not entity["creditHold"], "version": entity["erpVersion"]}}
    answer = await world.data(HOLD, message, Idempotency_Key="h:setCreditHold")
    found = answer["setCreditHold"]["customer"]
    assert (found["erpRef"], found["creditHold"]) == (ref, not entity["creditHold"])
    assert found["erpVersion"] != entity["erpVersion"]
    assert await world.data(HOLD, message, Idempotency_Key="h:setCreditHold") == answer
    assert refusal(await world.ask(HOLD, message))[:2] == ("CONFLICT", "NOT_APPLIED")
    unknown = {"input": {**message["input"], "customerId": encode_global_id("Customer", "nobody")}}
    assert refusal(await world.ask(HOLD, unknown)) == (
        "NOT_FOUND",
        "NOT_APPLIED",
        "The ERP has no record of this customer.",
    )
