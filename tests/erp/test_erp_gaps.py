"""Gaps that history does not have, made by people at the ERP; and the sandbox's memory over a stop."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
from served_process import serve_module

GAPS = "... on BilledLine { gaps { code message } invoiceLine { id invoice { number status } } }"


async def test_each_step_that_people_leave_out_is_a_gap_until_it_is_done(small_world: Any) -> None:
    world = small_world

    async def gaps(ref: str) -> list[tuple[str, str]]:
        (entity,) = await world.entities(GAPS, {"__typename": "BilledLine", "ref": ref})
        return [(gap["code"], gap["message"]) for gap in entity["gaps"]]

    async with world.tryton() as system:
        (party,) = await system.rows("party.party", [["code", "=", "CUST-0001"]], "code")
        products = await system.rows("product.product", [], "code", "account_category.name")
        ratable = next(p["id"] for p in products if p["account_category"]["name"] == "Ratable monthly")
        line = {
            "type": "line",
            "product": ratable,
            "quantity": 1.0,
            "unit_price": Decimal("30.00"),
            "description": "Seat",
        }
        service = {"defer_from": dt.date(2026, 9, 1), "defer_to": dt.date(2026, 11, 30)}
        body = {
            "type": "out",
            "party": party["id"],
            "invoice_date": dt.date(2026, 10, 1),
            "lines": [["create", [{**line, "note": "BL-with", **service}, {**line, "note": "BL-without"}]]],
        }
        assert [code for code, _ in await gaps("BL-with")] == ["NOT_INVOICED"]
        draft = (await system.rest("POST", "account.invoice", body=body, fields=("state",))).json()
        assert await gaps("BL-with") == [
            ("NOT_POSTED", "The billed line BL-with is on an invoice without a number, which has not been posted.")
        ]
        posted = (await system.rest("POST", f"account.invoice/{draft['id']}/post", body={}, fields=("number",))).json()
        name, unpaid = f"invoice {posted['number']}", "60.00 EUR of invoice {}, due on 2026-10-01, are not paid."
        assert await gaps("BL-with") == [
            ("UNPAID", unpaid.format(posted["number"])),
            ("NOT_RECOGNISED", f"The revenue of 2026-09 on {name} has not been recognised."),
        ]
        assert [code for code, _ in await gaps("BL-without")] == ["UNPAID", "NO_REVENUE_SCHEDULE"]
        (invoice,) = (await system.erp.invoices.read([str(draft["id"])])).values()
        await system.erp.record_payment(
            invoice, amount=Decimal("60.00"), received_on=dt.date(2026, 10, 2), method=None, reference="all"
        )
        assert [code for code, _ in await gaps("BL-with")] == ["NOT_RECOGNISED"]


async def test_the_sandbox_keeps_its_books_over_a_stop(tmp_path: Path) -> None:
    prefix = "CONCORD_ERP_SANDBOX_"
    settings: dict[str, object] = {
        f"{prefix}PORT": 0,
        f"{prefix}STATE_DIR": tmp_path / "state",
        f"{prefix}CUSTOMERS": 2,
    }
    headers = {"authorization": "Bearer sandbox-token"}
    first = serve_module("subgraphs.erp.sandbox", tmp_path, settings)
    async with httpx2.AsyncClient(trust_env=False, headers=headers) as http:
        url = f"{first.url}/erp/rest/model/party.party"
        created = (await http.post(url, json={"name": "Somebody new"}, params={"f": "name"})).json()
        first.kill()
        second = serve_module("subgraphs.erp.sandbox", tmp_path, settings)
        try:
            url = f"{second.url}/erp/rest/model/party.party"
            found = (await http.get(f"{url}/{created['id']}", params={"f": "name"})).json()
            after = (await http.post(url, json={"name": "Another"}, params={"f": "name"})).json()
        finally:
            assert second.stop(2.0) == 0
    assert found == created
    assert after["id"] == created["id"] + 1
