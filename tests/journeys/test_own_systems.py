"""A company's own systems by configuration alone: the product over a real Tryton, and over a Salesforce that is not its sandbox."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from served_process import serve_module
from tryton import LOGIN, PASSWORD, serve_tryton

from subgraphs.kit.company.generate import generate
from subgraphs.kit.company.model import Company, Source

CUSTOMERS = """{ customers(first: 20) { totalCount edges { node {
    name legalName creditLimit { amount } taxIds identities { system }
    crmRecord { system vendor } erpRecord { system vendor } } } }
  crmSystems { vendor apiVersion } erpSystems { vendor apiVersion differences { kind object field } } }"""


@pytest.fixture
def facts() -> Company:
    """What both systems hold."""
    return generate(7, 4, dt.date(2026, 10, 20))


def until_known(product: Any, customers: int) -> dict[str, Any]:
    """Return the answer once identity knows the customers of all systems."""
    deadline = time.monotonic() + 120
    while True:
        answer = product.ask(CUSTOMERS)
        nodes = [edge["node"] for edge in (answer.get("data") or {}).get("customers", {}).get("edges", [])]
        systems = [{each["system"] for each in node["identities"]} for node in nodes]
        if "errors" not in answer and len(nodes) == customers and all({"crm", "erp"} <= each for each in systems):
            return answer["data"]
        assert time.monotonic() < deadline, answer
        time.sleep(0.3)


async def test_a_real_tryton_and_a_salesforce_of_ones_own_are_switched_on_by_the_environment(
    tmp_path: Path, start_product: Any, facts: Company
) -> None:
    tryton = await asyncio.to_thread(serve_tryton, tmp_path / "tryton", facts)
    salesforce = await asyncio.to_thread(
        serve_module,
        "subgraphs.crm.sandbox",
        tmp_path,
        {
            "CONCORD_CRM_SANDBOX_VENDOR": "salesforce",
            "CONCORD_CRM_SANDBOX_PORT": 0,
            "CONCORD_CRM_SANDBOX_STATE_DIR": tmp_path / "salesforce",
            "CONCORD_CRM_SANDBOX_CUSTOMERS": 4,
            "CONCORD_CRM_SANDBOX_TODAY": "2026-10-20",
            "CONCORD_CRM_SANDBOX_TOKEN": "a-consumer-secret",
        },
    )
    environment = {
        "CONCORD_CRM_VENDOR": "salesforce",
        "CONCORD_CRM_VENDOR_URL": salesforce.url,
        "CONCORD_CRM_VENDOR_TOKEN": "a-consumer-secret",
        "CONCORD_ERP_VENDOR_URL": tryton.url,
        "CONCORD_ERP_VENDOR_TOKEN": tryton.application_key,
        "CONCORD_ERP_VENDOR_LOGIN": LOGIN,
        "CONCORD_ERP_VENDOR_PASSWORD": PASSWORD,
    }

    def journey() -> dict[str, Any]:
        folder = tmp_path / "product"
        folder.mkdir()
        with start_product(folder, 4, **environment) as product:
            return until_known(product, 4)

    try:
        shown = await asyncio.to_thread(journey)
    finally:
        await asyncio.to_thread(salesforce.stop)
        await asyncio.to_thread(tryton.stop)
    expected = {
        row.name_in(Source.CRM): (
            dict(row.names).get(Source.ERP) or row.legal_name,
            row.credit_limit,
            [row.tax_id],
            {"system": "crm", "vendor": "salesforce"},
            {"system": "erp", "vendor": "tryton"},
        )
        for row in facts.customers
    }
    found = {
        node["name"]: (
            node["legalName"],
            Decimal(node["creditLimit"]["amount"]),
            node["taxIds"],
            node["crmRecord"],
            node["erpRecord"],
        )
        for node in (edge["node"] for edge in shown["customers"]["edges"])
    }
    assert found == expected
    assert shown["crmSystems"] == [{"vendor": "salesforce", "apiVersion": "v62.0"}]
    assert shown["erpSystems"] == [{"vendor": "tryton", "apiVersion": "8.2", "differences": []}]


ONBOARD = """mutation($input: OnboardCustomerInput!) { onboardCustomer(input: $input, waitMs: 25000) {
    workflow { id status error { code system } } customer { id } } }"""
DONE = """query($id: ID!) { workflow(id: $id) { status customer { identities { system reference }
    erpRecord { system vendor name } } } }"""


@pytest.mark.skipif(os.environ.get("CONCORD_TEST_SYSTEMS") != "all", reason="half a minute: `make test-systems`")
async def test_a_new_customer_goes_to_the_erp_of_its_business_unit(tmp_path: Path, start_product: Any) -> None:
    """Two ERPs and a route: where onboarding makes the record is the configuration's, by what the CRM says of the customer."""
    secrets = {"TOKEN": "an-american-key", "PASSWORD": "an-american-password"}
    place = {"PORT": 0, "STATE_DIR": tmp_path / "us", "CUSTOMERS": 3}
    american = await asyncio.to_thread(
        serve_module,
        "subgraphs.erp.sandbox",
        tmp_path,
        {f"CONCORD_ERP_SANDBOX_{name}": value for name, value in {**place, **secrets}.items()},
    )
    further = {"name": "us", "url": f"{american.url}/erp", "token": secrets["TOKEN"], "password": secrets["PASSWORD"]}
    environment = {
        "CONCORD_ERP_INSTANCES": json.dumps([further]),
        "CONCORD_ERP_ROUTES": json.dumps([{"business_units": ["ENTERPRISE"], "instance": "us"}]),
    }

    def onboard(product: Any, segment: str) -> dict[str, Any]:
        given = {"name": f"{segment.title()} Works", "city": "Berlin", "country": "DE", "segment": segment}
        begun = product.data(ONBOARD, {"input": given}, Idempotency_Key=f"onboard-{segment}")["onboardCustomer"]
        deadline = time.monotonic() + 120
        while True:
            found: dict[str, Any] = product.data(DONE, {"id": begun["workflow"]["id"]})["workflow"]
            if found["status"] == "COMPLETED":
                return found["customer"]
            assert time.monotonic() < deadline, found
            time.sleep(0.3)

    def journey() -> list[dict[str, Any]]:
        folder = tmp_path / "product"
        folder.mkdir()
        with start_product(folder, 10, **environment) as product:
            return [onboard(product, segment) for segment in ("ENTERPRISE", "SMB")]

    try:
        big, small = await asyncio.to_thread(journey)
    finally:
        await asyncio.to_thread(american.stop)
    for customer, erp, name in ((big, "erp/us", "Enterprise Works"), (small, "erp", "Smb Works")):
        assert {each["system"] for each in customer["identities"]} == {"crm", "billing", erp}
        assert customer["erpRecord"] == {"system": erp, "vendor": "tryton", "name": name}
