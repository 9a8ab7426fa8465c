"""The subgraphs' parsers of outside bytes: what the gateway, vendors and their webhooks send them."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time
from typing import Any

import httpx2
from fuzz_inputs import JSON, bent_text, warped, warped_text
from fuzz_readers import ROOT, TOKEN, reader
from graphql import GraphQLError
from hypothesis import strategies as st
from test_tryton_mapping import KINDS as TRYTON

from subgraphs.billing.vendors import stripe_mapping
from subgraphs.billing.vendors.stripe_wire import StripeSignature
from subgraphs.crm.vendors.hubspot_mapping import HubSpotMapping
from subgraphs.crm.vendors.hubspot_webhook import HubSpotWebhooks, changed_ids
from subgraphs.crm.vendors.salesforce_mapping import SalesforceMapping
from subgraphs.erp.port import InvoiceOrder
from subgraphs.erp.vendors.tryton_drift import TrytonDrift
from subgraphs.erp.vendors.tryton_json import decode, from_parameter
from subgraphs.identity.crosswalk_routes import _parse as read_crosswalk
from subgraphs.kit.caller import CallerInvalidError, CallerReader
from subgraphs.kit.connection import encode_cursor, parse_cursor
from subgraphs.kit.credential import ClientCredentials
from subgraphs.kit.global_id import encode_global_id, parse_global_id
from subgraphs.kit.graphql_request import RequestRefusedError, parse_graphql_request
from subgraphs.kit.money import SCALARS
from subgraphs.kit.schema_drift import SchemaDrift
from subgraphs.kit.signature import SignatureInvalidError, verify
from subgraphs.kit.system_error import BadUserInputError, VendorBadResponseError, VendorError
from subgraphs.kit.vendor_client import VendorClient
from subgraphs.kit.vendor_reply import VendorReply, vendor_error
from subgraphs.kit.webhook import WebhookRequest

reader("request to a subgraph", "subgraphs/kit/graphql_request.py",
       st.tuples(bent_text(["application/json; charset=utf-8"]),
                 warped_text([{"query": "{ a }", "operationName": "Q", "variables": {"a": 1}}])),
       lambda given: parse_graphql_request(*given), RequestRefusedError)  # fmt: skip
reader("caller's header", "subgraphs/kit/caller.py", bent_text([TOKEN]),
       CallerReader("a secret of sixteen", "erp").read, CallerInvalidError)  # fmt: skip
reader("signature between processes", "subgraphs/kit/signature.py", bent_text([f"t={int(time.time())},v1={'a' * 64}"]),
       lambda text: verify("s", b"x", text), SignatureInvalidError)  # fmt: skip
reader("cursor of a subgraph's list", "subgraphs/kit/connection.py",
       bent_text([encode_cursor("a", 1, None), encode_cursor()]), parse_cursor, BadUserInputError)  # fmt: skip
reader("global id of a subgraph", "subgraphs/kit/global_id.py", bent_text([encode_global_id("Customer", "a")]),
       parse_global_id, BadUserInputError)  # fmt: skip
for kind, definition in SCALARS.items():
    parse = getattr(definition, "_scalar_definition", definition).parse_value
    reader(f"a subgraph's {getattr(kind, '__name__', kind)}", "subgraphs/kit/money.py",
           JSON | bent_text(["12.50", "EUR", "2026-01-31", "2026-01-31T09:30:00Z"]), parse, GraphQLError)  # fmt: skip
reader("crosswalk's message", "subgraphs/identity/crosswalk_routes.py",
       warped_text([{"system": "crm", "tenant": None, "filters": {"region": ["EU"]}}]), read_crosswalk, RequestRefusedError)  # fmt: skip


def pause(text: str) -> None:
    said = VendorReply(status=429, headers={"retry-after": text}, body=None)
    wait = said.retry_after_ms
    assert wait is None or 0 <= wait < 2**31, wait
    vendor_error(said, system="crm", is_write=False, has_key=False, said=None)


reader("a vendor's Retry-After", "subgraphs/kit/vendor_reply.py",
       bent_text(["7", "1.5", "1e300", "nan", "inf", "Wed, 21 Oct 2026 07:28:00 GMT", "Fri, 31 Dec 9999 23:59:59 -2359"]), pause)  # fmt: skip


def exchange(body: bytes) -> None:
    async def asked() -> None:
        answering = httpx2.MockTransport(
            lambda _: httpx2.Response(200, content=body)
        )  # the vendor, at the edge of the world
        async with httpx2.AsyncClient(transport=answering, base_url="http://vendor") as http:
            credential = ClientCredentials(system="crm", token_path="/token", client_id="i", client_secret="s")
            assert await credential.headers(http)

    asyncio.run(asked())


reader("a vendor's access token", "subgraphs/kit/credential.py",
       warped_text([{"access_token": "t", "expires_in": 1800, "token_type": "bearer"}]), exchange, VendorError)  # fmt: skip


def ask_vendor(given: tuple[int, bytes, str]) -> None:
    status, body, pause = given

    extra = b"retry-after: %b\r\n" % b"".join(pause.encode("latin-1", "replace").split()) if status == 429 else b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %d X\r\n%bcontent-length: %d\r\n\r\n%b" % (status, extra, len(body), body))
        writer.close()

    async def asked() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with VendorClient(vendor="hubspot", system="crm", base_url=address, retries=0) as client:
                await client.read("GET", "/x")

    asyncio.run(asked())


reader("a vendor's answer", "subgraphs/kit/vendor_client.py",
       st.tuples(st.sampled_from([200, 200, 200, 201, 204, 302, 400, 401, 404, 409, 429, 500, 503]),
                 warped_text([{"results": [{"id": "1"}], "message": "m"}]), bent_text(["0"])), ask_vendor, VendorError)  # fmt: skip

# ── Webhooks ────────────────────────────────────────────────────────────────────────────────────────────────────

HUBSPOT = HubSpotWebhooks("s")
NOW_MS = str(int(time.time() * 1000))


def told(headers: dict[str, str]) -> WebhookRequest:
    return WebhookRequest(method="POST", url="http://x/", headers=headers, body=b"{}")


reader("HubSpot's signature", "subgraphs/crm/vendors/hubspot_webhook.py", st.tuples(bent_text(["YWJj"]), bent_text([NOW_MS])),
       lambda given: HUBSPOT.verify(told({"x-hubspot-signature-v3": given[0], "x-hubspot-request-timestamp": given[1]})),
       SignatureInvalidError)  # fmt: skip
reader("HubSpot's webhook", "subgraphs/crm/vendors/hubspot_webhook.py",
       warped_text([[{"eventId": 1, "subscriptionType": "company.propertyChange", "occurredAt": 1, "objectId": 2, "attemptNumber": 0}]]),
       lambda body: changed_ids(HUBSPOT.parse(body)), ValueError)  # fmt: skip
STRIPE = StripeSignature("s")
reader("Stripe's signature", "subgraphs/billing/vendors/stripe_wire.py", bent_text([f"t={int(time.time())},v1={'a' * 64},v1=b"]),
       lambda text: STRIPE.verify(told({"stripe-signature": text})), SignatureInvalidError)  # fmt: skip
reader("Stripe's webhook", "subgraphs/billing/vendors/stripe_wire.py",
       warped_text([{"object": "event", "id": "evt_1", "type": "a.b", "created": 1, "data": {"object": {"id": "x"}}}]),
       STRIPE.parse, ValueError)  # fmt: skip

# ── Vendors' records: those that are kept as examples of what each API says ─────────────────────────────────────

HELD = {
    name: json.loads((ROOT / f"tests/{folder}/golden/{name}.json").read_text())["cases"]
    for folder, name in (("crm", "hubspot"), ("crm", "salesforce"), ("billing", "stripe"), ("erp", "tryton"))
}
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
"""What an adaptor takes for a record that can't be read."""


