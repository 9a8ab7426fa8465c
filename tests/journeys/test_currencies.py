"""A currency is counted in its own minor unit from the contract to the credit: the yen has none, the dinar three digits."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from contract_stories import key, seen, settled
from test_approved_prices import LINES, priced
from test_contract_terms import CREDIT
from test_contract_workflows import AMEND, amending
from test_reconciliation import drifts, run
from test_workflows import CLOSE, closing

from subgraphs.erp.vendors.tryton_json import encode

OF_DEAL = """query($id: ID!) { node(id: $id) { ... on Opportunity {
  contract { id number version } customer { identities { system externalId } } } } }"""
CURRENCIES = [("JPY", 0), ("KWD", 3)]


class Market:
    """What is sold in billing and booked in the ERP, past Concord."""

    def __init__(self, product: Any) -> None:
        secrets = json.loads((product.state / "secrets.json").read_text())
        self.billing, self.erp = (
            httpx2.Client(
                base_url=f"http://127.0.0.1:{product.ports[f'{system}-sandbox']}{path}",
                headers={"authorization": f"Bearer {secrets[f'{system}_token']}"},
                trust_env=False,
            )
            for system, path in (("billing", "/v1"), ("erp", "/erp/rest/model"))
        )
        self.currencies: dict[str, int] = {}

    def trade(self, currency: str, digits: int, prices: dict[str, str]) -> None:
        """Sell what costs so many minor units of a currency, a unit a month."""
        row = encode({"name": currency, "code": currency, "symbol": currency, "digits": digits})
        made = self.erp.post("/currency.currency", json=row).raise_for_status()
        self.currencies[currency] = made.json()["id"]
        known = self.billing.get("/prices", params={"limit": "100"}).raise_for_status().json()["data"]
        for sku, minor_units in prices.items():
            product = next(
                each["product"] for each in known if each["metadata"].get("price_reference", "").startswith(f"{sku}-")
            )
            given = {
                "product": product, "currency": currency.lower(), "unit_amount_decimal": minor_units,
                "recurring[interval]": "month", "metadata[price_reference]": f"{sku}-{currency}-MONTHLY",
            }  # fmt: skip
            self.billing.post("/prices", data=given).raise_for_status()

    def book(self, party: str, contract: str, amount: Decimal, currency: str) -> None:
        """Post an invoice that billing knows nothing of."""
        line = {"type": "line", "quantity": 1.0, "unit_price": amount, "description": "Travel"}
        draft = {
            "type": "out", "party": int(party), "reference": contract, "currency": self.currencies[currency],
            "invoice_date": dt.datetime.now(dt.UTC).date(), "lines": [["create", [line]]],
        }  # fmt: skip
        made = self.erp.post("/account.invoice", json=encode(draft)).raise_for_status().json()["id"]
        self.erp.post(f"/account.invoice/{made}/post", json={}).raise_for_status()


@pytest.fixture(scope="module")
def market(agreeing) -> Iterator[Market]:
    found = Market(agreeing)
    yield found
    found.billing.close()
    found.erp.close()


def posted_lines(agreeing, number: str) -> list[tuple[str, list[tuple[Decimal, str]]]]:
    """The contract's posted invoices: what each comes to, and its lines' quantities and prices."""
    edges = agreeing.data(LINES, {"n": number})["invoices"]["edges"]
    return [
        (
            edge["node"]["net"]["amount"],
            [(Decimal(line["node"]["quantity"]), line["node"]["unitPrice"]) for line in edge["node"]["lines"]["edges"]],
        )
        for edge in edges
        if edge["node"]["status"] == "POSTED"
    ]


def crediting(agreeing, contract: dict[str, Any], amount: str, *, dry: bool = False) -> dict[str, Any]:
    given = {"contractId": contract["id"], "amount": amount, "reason": "Outage"}
    return agreeing.ask(CREDIT, {"input": given, "dryRun": dry}, Idempotency_Key=key())


@pytest.mark.parametrize(("currency", "digits"), CURRENCIES)
async def test_an_invoice_a_credit_and_an_amendment_are_in_the_currency_s_own_unit(
    agreeing, deals, market, currency, digits
):
    # Four units make 1001 yen, of which a fourth can't be paid; three make 10.005 dinars, which is 3.335 each.
    minor_units, quantity = ("250.25", 4) if currency == "JPY" else ("3335", 3)
    market.trade(currency, digits, {"CORE-SEAT": minor_units, "ANALYTICS": "1000"})
    deal = deals.pop()
    asked = {**closing(deal, quantity=quantity), "currency": currency}
    await priced(agreeing, asked, "CORE-SEAT", Decimal(minor_units).scaleb(-digits))
    closed = agreeing.data(CLOSE, {"input": asked}, Idempotency_Key=key())["closeOpportunity"]
    assert closed["workflow"]["status"] == "COMPLETED", closed
    found = agreeing.data(OF_DEAL, {"id": deal["id"]})["node"]
    contract = found["contract"]
    invoiced = ("1001", [(Decimal(1), "1001")]) if currency == "JPY" else ("10.005", [(Decimal(3), "3.335")])
    assert posted_lines(agreeing, contract["number"]) == [invoiced]

    smallest = Decimal(1).scaleb(-digits)
    for finer in (smallest / 2, smallest * 7 / 2):
        for dry in (True, False):
            refused = crediting(agreeing, contract, str(finer), dry=dry)
            assert [each["extensions"]["code"] for each in refused["errors"]] == ["BAD_USER_INPUT"], refused
            words = "no decimals" if currency == "JPY" else "at most three decimals"
            assert words in refused["errors"][0]["message"]
    credited = crediting(agreeing, contract, str(smallest * 5))["data"]["creditContract"]
    assert credited["workflow"]["status"] == "COMPLETED", credited
    assert credited["creditMemo"]["net"]["amount"] == str(smallest * 5)

    # The pricing service, too, charges what can be paid.
    before = seen(agreeing, contract)
    wanted = amending({**contract, "version": before["version"]}, ANALYTICS=7)
    planned = agreeing.data(AMEND, {"input": wanted, "dryRun": True})["amendContract"]["plan"]
    changes = {change["field"]: change["to"] for write in planned for change in write["changes"]}
    assert changes["pricedBy"] == "cpq"
    amended = agreeing.data(AMEND, {"input": wanted}, Idempotency_Key=key())["amendContract"]
    assert (await settled(agreeing, amended["workflow"]["id"]))["status"] == "COMPLETED"
    after = seen(agreeing, contract)
    assert changes["mrr"] == after["mrr"]["amount"]
    assert Decimal(changes["bill.net"]) == Decimal(amended["invoice"]["net"]["amount"])

    # Five of the smallest coins are no drift, as five cents are none.
    (party,) = (each["externalId"] for each in found["customer"]["identities"] if each["system"] == "erp")

    def differences() -> list[tuple[str, str]]:
        run(agreeing, contractId=contract["id"])
        known = drifts(agreeing, contract=contract["number"], fields=["invoiced"])
        return [(each["difference"], each["currency"]) for each in known]

    market.book(party, contract["number"], smallest * 5, currency)
    assert differences() == []
    market.book(party, contract["number"], smallest, currency)
    assert differences() == [(str(-6 * smallest), currency)]
