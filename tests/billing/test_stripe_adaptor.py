"""One adaptor, every server that speaks Stripe: our sandbox, and PyPI's localstripe with its differences declared."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from billing_processes import KEY, Process, sandbox_process
from localstripe import LOCALSTRIPE, localstripe

from subgraphs.billing.records import (
    BillingCustomer,
    BillingInterval,
    Contract,
    ContractItem,
    ContractStatus,
    PaymentMethod,
    PaymentMethodKind,
    Price,
    UsageKind,
)
from subgraphs.billing.vendors import stripe_mirror, stripe_sync
from subgraphs.billing.vendors.stripe import StripeAdaptor, stripe_client
from subgraphs.billing.vendors.stripe_books import StripeBooks
from subgraphs.billing.vendors.stripe_dialect import STEPS, STRIPE, StripeDialect
from subgraphs.billing.vendors.stripe_ledger import StripeLedger
from subgraphs.billing.vendors.stripe_sync import StripeSync
from subgraphs.billing.vendors.stripe_wire import form_params
from subgraphs.kit.adaptor import Absence, BatchMode, Capabilities, EventSource, Idempotency
from subgraphs.kit.database import Database
from subgraphs.kit.system_error import Outcome, VendorError

EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)
TODAY = dt.datetime.now(dt.UTC).date()


@dataclass
class Vendor:
    """A server that speaks Stripe, and what it says it can't."""

    url: str
    dialect: StripeDialect
    adaptor: StripeAdaptor
    state: Path
    process: Process | None


@pytest.fixture(scope="module", params=["sandbox", "localstripe"])
async def vendor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Vendor]:
    state = tmp_path_factory.mktemp(request.param)
    if request.param == "sandbox":
        async with AsyncExitStack() as stack:
            process = await stack.enter_async_context(sandbox_process(state / "sandbox", CUSTOMERS=1))
            client = await stack.enter_async_context(stripe_client(process.url, KEY))
            yield Vendor(process.url, STRIPE, StripeAdaptor(client), state, process)
    else:
        async with localstripe() as url, stripe_client(url, KEY, dialect=LOCALSTRIPE) as client:
            yield Vendor(url, LOCALSTRIPE, StripeAdaptor(client, LOCALSTRIPE), state, None)


@dataclass
class Mirrored:
    """A mirror of one vendor, filled."""

    database: Database
    sync: StripeSync
    books: StripeBooks
    ledger: StripeLedger


async def mirrored(vendor: Vendor, name: str) -> Mirrored:
    database = await Database.open(vendor.state / f"{name}.sqlite", (*stripe_mirror.SCHEMAS, stripe_sync.SCHEMA))

    async def nothing() -> None:
        return None

    sync = StripeSync(vendor.adaptor, database, max_staleness_s=60, on_filled=nothing)
    await sync.fill_if_empty()
    books = StripeBooks(database, vendor.dialect, ensure_current=sync.ensure_current, read_at=sync.read_at)
    return Mirrored(database, sync, books, StripeLedger(vendor.adaptor, database))


@dataclass
class Sold:
    """A customer with a contract of three seats, made through the vendor's own API."""

    customer: str
    product: str
    price: str
    subscription: str
    number: str


async def sell(vendor: Vendor, number: str) -> Sold:
    adaptor = vendor.adaptor
    post = adaptor.post
    customer = await post(
        "/v1/customers", {"name": f"Buyer of {number}", "metadata": {"customer_reference": f"CUST-{number}"}}, key=None
    )
    method = await post(
        "/v1/payment_methods",
        {"type": "card", "card": {"number": "4242424242424242", "exp_month": 2, "exp_year": 2032, "cvc": "123"}},
        key=None,
    )
    await post(f"/v1/payment_methods/{method['id']}/attach", {"customer": customer["id"]}, key=None)
    await post(
        f"/v1/customers/{customer['id']}", {"invoice_settings": {"default_payment_method": method["id"]}}, key=None
    )
    product = await post("/v1/products", {"name": "Gold", "type": "service", "metadata": {"sku": "GOLD"}}, key=None)
    if vendor.dialect.has_prices:
        terms: dict[str, Any] = {"unit_amount": 1050, "currency": "eur", "recurring": {"interval": "month"}}
        price = await post("/v1/prices", {"product": product["id"], **terms}, key=None)
    else:
        terms = {"amount": 1050, "currency": "eur", "interval": "month"}
        price = await post("/v1/plans", {"product": product["id"], **terms}, key=None)
    subscription = await post(
        "/v1/subscriptions",
        {
            "customer": customer["id"],
            "items": [{"plan" if not vendor.dialect.has_prices else "price": price["id"], "quantity": 3}],
            "metadata": {
                "contract_number": number,
                "term_starts_on": TODAY.isoformat(),
                "term_ends_on": (TODAY.replace(day=1) + dt.timedelta(days=400)).replace(day=1).isoformat(),
                "notice_days": "30",
            },
        },
        key=None,
    )
    return Sold(customer["id"], product["id"], price["id"], subscription["id"], number)


