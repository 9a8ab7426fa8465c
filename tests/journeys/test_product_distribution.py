"""What billing sells reaches the ERP's and the CRM's catalogue once, or not at all; catalogues that differ are named and mended."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

SKU = "CODE-REVIEW"
PRODUCT = "product { sku name revenueRule taxCode isKeptInCrm crmRecord { ...F } erpRecord { ...F } }"
DISTRIBUTE = f"""mutation Go($input: DistributeProductInput!, $dryRun: Boolean! = false) {{
  distributeProduct(input: $input, dryRun: $dryRun, waitMs: 25000) {{ {PRODUCT}
    workflow {{ id kind status error {{ code system }} steps {{ name system status }} }}
    plan {{ step system action changes {{ field from to }} }} }} }}
fragment F on RecordCopy {{ system name fields {{ name value }} }}"""
CATALOGUE = """{ products(first: 200) { edges { node { sku active prices { reference } crmRecord { ...F } erpRecord { ...F } } } } }
fragment F on RecordCopy { name fields { name value } }"""
WORKFLOW = "query($id: ID!) { workflow(id: $id) { status error { code system } steps { name status } } }"
COMPENSATE = "mutation($id: ID!) { compensateWorkflow(id: $id) { workflow { status } } }"
RUN = """mutation Run($input: RunReconciliationInput!) { runReconciliation(input: $input, waitMs: 25000) {
  run { status total compared differing product { sku } } } }"""
DRIFTS = """query($filter: DriftFilter) { drifts(filter: $filter, first: 100) { edges { node {
  id kind field owner system ownerValue copyValue difference currency status mendedBy product { sku } customer { id } } } } }"""
MEND = "mutation($id: ID!) { mendDrift(input: { id: $id }) { workflow { id kind } } }"
NEW = {"sku": SKU, "revenueRule": "RATABLE_MONTHLY", "taxCode": "SAAS"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, start_product):
    """A small product of its own."""
    with start_product(
        tmp_path_factory.mktemp("catalogue"),
        12,
        CONCORD_ERP_POLL_INTERVAL_S="1",
        CONCORD_RECONCILIATION__PATIENCE_S="2",
    ) as running:
        yield running


@pytest.fixture(scope="module")
def stripe(shop) -> Iterator[Callable[..., Any]]:
    """Writes at billing's own interface: `stripe("/v1/products", name="…")`."""
    token = json.loads((shop.state / "secrets.json").read_text())["billing_token"]
    url = f"http://127.0.0.1:{shop.ports['billing-sandbox']}"
    with httpx2.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, trust_env=False) as client:
        yield lambda path, **form: client.post(path, data=form).raise_for_status().json()


@pytest.fixture
def listed(shop, stripe) -> Iterator[tuple[str, str]]:
    """A product that is new in billing, with a price: their ids there; archived at the end."""
    product = stripe("/v1/products", **{"name": "Code review", "metadata[sku]": SKU})["id"]
    price = stripe("/v1/prices", **price_form(product, "4200"))["id"]
    until = time.monotonic() + 60
    while not ((known := catalogue(shop).get(SKU)) and known["active"] and known["prices"]):
        assert time.monotonic() < until
        time.sleep(0.1)
    yield product, price
    stripe(f"/v1/products/{product}", **{"active": "false", "metadata[sku]": f"{SKU}-{uuid.uuid4().hex[:6]}"})


def price_form(product: str, cents: str) -> dict[str, str]:
    recurring = {"recurring[interval]": "month", "metadata[price_reference]": f"{SKU}-EUR-MONTHLY"}
    return {"product": product, "currency": "eur", "unit_amount": cents, **recurring}


def catalogue(shop) -> dict[str, dict[str, Any]]:
    edges = shop.data(CATALOGUE, Cache_Control="no-cache")["products"]["edges"]
    return {edge["node"]["sku"]: edge["node"] for edge in edges}


def fields(record: dict[str, Any] | None) -> dict[str, str | None] | None:
    return None if record is None else {each["name"]: each["value"] for each in record["fields"]}


def copies(shop) -> tuple[dict[str, str | None] | None, dict[str, str | None] | None]:
    """What the CRM and the ERP say of the new product."""
    found = catalogue(shop)[SKU]
    return fields(found["crmRecord"]), fields(found["erpRecord"])


async def ended(shop, workflow: str) -> dict[str, Any]:
    def look() -> Any:
        found = shop.data(WORKFLOW, {"id": workflow})["workflow"]
        return None if found["status"] in ("RUNNING", "COMPENSATING") else found

    return await shop.eventually(look, within_s=120)


def is_heard(shop) -> bool:
    """Whether billing's copy has both changes; between them there are two prices, which is refused."""
    planned = (shop.ask(DISTRIBUTE, {"input": {"sku": SKU}, "dryRun": True})["data"] or {}).get("distributeProduct")
    return bool(planned) and [len(each["changes"]) for each in planned["plan"]] == [2, 2]


