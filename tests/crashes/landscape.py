"""The systems of record and their subgraphs, as processes, and what each of them holds of a contract: counted, not believed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
from served_process import serve_module

from subgraphs.erp.vendors.tryton_json import decode, to_parameter

_TOKEN = {"authorization": "Bearer sandbox-token"}
_NO_EVENTS = "http://127.0.0.1:9/events"


@dataclass
class Held:
    """What the systems hold of one contract."""

    stage: str
    contract_number: str | None
    subscriptions: list[str]
    """Statuses of the subscriptions with the contract's number."""
    bills: list[str]
    """Statuses of billing's invoices of those."""
    named: list[str | None]
    """The ERP's numbers in them."""
    invoices: list[str]
    """States of the ERP's invoices with the contract's number."""
    deferrals: list[str]
    opening_entries: int
    """Posted entries of the deferrals that take revenue out."""
    ledger: dict[str, Decimal]
    """Account → sum of all entries of the invoices, their deferrals and the reversals of those."""


@dataclass
class Landscape:
    """Running systems."""

    urls: dict[str, str]
    """Subgraph → its GraphQL address."""
    sandboxes: dict[str, str]
    proxies: dict[str, str] = field(default_factory=dict)
    """System → what stands before its sandbox, where connections are to be cut."""
    http: httpx2.Client = field(default_factory=lambda: httpx2.Client(timeout=60, trust_env=False, headers=_TOKEN))

    def ask(self, subgraph: str, document: str, variables: dict[str, Any]) -> dict[str, Any]:
        reply = self.http.post(self.urls[subgraph], json={"query": document, "variables": variables})
        return reply.json()["data"]

    def set_faults(self, system: str, **faults: Any) -> None:
        self.http.put(f"{self.sandboxes[system]}/__sandbox/faults", json=faults).raise_for_status()

    def cut(self, mode: str) -> None:
        """Cut the connection of each kind of write once from now on: before, after or in the middle; or none."""
        for url in self.proxies.values():
            self.http.put(f"{url}/__cut", json={"mode": mode}).raise_for_status()

    def darken(self, system: str, write: str, mode: str) -> None:
        """Let nothing through to a system from its first such write on, which is cut, or with "last" is the last one answered."""
        self.http.put(f"{self.proxies[system]}/__cut", json={"mode": mode, "only": write}).raise_for_status()

    def were_cut(self) -> dict[str, list[str]]:
        return {system: self.http.get(f"{url}/__cut").json() for system, url in self.proxies.items()}

    def is_known_everywhere(self, deal: dict[str, Any]) -> bool:
        """Whether billing and the ERP have the deal's customer already, and do not hold his credit."""
        document = "query($r: [_Any!]!) { _entities(representations: $r) { ... on Customer { erpRef billingRef } } }"
        representation = {"__typename": "Customer", "crmRef": deal["customer"]["crmRef"]}
        customer = self.ask("identity", document, {"r": [representation]})["_entities"][0]
        if not customer or not customer["erpRef"] or not customer["billingRef"]:
            return False
        document = "query($r: [_Any!]!) { _entities(representations: $r) { ... on Customer { creditHold } } }"
        held = self.ask("erp", document, {"r": [{"__typename": "Customer", "erpRef": customer["erpRef"]}]})["_entities"]
        return held == [{"creditHold": False}]

    def billing_ref(self, crm_ref: str) -> str | None:
        """What billing calls a company of the CRM, as identity knows it."""
        document = "query($r: [_Any!]!) { _entities(representations: $r) { ... on Customer { billingRef } } }"
        wanted = {"__typename": "Customer", "crmRef": crm_ref.partition("+")[0]}
        customer = self.ask("identity", document, {"r": [wanted]})["_entities"][0]
        return None if customer is None else customer["billingRef"]

    def open_deals(self) -> list[dict[str, Any]]:
        """Deals that no contract came of, of companies that no parent is above."""
        document = """{ opportunities(first: 200, filter: { stage: [QUALIFICATION, DISCOVERY, PROPOSAL, NEGOTIATION] }) {
            edges { node { id stage amount { currency } contract { number } customer { crmRef } } } } }"""
        deals = [edge["node"] for edge in self.ask("crm", document, {})["opportunities"]["edges"]]
        return [deal for deal in deals if deal["contract"] is None and deal["customer"] and deal["amount"]]

    def deal(self, deal_id: str) -> dict[str, Any]:
        document = "query($r: [_Any!]!) { _entities(representations: $r) { ... on Opportunity { version stage contract { number } } } }"
        return self.ask("crm", document, {"r": [{"__typename": "Opportunity", "id": deal_id}]})["_entities"][0]

    def held(self, deal_id: str, number: str) -> Held:
        """Read every system by its vendor's own interface."""
        deal = self.deal(deal_id)
        subscriptions = [
            each
            for each in self.stripe("subscriptions", status="all")
            if each["metadata"].get("contract_number") == number
        ]
        bills = [bill for each in subscriptions for bill in self.stripe("invoices", subscription=each["id"])]
        invoices = self.tryton("account.invoice", [["reference", "=", number]], ["state", "move", "cancel_move"])
        deferrals = self.tryton(
            "account.invoice.deferred", [["invoice_line.invoice.reference", "=", number]], ["state"]
        )
        entries = self._entries_of(deferrals)
        moves, _ = self.moves_of(number, invoices)
        opening = sum(
            1
            for line in self._lines_of([entry["id"] for entry in entries])
            if line["account"]["code"] == "4000" and line["debit"] > 0
        )
        return Held(
            stage=deal["stage"],
            contract_number=(deal["contract"] or {}).get("number"),
            subscriptions=[each["status"] for each in subscriptions],
            bills=[each["status"] for each in bills],
            named=[each["metadata"].get("invoice_number") for each in bills],
            invoices=[each["state"] for each in invoices],
            deferrals=[each["state"] for each in deferrals],
            opening_entries=opening,
            ledger=self.ledger_of(moves),
        )

    def moves_of(self, number: str, documents: list[dict[str, Any]]) -> tuple[list[int], int]:
        """Ids of all entries of a contract's documents, of their deferrals and of what reverses those; and how many deferrals."""
        deferrals = self.tryton(
            "account.invoice.deferred", [["invoice_line.invoice.reference", "=", number]], ["state"]
        )
        entries = self._entries_of(deferrals)
        texts = [f"Reversal of entry {entry['id']}" for entry in entries]
        reversals = self.tryton("account.move", [["description", "in", texts]], ["state"]) if texts else []
        own = [document[name] for document in documents for name in ("move", "cancel_move") if document[name]]
        ids = [move["id"] if isinstance(move, dict) else move for move in own]
        return [*ids, *(each["id"] for each in (*entries, *reversals))], len(deferrals)

    def ledger_of(self, moves: list[int]) -> dict[str, Decimal]:
        """Account → sum of the entries."""
        ledger: dict[str, Decimal] = {}
        for line in self._lines_of(moves):
            code = line["account"]["code"]
            ledger[code] = ledger.get(code, Decimal(0)) + line["debit"] - line["credit"]
        return ledger

    def _entries_of(self, deferrals: list[dict[str, Any]]) -> list[dict[str, Any]]:
        origins = [f"account.invoice.deferred,{each['id']}" for each in deferrals]
        return self.tryton("account.move", [["origin", "in", origins]], ["description"]) if origins else []

    def _lines_of(self, moves: list[int]) -> list[dict[str, Any]]:
        fields = ["move", "account.code", "debit", "credit"]
        return self.tryton("account.move.line", [["move", "in", moves]], fields) if moves else []

    def customer(self, **ref: str) -> dict[str, Any] | None:
        """What identity knows of a record: `crmRef="9100001"`."""
        document = (
            "query($r: [_Any!]!) { _entities(representations: $r) { ... on Customer { id crmRef billingRef erpRef } } }"
        )
        found: dict[str, Any] | None = self.ask("identity", document, {"r": [{"__typename": "Customer", **ref}]})[
            "_entities"
        ][0]
        return found

    def references(self) -> tuple[dict[str, str], dict[str, str]]:
        """Business keys of customers, as the vendors themselves have them: by the CRM's id, and by billing's."""
        companies = {each["id"]: each["properties"]["customer_reference"] for each in self.companies()}
        customers = {each["id"]: each["metadata"].get("customer_reference") for each in self.stripe("customers")}
        return companies, customers

    def records_of(self, reference: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the companies, billing customers and parties with a business key; parties out of use too."""
        companies = [each for each in self.companies() if each["properties"]["customer_reference"] == reference]
        customers = [
            each for each in self.stripe("customers") if each["metadata"].get("customer_reference") == reference
        ]
        domain = [["code", "=", reference], ["active", "in", [True, False]]]
        return companies, customers, self.tryton("party.party", domain, ["code", "active"])

    def copies_of(self, reference: str) -> dict[str, Any]:
        """What billing and the ERP hold of a customer's fields."""
        _, (customer,), (party,) = self.records_of(reference)
        address = customer["address"] or {}
        (held,) = self.tryton("party.address", [["party", "=", party["id"]]], ["street", "city", "country.code"]) or [
            {}
        ]
        sites = self.tryton(
            "party.contact_mechanism", [["party", "=", party["id"]], ["type", "=", "website"]], ["value"]
        )
        return {
            "billing": {
                "name": customer["name"],
                "city": address.get("city"),
                "country": address.get("country"),
                "taxId": customer["metadata"].get("tax_id"),
            },
            "erp": {
                "street": held.get("street"),
                "city": held.get("city"),
                "country": (held.get("country") or {}).get("code"),
                "website": [each["value"] for each in sites],
            },
        }

    def move_company(self, crm_ref: str, town: str) -> None:
        """Change a company's town, as sales does it."""
        url = f"{self.sandboxes['crm']}/crm/v3/objects/companies/{crm_ref.partition('+')[0]}"
        self.http.patch(url, json={"properties": {"city": town}}).raise_for_status()

    def list_product(self, sku: str, name: str, cents: int) -> None:
        """Sell something new, as somebody does in billing's own interface."""
        url = f"{self.sandboxes['billing']}/v1"
        form = {"name": name, "metadata[sku]": sku}
        product = self.http.post(f"{url}/products", data=form).raise_for_status().json()["id"]
        price = {
            "product": product, "currency": "eur", "unit_amount": str(cents), "recurring[interval]": "month",
            "metadata[price_reference]": f"{sku}-EUR-MONTHLY",
        }  # fmt: skip
        self.http.post(f"{url}/prices", data=price).raise_for_status()

    def rename_product(self, sku: str, name: str) -> None:
        """Give what is sold another name in billing."""
        (product,) = [each for each in self.stripe("products") if each["metadata"].get("sku") == sku]
        url = f"{self.sandboxes['billing']}/v1/products/{product['id']}"
        self.http.post(url, data={"name": name}).raise_for_status()

    def billed_product(self, sku: str) -> dict[str, Any] | None:
        """What billing's subgraph says of a product: it hears of changes within seconds."""
        document = (
            "query($r: [_Any!]!) { _entities(representations: $r) { ... on Product { name prices { reference } } } }"
        )
        found: dict[str, Any] | None = self.ask("billing", document, {"r": [{"__typename": "Product", "sku": sku}]})[
            "_entities"
        ][0]
        return found

    def catalogues(self, sku: str) -> dict[str, list[dict[str, Any]]]:
        """What the CRM and the ERP hold of a product; in the ERP also out of use."""
        names = "hs_sku,name,hs_price_eur,hs_price_gbp,hs_price_usd"
        params = {"limit": "100", "properties": names}
        url = f"{self.sandboxes['crm']}/crm/v3/objects/products"
        listed, more = [], True
        while more:
            page = self.http.get(url, params=params).raise_for_status().json()
            listed += [each["properties"] for each in page["results"]]
            more = "paging" in page
            params["after"] = page["paging"]["next"]["after"] if more else ""
        fields = ["code", "active", "template.name", "template.list_price"]
        domain = [["code", "=", sku], ["active", "in", [True, False]]]
        rows = self.tryton("product.product", domain, fields, {"company": 1})
        return {
            "crm": [
                {"name": each["name"], **{code: _number(each[f"hs_price_{code}"]) for code in ("eur", "gbp", "usd")}}
                for each in listed
                if each["hs_sku"] == sku
            ],
            "erp": [
                {
                    "active": row["active"],
                    "name": row["template"]["name"],
                    "eur": _number(row["template"]["list_price"]),
                }
                for row in rows
            ],
        }

    def companies(self) -> list[dict[str, Any]]:
        """All companies of the CRM that are not archived."""
        found: list[dict[str, Any]] = []
        params = {"limit": "100", "properties": "customer_reference"}
        while True:
            url = f"{self.sandboxes['crm']}/crm/v3/objects/companies"
            page = self.http.get(url, params=params).raise_for_status().json()
            found += page["results"]
            if "paging" not in page:
                return found
            params["after"] = page["paging"]["next"]["after"]

    def duplicates(self) -> list[str]:
        """Return customers that a system has twice."""
        companies = [each["properties"]["customer_reference"] for each in self.companies()]
        customers = [each["metadata"].get("customer_reference") for each in self.stripe("customers")]
        parties = [each["code"] for each in self.tryton("party.party", [], ["code"])]
        return [
            f"{system} {code}"
            for system, codes in (("crm", companies), ("billing", customers), ("erp", parties))
            for code in sorted({code for code in codes if code is not None and codes.count(code) > 1})
        ]

    def stripe(self, kind: str, **params: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            after = {"starting_after": found[-1]["id"]} if found else {}
            page = (
                self.http.get(f"{self.sandboxes['billing']}/v1/{kind}", params={"limit": "100", **params, **after})
                .raise_for_status()
                .json()
            )
            found += page["data"]
            if not page["has_more"]:
                return found

    def tryton(
        self, model: str, domain: list[Any], fields: list[str], context: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        params = {"d": to_parameter(domain), "f": fields}
        headers = {"x-tryton-context": to_parameter(context)} if context else {}
        url = f"{self.sandboxes['erp']}/erp/rest/model/{model}"
        reply = self.http.get(url, params=params, headers=headers).raise_for_status()
        rows: list[dict[str, Any]] = decode(reply.json())
        return rows


def _number(value: Any) -> Decimal | None:
    return None if value in {None, ""} else Decimal(value)


@contextmanager
def started_landscape(folder: Path, customers: int = 40, *, cuts: bool = False) -> Iterator[Landscape]:
    """Start three sandboxes and four subgraphs, on free ports, with their state in the folder; and proxies that cut."""
    with ExitStack() as stack:

        def serve(module: str, prefix: str, **settings: object) -> str:
            values = {"PORT": 0, "STATE_DIR": folder / prefix.lower(), **settings}
            environment = {f"CONCORD_{prefix}_{name}": value for name, value in values.items()}
            process = serve_module(module, folder / prefix.lower(), environment, timeout_s=120)
            stack.callback(process.stop)
            return process.url

        sandboxes = {
            system: serve(
                f"subgraphs.{system}.sandbox", f"{system.upper()}_SANDBOX", CUSTOMERS=customers, TOKEN="sandbox-token"
            )
            for system in ("crm", "billing", "erp")
        }
        proxies: dict[str, str] = {}
        for system, url in sandboxes.items() if cuts else ():
            settings = {"CUTTING_PROXY_UPSTREAM": url}
            proxy = serve_module("tests.crashes.cutting_proxy", folder / f"{system}-proxy", settings, timeout_s=60)
            stack.callback(proxy.kill)
            proxies[system] = proxy.url
        identity = serve("subgraphs.identity.app", "IDENTITY", EVENTS_URL=_NO_EVENTS)
        urls = {"identity": f"{identity}/graphql"}
        for system, path in (("crm", ""), ("billing", ""), ("erp", "/erp")):
            url = serve(
                f"subgraphs.{system}.app",
                system.upper(),
                VENDOR_TOKEN="sandbox-token",
                VENDOR_URL=proxies.get(system, sandboxes[system]) + path,
                CROSSWALK_URL=identity,
                EVENTS_URL=_NO_EVENTS,
                POLL_INTERVAL_S=1,
                SYNCHRONISE_INTERVAL_S=2,
                VENDOR_TIMEOUT_S=3,
            )
            urls[system] = f"{url}/graphql"
        landscape = Landscape(urls, sandboxes, proxies)
        stack.callback(landscape.http.close)
        yield landscape
