"""What billing has billed is in the books to the cent, in the sandbox and in a real Tryton."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from gateway.writes.workflows.financial_effect import order_line
from subgraphs.erp.port import NewOrder, OrderLine

TODAY = dt.date(2026, 10, 20)


@pytest.mark.parametrize(("amount", "quantity"), [("10.01", 3), ("10.02", 3), ("100.00", 7), ("0.01", 1_000)])
async def test_an_order_is_worth_what_was_billed(system: Any, amount: str, quantity: int) -> None:
    number = next(each.number for each in system.company.invoices if each.status == "POSTED")
    invoice = (await system.erp.invoices_by_number.read([number]))[number]
    billed = {
        "sku": "CORE-SEAT", "description": "Seats", "quantity": quantity, "amount": amount, "ref": None,
        "startsOn": "2026-10-20", "endsOn": "2026-11-19",
    }  # fmt: skip
    line = order_line(billed, "EUR")
    order = NewOrder(
        customer_id=invoice.customer_id,
        contract="CON-2026-9001",
        currency="EUR",
        issued_on=TODAY,
        reference=f"order {amount} {quantity}",
        lines=(
            OrderLine(
                sku=line["sku"],
                description=line["description"],
                quantity=Decimal(line["quantity"]),
                unit_price=Decimal(line["unitPrice"]),
                billed_line=None,
                service_from=TODAY,
                service_until=dt.date(2026, 11, 19),
            ),
        ),
    )
    made = await system.erp.place_order(order)
    await system.erp.post_order(made)
    found = (await system.erp.invoices.read([made]))[made]
    assert (found.status.value, found.net) == ("POSTED", Decimal(amount))