def code(answer: dict[str, Any]) -> str:
    return answer["errors"][0]["extensions"]["code"]


def drifts(shop, **wanted: Any) -> list[dict[str, Any]]:
    found = shop.data(DRIFTS, {"filter": {"kinds": ["PRODUCT"], **wanted}})["drifts"]["edges"]
    return [edge["node"] for edge in found]


def test_catalogues_agree_as_the_systems_were_filled(shop):
    run = shop.data(RUN, {"input": {"kinds": ["PRODUCT"]}})["runReconciliation"]["run"]
    assert run == {"status": "COMPLETED", "total": 9, "compared": 9, "differing": 0, "product": None}
    known = catalogue(shop)["CORE-SEAT"]
    prices = {"name": "Core seat", "price.EUR": "24"}
    assert (fields(known["crmRecord"]), fields(known["erpRecord"])) == (
        {**prices, "price.GBP": "20.88", "price.USD": "26.4"},
        prices,
    )


async def test_a_new_product_reaches_every_catalogue_once_and_is_taken_back(shop, listed):
    everything = {"name": "Code review", "price.EUR": "42"}
    planned = shop.data(DISTRIBUTE, {"input": NEW, "dryRun": True})["distributeProduct"]
    changes = [{"field": name, "from": None, "to": value} for name, value in everything.items()]
    assert (planned["workflow"], planned["product"], planned["plan"]) == (
        None,
        None,
        [
            {"step": "product in the ERP", "system": "erp", "action": "putErpProduct", "changes": changes},
            {"step": "product in the CRM", "system": "crm", "action": "putCrmProduct", "changes": changes},
        ],
    )
    assert copies(shop) == (None, None)
    once = {"Idempotency_Key": uuid.uuid4().hex}
    first = shop.ask(DISTRIBUTE, {"input": NEW}, **once)["data"]["distributeProduct"]["workflow"]
    assert (await ended(shop, first["id"]))["status"] == "COMPLETED"
    done = shop.data(DISTRIBUTE, {"input": NEW}, **once)["distributeProduct"]
    assert (done["workflow"]["id"], done["workflow"]["kind"]) == (first["id"], "product-distribution")
    assert done["workflow"]["steps"] == [
        {"name": "check", "system": "billing", "status": "DONE"},
        {"name": "product in the ERP", "system": "erp", "status": "DONE"},
        {"name": "product in the CRM", "system": "crm", "status": "DONE"},
    ]
    assert {key: done["product"][key] for key in ("sku", "name", "revenueRule", "taxCode", "isKeptInCrm")} == {
        "sku": SKU, "name": "Code review", "revenueRule": "RATABLE_MONTHLY", "taxCode": "SAAS", "isKeptInCrm": True,
    }  # fmt: skip
    assert copies(shop) == ({**everything, "price.GBP": None, "price.USD": None}, everything)
    assert shop.data(DISTRIBUTE, {"input": {"sku": SKU}, "dryRun": True})["distributeProduct"]["plan"] == []
    other = shop.post(DISTRIBUTE, {"input": {**NEW, "taxCode": "SERVICE"}}, **once)
    assert (other.status_code, code(other.json())) == (422, "IDEMPOTENCY_KEY_REUSED")
    shop.data(COMPENSATE, {"id": first["id"]})
    assert (await ended(shop, first["id"]))["status"] == "COMPENSATED"
    assert copies(shop) == (None, None)
    # What was taken out of use does not stand in its way.
    again = shop.ask(DISTRIBUTE, {"input": NEW}, Idempotency_Key=uuid.uuid4().hex)["data"]["distributeProduct"]
    assert (await ended(shop, again["workflow"]["id"]))["status"] == "COMPLETED"
    assert copies(shop)[1] == everything
    shop.data(COMPENSATE, {"id": again["workflow"]["id"]})
    assert (await ended(shop, again["workflow"]["id"]))["status"] == "COMPENSATED"


