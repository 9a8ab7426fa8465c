"""The ERP adaptor as `concord adaptor check` takes it: over our sandbox, and over a real Tryton 8.2 that nobody here wrote."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from served_process import serve_module
from tryton import LOGIN, PASSWORD, serve_tryton

from subgraphs.erp.vendors.tryton import Tryton, refusal_words
from subgraphs.erp.vendors.tryton_erp import TrytonErp
from subgraphs.kit.company.generate import generate
from subgraphs.kit.conformance.under_test import Connection, Poll, UnderTest, Write
from subgraphs.kit.vendor_client import VendorClient

KEY = "an-application-key"
TODAY = dt.date(2026, 10, 20)
SMALL = generate(7, 4, TODAY)


@asynccontextmanager
async def _tests(url: str, key: str, name: str) -> AsyncIterator[Sequence[UnderTest[Any]]]:
    ports: dict[int, TrytonErp] = {}
    """The whole port behind an adaptor of one kind of record, by the adaptor's identity."""

    def connecting(kind: str) -> Any:
        @asynccontextmanager
        async def connect(to: Connection) -> AsyncIterator[Any]:
            client = VendorClient(vendor="tryton", system="erp", base_url=to.url, words=refusal_words, timeout_s=20)
            async with client:
                wrong = to.is_credential_wrong
                tryton = Tryton(client, application_key="wrong" if wrong else key, login=LOGIN, password=PASSWORD)
                erp = TrytonErp(tryton, today=lambda: TODAY)
                adaptor = getattr(erp, kind)
                ports[id(adaptor)] = erp
                yield adaptor

        return connect

    async with connecting("customers")(Connection(url=url)) as adaptor:
        erp = ports[id(adaptor)]
        customers = [record.id for record in await erp.changed_customers(None)]
        invoices = [record.id for record in await erp.changed_invoices(None)]
        numbers = [i.number for i in SMALL.invoices if i.status == "POSTED"]
        payable = (await erp.invoices_by_number.read(numbers[:1]))[numbers[0]]

    async def pay(adaptor: Any, reference: str) -> None:
        erp = ports[id(adaptor)]
        # As the subgraph does: a payment that may be there already is looked for before it is sent again.
        if await erp.find_payment(payable, reference) is None:
            await erp.record_payment(
                payable, amount=Decimal("0.01"), received_on=TODAY, method=None, reference=reference
            )

    async def paid(adaptor: Any, reference: str) -> int:
        (found,) = (await ports[id(adaptor)].payments_of_invoices.read([payable.id])).values() or [()]
        return sum(payment.reference == reference for payment in found)

    async def hold(adaptor: Any, number: int) -> str:
        erp = ports[id(adaptor)]
        customer_id = customers[number % len(customers)]
        customer = (await erp.customers.read([customer_id]))[customer_id]
        await erp.set_credit_hold(customer, on_hold=not customer.credit_hold, version=customer.version)
        return customer_id

    async def poll(adaptor: Any, mark: str | None) -> tuple[Sequence[str], str | None]:
        since = dt.datetime.fromisoformat(mark) if mark else None
        found = await ports[id(adaptor)].changed_customers(since)
        last = max((record.modified_at for record in found), default=since)
        return [record.id for record in found], None if last is None else last.isoformat()

    pushes_nothing = {"webhook": "Tryton pushes nothing; changes are polled by `last_modified_at`."}
    yield [
        UnderTest(
            name=f"{name} parties",
            url=url,
            connect=connecting("customers"),
            known=customers,
            absent=["99999999"],
            writes=[Write(name="record a payment", carry_out=pay, effects=paid)],
            poll=Poll(change=hold, poll=poll),
            cannot=pushes_nothing,
        ),
        UnderTest(
            name=f"{name} invoices",
            url=url,
            connect=connecting("invoices"),
            known=invoices,
            absent=["99999999"],
            cannot={
                **pushes_nothing,
                "write": "Invoices come from billed lines; their payments are checked with the parties.",
                "poll": "Checked with the parties: it is the same search for every model.",
            },
        ),
    ]


@asynccontextmanager
async def sandbox() -> AsyncIterator[Sequence[UnderTest[Any]]]:
    """Tryton's parties and invoices over our sandbox."""
    with TemporaryDirectory() as folder:
        prefix = "CONCORD_ERP_SANDBOX_"
        settings = {
            "PORT": 0, "STATE_DIR": folder, "CUSTOMERS": len(SMALL.customers), "TODAY": TODAY.isoformat(), "TOKEN": KEY,
            "LOGIN": LOGIN, "PASSWORD": PASSWORD,
        }  # fmt: skip
        named = {prefix + setting: value for setting, value in settings.items()}
        served = await asyncio.to_thread(serve_module, "subgraphs.erp.sandbox", Path(folder), named)
        try:
            async with _tests(f"{served.url}/erp", KEY, "tryton sandbox") as tests:
                yield tests
        finally:
            await asyncio.to_thread(served.stop)


@asynccontextmanager
async def tryton_8() -> AsyncIterator[Sequence[UnderTest[Any]]]:
    """Tryton's parties and invoices over Tryton itself."""
    with TemporaryDirectory() as folder:
        served = await asyncio.to_thread(serve_tryton, Path(folder), SMALL)
        try:
            async with _tests(served.url, served.application_key, "tryton 8.2") as tests:
                yield tests
        finally:
            await asyncio.to_thread(served.stop)