def contract_of(sold: Sold, found: Contract) -> Contract:
    """What the contract of `sell` is in neutral terms; ids and cycle are the vendor's."""
    price = Price(
        id=sold.price, product=sold.product, reference=None, currency="EUR", unit_amount=Decimal("10.50"),
        interval=BillingInterval.MONTH, interval_count=1, usage=UsageKind.LICENSED, is_active=True,
    )  # fmt: skip
    return Contract(
        id=sold.subscription, number=sold.number, customer=sold.customer, status=ContractStatus.ACTIVE, currency="EUR",
        starts_on=TODAY, term_starts_on=TODAY, ends_on=(TODAY.replace(day=1) + dt.timedelta(days=400)).replace(day=1),
        auto_renews=True, notice_days=30, trial_ends_on=None, cancellation=None, resumes_on=None, period=found.period,
        items=(ContractItem(id=found.items[0].id, price=price, quantity=3),), limits={}, granted_feature=None,
        schedule=None, created_at=found.created_at, ended_on=None, version=found.version,
    )  # fmt: skip


async def test_it_declares_what_it_can_do(vendor: Vendor) -> None:
    sheet = vendor.adaptor.capabilities
    impossible = {"bill a renewed term ahead", "void a credit of a settled invoice"}
    assert sheet.cannot.keys() == impossible | (STEPS - vendor.dialect.writes)
    assert all(why.endswith(".") for why in sheet.cannot.values())
    assert replace(sheet, cannot={}) == Capabilities(
        batch_mode=BatchMode.NONE,
        max_ids_per_call=100,
        absence=Absence.NOT_FOUND,
        writes=vendor.dialect.writes,
        events=EventSource.WEBHOOK,
        idempotency=Idempotency.VENDOR_KEY if vendor.dialect is STRIPE else Idempotency.OURS,
    )


async def test_reads_leave_absent_ids_out_and_keep_no_order(vendor: Vendor) -> None:
    sold = await sell(vendor, "CON-READ")
    asked = ["cus_absent", sold.subscription, sold.customer, "../v1/customers", "", sold.customer]
    found = await vendor.adaptor.read(asked)
    assert {key: doc["id"] for key, doc in found.items()} == {key: key for key in (sold.subscription, sold.customer)}


async def test_lists_are_walked_to_their_end(vendor: Vendor) -> None:
    made = [
        (await vendor.adaptor.post("/v1/products", {"name": f"P{n}", "type": "service"}, key=None))["id"]
        for n in range(103)
    ]
    found = [doc["id"] for doc in await vendor.adaptor.list_all("/v1/products")]
    assert len(found) == len(set(found))
    assert set(made) <= set(found)


async def test_the_mirror_answers_in_neutral_records(vendor: Vendor) -> None:
    sold = await sell(vendor, "CON-MIRROR")
    mirror = await mirrored(vendor, "records")
    contract = (await mirror.books.contracts([sold.number, "CON-NONE"]))[sold.number]
    customer = (await mirror.books.customers([sold.customer, "cus_none"]))[sold.customer]
    lines = (await mirror.books.lines_of([sold.subscription]))[sold.subscription]
    assert contract == contract_of(sold, contract)
    assert (contract.mrr, (await mirror.books.contracts(["CON-NONE"]))) == (Decimal("31.50"), {})
    method = PaymentMethod(
        id="", kind=PaymentMethodKind.CARD, brand="visa", last4="4242", expires_on=dt.date(2032, 2, 29)
    )
    shown = replace(customer, payment_method=customer.payment_method and replace(customer.payment_method, id=""))
    assert replace(shown, currency=None, created_at=EPOCH) == BillingCustomer(
        id=sold.customer, reference="CUST-CON-MIRROR", name="Buyer of CON-MIRROR", email=None, city=None, country=None,
        currency=None, tax_id=None, parent_id=None, created_at=EPOCH,
        payment_method=method if vendor.dialect.expands_payment_method else None,
    )  # fmt: skip
    assert [(line.amount, line.currency, line.quantity, line.product, line.contract) for line in lines] == [
        (Decimal("31.50"), "EUR", 3, sold.product, sold.subscription)
    ]
    await mirror.database.close()


async def test_events_name_what_the_mirror_reads_anew(vendor: Vendor) -> None:
    mirror = await mirrored(vendor, "events")
    sold = await sell(vendor, "CON-EVENTS")
    await vendor.adaptor.post(f"/v1/customers/{sold.customer}", {"name": "Renamed"}, key=None)
    changes = await mirror.sync.poll(None)
    again = await mirror.sync.poll(changes.mark)
    changed = await mirror.sync.project(changes.items)
    assert {"customer.created", "customer.updated", "customer.subscription.created"} <= {
        event.payload["type"] for event in changes.items
    }
    assert {event.id for event in again.items} >= {changes.items[-1].id}
    assert sold.customer in changed
    assert (await mirror.books.customers([sold.customer]))[sold.customer].name == "Renamed"
    assert (await mirror.books.contracts([sold.number]))[sold.number].mrr == Decimal("31.50")
    await mirror.database.close()