async def test_a_changed_name_and_price_are_drift_which_the_workflow_mends(shop, stripe, listed):
    product, price = listed
    made = shop.ask(DISTRIBUTE, {"input": NEW}, Idempotency_Key=uuid.uuid4().hex)["data"]["distributeProduct"]
    assert (await ended(shop, made["workflow"]["id"]))["status"] == "COMPLETED"
    stripe("/v1/prices", **price_form(product, "4550"))
    stripe(f"/v1/prices/{price}", active="false")
    stripe(f"/v1/products/{product}", name="Code review, by people")
    await shop.eventually(lambda: is_heard(shop))
    run = shop.data(RUN, {"input": {"sku": SKU}})["runReconciliation"]["run"]
    assert run == {"status": "COMPLETED", "total": 1, "compared": 1, "differing": 4, "product": {"sku": SKU}}
    found = drifts(shop, statuses=["OPEN"], sku=SKU)
    assert drifts(shop, sku="SSO") == []
    shown = shop.run("reconcile", "--sku", SKU)
    assert (shown.returncode, f"{SKU} · price.EUR · OPEN · mended by product-distribution" in shown.stdout) == (0, True)
    about = {
        "kind": "PRODUCT", "owner": "billing", "status": "OPEN", "mendedBy": "product-distribution",
        "product": {"sku": SKU}, "customer": None, "id": "",
    }  # fmt: skip
    name = {
        "field": "name",
        "ownerValue": "Code review, by people",
        "copyValue": "Code review",
        "difference": None,
        "currency": None,
    }
    amount = {"field": "price.EUR", "ownerValue": "45.5", "copyValue": "42", "difference": "-3.5", "currency": "EUR"}
    expected = [{**about, **value, "system": system} for system in ("crm", "erp") for value in (name, amount)]
    assert sorted(({**each, "id": ""} for each in found), key=lambda d: (d["system"], d["field"])) == expected
    begun = shop.data(MEND, {"id": found[0]["id"]})["mendDrift"]["workflow"]
    assert begun["kind"] == "product-distribution"
    assert (await ended(shop, begun["id"]))["status"] == "COMPLETED"
    await shop.eventually(lambda: drifts(shop, statuses=["OPEN"]) == [])
    now = {"name": "Code review, by people", "price.EUR": "45.5"}
    assert copies(shop) == ({**now, "price.GBP": None, "price.USD": None}, now)
    # Taken back: the copies say again what they said before.
    shop.data(COMPENSATE, {"id": begun["id"]})
    assert (await ended(shop, begun["id"]))["status"] == "COMPENSATED"
    assert copies(shop)[1] == {"name": "Code review", "price.EUR": "42"}
    shop.data(COMPENSATE, {"id": made["workflow"]["id"]})
    assert (await ended(shop, made["workflow"]["id"]))["status"] == "COMPENSATED"


async def test_a_catalogue_that_refuses_leaves_the_other_as_it_was(shop, stripe, listed):
    made = shop.ask(DISTRIBUTE, {"input": NEW}, Idempotency_Key=uuid.uuid4().hex)["data"]["distributeProduct"]
    assert (await ended(shop, made["workflow"]["id"]))["status"] == "COMPLETED"
    before = copies(shop)
    stripe(f"/v1/products/{listed[0]}", name="Code review, by machines")
    dry = {"input": {"sku": SKU}, "dryRun": True}
    await shop.eventually(lambda: len(shop.data(DISTRIBUTE, dry)["distributeProduct"]["plan"]) == 2)
    shop.set_faults("crm", errorRate=1, errorStatus=400, paths=r"^/crm/v3/objects/products/\d+$")
    try:
        answer = shop.ask(DISTRIBUTE, {"input": {"sku": SKU}}, Idempotency_Key=uuid.uuid4().hex)
        begun = answer["data"]["distributeProduct"]
        found = await ended(shop, begun["workflow"]["id"])
    finally:
        shop.set_faults("crm")
    assert (found["status"], found["error"]) == ("COMPENSATED", {"code": "SYSTEM_REJECTED", "system": "crm"})
    assert [each["status"] for each in found["steps"]] == ["DONE", "COMPENSATED", "COMPENSATED"]
    assert (code(answer), begun["product"]) in (("SAGA_COMPENSATED", None), ("SAGA_IN_PROGRESS", None))
    assert copies(shop) == before
    shop.data(COMPENSATE, {"id": made["workflow"]["id"]})
    assert (await ended(shop, made["workflow"]["id"]))["status"] == "COMPENSATED"


async def test_what_nobody_sells_or_nobody_can_book_is_refused_before_anything_is_written(shop, listed):
    for given, expected in (({"sku": "NO-SUCH-SKU"}, "NOT_FOUND"), ({"sku": SKU}, "BAD_USER_INPUT")):
        assert code(shop.ask(DISTRIBUTE, {"input": given, "dryRun": True})) == expected
        begun = shop.ask(DISTRIBUTE, {"input": given})["data"]["distributeProduct"]["workflow"]
        found = await ended(shop, begun["id"])
        assert (found["status"], found["error"]["code"]) == ("COMPENSATED", expected)
    for wrong in ({"sku": " "}, {"sku": "x" * 101}, {"sku": SKU, "taxCode": ""}):
        assert code(shop.ask(DISTRIBUTE, {"input": wrong})) == "BAD_USER_INPUT"
    unknown = shop.ask(DISTRIBUTE, {"input": {**NEW, "revenueRule": "BY_THE_MOON"}})["data"]["distributeProduct"]
    found = await ended(shop, unknown["workflow"]["id"])
    assert (found["status"], found["error"]) == ("COMPENSATED", {"code": "BAD_USER_INPUT", "system": "erp"})
    assert copies(shop) == (None, None)