def documents(vendor: str, *kinds: str) -> st.SearchStrategy[Any]:
    found = [case["document"] for case in HELD[vendor] if case["kind"] in kinds]
    assert found, (vendor, kinds, {case["kind"] for case in HELD[vendor]})
    return warped(found)


reader("Tryton's notation", "subgraphs/erp/vendors/tryton_json.py",
       warped([case["document"] for case in HELD["tryton"]]), decode, *UNREADABLE)  # fmt: skip
reader("Tryton's parameter", "subgraphs/erp/vendors/tryton_json.py", bent_text(["W10=", "eyJfX2NsYXNzX18iOiJkYXRlIn0="]),
       from_parameter, *UNREADABLE)  # fmt: skip
for vendor, covers, mapping in (
    ("hubspot", "subgraphs/crm/vendors/hubspot_mapping.py", HubSpotMapping(SchemaDrift("crm"))),
    ("salesforce", "subgraphs/crm/vendors/salesforce_mapping.py", SalesforceMapping(drift=SchemaDrift("crm"))),
):
    for kind in sorted({case["kind"] for case in HELD[vendor]}):
        read = getattr(mapping, f"to_{kind}", None)
        if read is not None:
            reader(f"{vendor}'s {kind}", covers, documents(vendor, kind), read, *UNREADABLE)
DRIFT = TrytonDrift(SchemaDrift("erp"), lambda _model: None)
for kind, (model, fields, parse_row) in TRYTON.items():

    def row_of(document: Any, model: str = model, fields: Any = fields, parse_row: Any = parse_row) -> Any:
        (row,) = DRIFT.complete(model, fields, [decode(document)])
        return parse_row(row)

    reader(f"Tryton's {kind}", "subgraphs/erp/vendors/tryton_mapping.py",
           documents("tryton", kind).filter(lambda document: isinstance(document, dict) and "id" in document), row_of, *UNREADABLE)  # fmt: skip
STRIPE_RECORDS = {
    "contract": lambda doc: stripe_mapping.contract_record(doc, dt.date(2026, 11, 28)),
    "draft": lambda doc: stripe_mapping.draft_contract_record(doc, {}),
    "document": stripe_mapping.document_record,
    "price": stripe_mapping.price_record,
    "customer": stripe_mapping.customer_record,
    "product": lambda doc: stripe_mapping.product_record(doc, ["seats"]),
    "feature": stripe_mapping.feature_record,
}
for kind, read in STRIPE_RECORDS.items():
    reader(f"Stripe's {kind}", "subgraphs/billing/vendors/stripe_mapping.py", documents("stripe", kind), read,
           VendorBadResponseError)  # fmt: skip
reader("place in a list of invoices", "subgraphs/erp/port.py", bent_text(["2026-01-31", "20260131", "2026-W05-6", "INV-1"]),
       InvoiceOrder().is_value)  # fmt: skip