async def test_writes_reach_the_vendor_and_show_at_once(vendor: Vendor) -> None:
    sold = await sell(vendor, "CON-WRITE")
    mirror = await mirrored(vendor, "writes")
    before = (await mirror.books.contracts([sold.number]))[sold.number]
    off = await mirror.ledger.set_auto_renew(before, auto_renews=False, key="off")
    kept = (await mirror.books.contracts([sold.number]))[sold.number]
    at_vendor = await mirror.ledger.current(before)
    assert (off.auto_renews, off.version != before.version) == (False, True)
    assert kept == at_vendor == off
    if "setAutoRenew" in vendor.dialect.writes:
        assert off.cancellation is None
        on = await mirror.ledger.set_auto_renew(off, auto_renews=True, key="on")
        assert (on.auto_renews, on.cancellation) == (True, None)
    await mirror.database.close()


async def test_a_repeated_write_has_one_effect_where_the_key_is_honoured(vendor: Vendor) -> None:
    values = {"name": "Twice", "metadata": {"n": "1"}}
    ids = {(await vendor.adaptor.post("/v1/customers", values, key="adaptor-once"))["id"] for _ in range(2)}
    assert len(ids) == (1 if vendor.dialect.honours_idempotency_key else 2)


@pytest.mark.parametrize(
    ("faults", "code", "outcome"),
    [
        ({"mode": "down"}, "SYSTEM_UNAVAILABLE", Outcome.UNKNOWN),
        ({"mode": "reset"}, "SYSTEM_UNAVAILABLE", Outcome.UNKNOWN),
        ({"mode": "blackhole"}, "SYSTEM_TIMEOUT", Outcome.UNKNOWN),
        ({"mode": "garbage"}, "SYSTEM_BAD_RESPONSE", Outcome.UNKNOWN),
        ({"mode": "html"}, "SYSTEM_BAD_RESPONSE", Outcome.UNKNOWN),
        ({"mode": "truncate"}, "SYSTEM_UNAVAILABLE", Outcome.UNKNOWN),
        ({"errorRate": 1.0, "errorStatus": 500}, "SYSTEM_ERROR", Outcome.UNKNOWN),
        ({"errorRate": 1.0, "errorStatus": 401}, "SYSTEM_AUTH_FAILED", Outcome.NOT_APPLIED),
        ({"rateLimitPerS": 0.01}, "SYSTEM_RATE_LIMITED", Outcome.NOT_APPLIED),
    ],
)
async def test_every_fault_has_its_code_and_says_what_became_of_the_write(
    vendor: Vendor, faults: dict[str, Any], code: str, outcome: Outcome
) -> None:
    """Faults are asked of our own sandbox; localstripe can't fail on request."""
    if vendor.process is None:
        assert vendor.dialect is LOCALSTRIPE
        return
    await vendor.process.faults(**faults)
    client = stripe_client(
        vendor.url,
        KEY,
        timeout_s=0.4 if code == "SYSTEM_TIMEOUT" else 30,
        dialect=replace(STRIPE, honours_idempotency_key=False),
    )
    async with client:
        adaptor = StripeAdaptor(client)
        try:
            if "rateLimitPerS" in faults:
                await vendor.process.client.get("/v1/customers")
            with pytest.raises(VendorError) as writing:
                await adaptor.post("/v1/customers", {"name": "X"}, key="fault")
        finally:
            await vendor.process.faults()
    assert (writing.value.code, writing.value.outcome, writing.value.system) == (code, outcome, "billing")


def test_forms_nest_by_brackets() -> None:
    values = {"items": [{"price": "p", "quantity": 2}], "cancel_at": None, "on": True, "metadata": {"a.b": "ü&="}}
    assert form_params(values) == {
        "items[0][price]": "p",
        "items[0][quantity]": "2",
        "cancel_at": "",
        "on": "true",
        "metadata[a.b]": "ü&=",
    }


async def test_a_deleted_customer_is_gone_and_costs_the_others_nothing(vendor: Vendor) -> None:
    """What a feed reads after its deletion: nothing of it can be expanded, and those beside it are whole."""
    gone, kept = [
        (await vendor.adaptor.post("/v1/customers", {"name": name}, key=None))["id"] for name in ("Gone", "Kept")
    ]
    await vendor.adaptor.delete(f"/v1/customers/{gone}", key=None)
    found = await vendor.adaptor.read([gone, kept])
    assert {key: doc["name"] for key, doc in found.items()} == {kept: "Kept"}
