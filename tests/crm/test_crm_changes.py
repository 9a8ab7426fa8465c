"""Changes on their way: mutations into HubSpot, webhooks out of it, identity told, events in the log."""

import asyncio
import base64
import hashlib
import hmac
import sqlite3
import time
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from crm_world import SECRET, TOKEN, WEBHOOK_SECRET, World, crm_settings, running_world, sandbox_settings
from served_process import serve_module

from gateway.access.caller import Caller
from gateway.access.identity import CallerSigner
from subgraphs.kit.company.model import Company, Source
from subgraphs.kit.global_id import encode_global_id

UPDATE = """mutation($input: UpdateCustomerProfileInput!) {
    updateCustomerProfile(input: $input) { customer { crmRef name segment version owner { id } } clientMutationId } }"""
RENEW = """mutation($input: SetRenewalStageInput!) {
    setRenewalStage(input: $input) { contract { number renewalStage renewalRisk renewalVersion } } }"""
DEAL = """mutation($input: UpdateOpportunityInput!) {
    updateOpportunity(input: $input) { opportunity { id name stage amount { amount } version } } }"""


async def customer_of(world: World, name: str) -> str:
    """The canonical id of the customer called so."""
    query = "query($f: CustomerFilter) { customers(filter: $f) { edges { node { id } } } }"
    answer = await world.http.post(
        f"{world.identity.url}/graphql", json={"query": query, "variables": {"f": {"nameContains": name}}}
    )
    edges = answer.json()["data"]["customers"]["edges"]
    return str(edges[0]["node"]["id"]) if edges else ""


async def crm_customer(world: World, crm_id: str) -> dict[str, Any]:
    query = (
        "query($of: [_Any!]!) { _entities(representations: $of) { ... on Customer { crmRef name segment version } } }"
    )
    answer = await world.ask(query, {"of": [{"__typename": "Customer", "crmRef": crm_id}]})
    return dict(answer["data"]["_entities"][0])


def active(company: Company, place: int) -> tuple[str, Any]:
    """A customer's company id and facts; each test takes its own."""
    known = [row for row in company.customers if Source.CRM not in row.missing_in]
    chosen = [(str(9_100_001 + at), row) for at, row in enumerate(known) if not row.names and row.status == "ACTIVE"]
    return chosen[place]


def deals_with_contract(company: Company) -> list[tuple[str, Any]]:
    rows = enumerate(company.opportunities, 50_001)
    return [(str(number), row) for number, row in rows if row.contract and row.kind == "NEW_BUSINESS"]


async def test_identity_finds_customers_by_what_the_crm_told_it(world: World, company: Company) -> None:
    known = [row for row in company.customers if Source.CRM not in row.missing_in]
    owner = encode_global_id("AccountOwner", str(701 + int(known[0].owner.removeprefix("OWN-")) - 1))
    query = "query($f: CustomerFilter) { customers(filter: $f) { totalCount } }"

    async def count(**condition: str) -> int:
        body = {"query": query, "variables": {"f": condition}}
        answer = (await world.http.post(f"{world.identity.url}/graphql", json=body)).json()
        return int(answer["data"]["customers"]["totalCount"])

    assert await count(ownerId=owner) == sum(row.owner == known[0].owner for row in known)
    assert await count(status="CHURNED") == sum(row.status == "CHURNED" for row in known)
    assert await count(segment="SMB", status="ACTIVE") == sum(
        (row.segment, row.status) == ("SMB", "ACTIVE") for row in known
    )


async def test_a_profile_update_reaches_hubspot_identity_and_the_event_log_once(world: World, company: Company) -> None:
    crm_id, row = active(company, 0)
    customer = await customer_of(world, row.name)
    before = await crm_customer(world, crm_id)
    update = {"customerId": customer, "version": before["version"], "name": "Renamed Works", "clientMutationId": "m1"}
    first = await world.ask(UPDATE, {"input": update}, Idempotency_Key="k1:updateCustomerProfile")
    again = await world.ask(UPDATE, {"input": update}, Idempotency_Key="k1:updateCustomerProfile")
    assert "errors" not in first
    assert first["data"] == again["data"]
    after = first["data"]["updateCustomerProfile"]["customer"]
    assert (after["name"], after["segment"], after["crmRef"]) == ("Renamed Works", row.segment, crm_id)
    assert int(after["version"]) > int(before["version"])
    assert first["data"]["updateCustomerProfile"]["clientMutationId"] == "m1"
    held = await world.hubspot("GET", f"/crm/v3/objects/companies/{crm_id}?properties=name")
    assert held["properties"]["name"] == "Renamed Works"

    assert await world.eventually(lambda: customer_of(world, "Renamed Works")) == customer
    (event,) = await world.eventually(lambda: world.told("customer.updated", subject=customer))
    assert [(change.field, change.before, change.after) for change in event.changes] == [
        ("name", row.name, "Renamed Works")
    ]
    assert (event.source, event.version, dict(event.keys)) == ("concord/crm", after["version"], {"customer": customer})


async def test_a_customer_of_two_records_is_changed_in_the_one_that_was_read(world: World, company: Company) -> None:
    (first_id, first), (second_id, second) = active(company, 10), active(company, 11)
    kept, merged = await customer_of(world, first.name), await customer_of(world, second.name)
    read = "query($i: ID!) { customer(id: $i) { identityVersion } }"
    merge = "mutation($input: MergeCustomersInput!) { mergeCustomers(input: $input) { customer { crmRef } } }"

    async def identity(query: str, variables: dict[str, Any]) -> Any:
        body = {"query": query, "variables": variables}
        return (await world.http.post(f"{world.identity.url}/graphql", json=body)).json()["data"]

    version = (await identity(read, {"i": kept}))["customer"]["identityVersion"]
    decision = {"customerId": kept, "version": version, "duplicateIds": [merged]}
    ref = (await identity(merge, {"input": decision}))["mergeCustomers"]["customer"]["crmRef"]
    assert sorted(ref.split("+")) == sorted([first_id, second_id])
    shown = await crm_customer(world, ref)
    update = {"customerId": kept, "version": shown["version"], "name": f"{shown['name']} United"}
    assert "errors" not in await world.ask(UPDATE, {"input": update})
    assert (await crm_customer(world, ref))["name"] == update["name"]
    other = next(crm_id for crm_id in (first_id, second_id) if crm_id != ref.split("+")[0])
    update |= {"version": (await crm_customer(world, other))["version"], "name": f"{second.name} Divided"}
    async with world.fault(mode="truncate", paths=r"/companies/\d+$"):
        lost = await world.ask(UPDATE, {"input": update}, Idempotency_Key="k-two")
    assert lost["errors"][0]["extensions"]["outcome"] == "UNKNOWN"
    assert "errors" not in await world.ask(UPDATE, {"input": update}, Idempotency_Key="k-two")
    assert (await crm_customer(world, other))["name"] == update["name"]
    gone = await world.ask(UPDATE, {"input": {**update, "customerId": merged}})
    assert gone["errors"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_a_stale_version_is_a_conflict_and_changes_nothing(world: World, company: Company) -> None:
    crm_id, row = active(company, 1)
    update = {"customerId": await customer_of(world, row.name), "version": "1", "name": "Never"}
    version = (await crm_customer(world, crm_id))["version"]
    answer = await world.ask(UPDATE, {"input": update})
    assert answer["errors"][0]["extensions"] == {
        "code": "CONFLICT",
        "retryable": False,
        "system": "crm",
        "outcome": "NOT_APPLIED",
        "current": {"name": row.name, "version": version},
    }
    assert (await crm_customer(world, crm_id))["name"] == row.name


async def test_one_key_for_two_writes_is_refused(world: World, company: Company) -> None:
    crm_id, row = active(company, 2)
    version = (await crm_customer(world, crm_id))["version"]
    update = {"customerId": await customer_of(world, row.name), "version": version, "industry": "RETAIL"}
    await world.ask(UPDATE, {"input": update}, Idempotency_Key="k2")
    other = await world.ask(UPDATE, {"input": {**update, "industry": "TRAVEL"}}, Idempotency_Key="k2")
    assert other["errors"][0]["extensions"]["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_arguments_that_hubspot_would_refuse_are_refused_at_the_field(world: World, company: Company) -> None:
    crm_id, row = active(company, 3)
    customer = await customer_of(world, row.name)
    version = (await crm_customer(world, crm_id))["version"]

    async def refused(**update: object) -> tuple[str, str]:
        answer = await world.ask(UPDATE, {"input": {"customerId": customer, "version": version, **update}})
        details = answer["errors"][0]["extensions"]
        return details["code"], details.get("outcome", "NOT_APPLIED")

    assert await refused(name=" ") == ("BAD_USER_INPUT", "NOT_APPLIED")
    assert await refused() == ("BAD_USER_INPUT", "NOT_APPLIED")
    assert await refused(segment="HUGE") == ("BAD_USER_INPUT", "NOT_APPLIED")
    assert await refused(name="x", ownerId=encode_global_id("AccountOwner", "1")) == ("BAD_USER_INPUT", "NOT_APPLIED")
    assert await refused(name="x", customerId=encode_global_id("Opportunity", "1")) == ("BAD_USER_INPUT", "NOT_APPLIED")
    assert await refused(name="x", customerId=encode_global_id("Customer", "zork")) == ("NOT_FOUND", "NOT_APPLIED")
    async with world.fault(errorRate=1.0, errorStatus=400, paths=r"companies/\d+$"):
        assert await refused(name="x") == ("SYSTEM_REJECTED", "NOT_APPLIED")


async def test_an_amount_with_parts_of_a_cent_is_refused_instead_of_rounded(world: World, company: Company) -> None:
    deal_id, _ = deals_with_contract(company)[1]
    opportunity = encode_global_id("Opportunity", deal_id)
    read = "query($i: ID!) { opportunity(id: $i) { version } }"
    version = (await world.ask(read, {"i": opportunity}))["data"]["opportunity"]["version"]
    for amount in ("1234.567", "-1"):
        update = {"id": opportunity, "version": version, "amount": amount}
        error = (await world.ask(DEAL, {"input": update}))["errors"][0]
        assert error["message"] == "`amount` is not negative and has at most two decimals."
        assert (error["extensions"]["code"], error["extensions"]["outcome"]) == ("BAD_USER_INPUT", "NOT_APPLIED")


async def test_a_write_whose_answer_was_lost_is_not_done_twice(world: World, company: Company) -> None:
    """The reply is cut after HubSpot has written: the outcome is unknown; the retry with the same key looks first."""
    deal_id, _ = deals_with_contract(company)[1]
    opportunity = encode_global_id("Opportunity", deal_id)
    version = (await world.ask("query($i: ID!) { opportunity(id: $i) { version } }", {"i": opportunity}))["data"][
        "opportunity"
    ]["version"]
    update = {"input": {"id": opportunity, "version": version, "amount": "777.70"}}
    async with world.fault(mode="truncate", paths=r"deals/\d+$"):
        lost = await world.ask(DEAL, update, Idempotency_Key="k3")
    assert lost["errors"][0]["extensions"] == {
        "code": "SYSTEM_UNAVAILABLE",
        "retryable": True,
        "system": "crm",
        "outcome": "UNKNOWN",
    }
    await world.forget_requests()
    done = await world.ask(DEAL, update, Idempotency_Key="k3")
    assert done["data"]["updateOpportunity"]["opportunity"]["amount"] == {"amount": "777.70"}
    assert not [route for route in await world.vendor_requests() if route.startswith("PATCH")]


async def test_a_repetition_in_doubt_that_may_not_look_stays_in_doubt(world: World, company: Company) -> None:
    """The first try was applied and its reply cut; the CRM then limits whatever is read before it would be sent again."""
    crm_id, row = active(company, 12)
    (deal_id, sold), owner = deals_with_contract(company)[5], encode_global_id("AccountOwner", "701")
    opportunity = encode_global_id("Opportunity", deal_id)
    version = (await world.ask("query($i: ID!) { opportunity(id: $i) { version } }", {"i": opportunity}))["data"]
    stages = "query($r: [_Any!]!) { _entities(representations: $r) { ... on Contract { renewalStage } } }"
    held = await world.ask(stages, {"r": [{"__typename": "Contract", "number": sold.contract}]})
    stage = "QUOTED" if held["data"]["_entities"][0]["renewalStage"] != "QUOTED" else "IN_REVIEW"
    profile = {
        "customerId": await customer_of(world, row.name), "version": (await crm_customer(world, crm_id))["version"],
        "name": f"{row.name} in Doubt", "ownerId": owner,
    }  # fmt: skip
    writes = [
        (UPDATE, profile, ["customer", "name"], profile["name"], r"/companies"),
        (DEAL, {"id": opportunity, "version": version["opportunity"]["version"], "name": "In doubt", "ownerId": owner}, ["opportunity", "name"], "In doubt", r"/deals"),
        (RENEW, {"contractNumber": sold.contract, "stage": stage}, ["contract", "renewalStage"], stage, r"/deals"),
    ]  # fmt: skip
    reads = "(batch/read|search|owners.*)$"
    for document, update, path, wanted, kind in writes:
        key = f"doubt-{path[0]}"
        async with world.fault(mode="truncate", paths=rf"{kind}/\d+$"):
            lost = await world.ask(document, {"input": update}, Idempotency_Key=key)
        assert lost["errors"][0]["extensions"]["outcome"] == "UNKNOWN", lost
        async with world.fault(errorRate=1.0, errorStatus=429, paths=reads):
            limited = await world.ask(document, {"input": update}, Idempotency_Key=key)
        told = limited["errors"][0]["extensions"]
        assert (told["code"], told["outcome"]) == ("SYSTEM_RATE_LIMITED", "UNKNOWN"), limited
        await world.forget_requests()
        found = (await world.ask(document, {"input": update}, Idempotency_Key=key))["data"]
        for name in (next(iter(found)), *path):
            found = found[name]
        assert found == wanted
        assert not [route for route in await world.vendor_requests() if route.startswith("PATCH")]
        # What was answered once is answered again, whatever may not be read before it: it was applied.
        async with world.fault(errorRate=1.0, errorStatus=429, paths=reads):
            known = await world.ask(document, {"input": update}, Idempotency_Key=key)
        outcomes = {error["extensions"].get("outcome", "APPLIED") for error in known.get("errors", [])}
        assert outcomes <= {"APPLIED"}, known


async def test_a_renewal_is_followed_stage_by_stage(world: World, company: Company) -> None:
    deal_id, row = deals_with_contract(company)[2]
    subject = encode_global_id("Contract", row.contract)
    step = {"contractNumber": row.contract, "stage": "QUOTED", "risk": "HIGH"}
    if (
        row.contract
        and (stage := next(c.renewal_stage for c in company.contracts if c.number == row.contract)) == "QUOTED"
    ):
        step["stage"] = "IN_REVIEW"
    quoted = (await world.ask(RENEW, {"input": step}))["data"]["setRenewalStage"]["contract"]
    assert (quoted["renewalStage"], quoted["renewalRisk"]) == (step["stage"], "HIGH")
    await world.eventually(lambda: world.told("renewal.stage_changed", subject=subject))
    won = {"contractNumber": row.contract, "stage": "RENEWED", "version": quoted["renewalVersion"]}
    assert "errors" not in await world.ask(RENEW, {"input": won})
    stale = await world.ask(RENEW, {"input": {**won, "stage": "LOST"}})
    assert stale["errors"][0]["extensions"]["code"] == "CONFLICT"
    (completed,) = await world.eventually(lambda: world.told("renewal.completed", subject=subject))
    other = deals_with_contract(company)[4][1].contract
    assert "errors" not in await world.ask(RENEW, {"input": {"contractNumber": other, "stage": "LOST"}})
    (lost,) = await world.eventually(lambda: world.told("renewal.lost", subject=encode_global_id("Contract", other)))
    assert [change.after for change in lost.changes] == ["LOST"]
    changes = [
        (change.field, change.before, change.after)
        for event in await world.told("renewal.stage_changed", subject=subject)
        for change in event.changes
        if change.field == "renewalStage"
    ]
    assert changes == [("renewalStage", stage, step["stage"]), ("renewalStage", step["stage"], "RENEWED")]
    name = next(c.name_in(Source.CRM) for c in company.customers if c.reference == row.customer)
    assert dict(completed.keys) == {
        "customer": await customer_of(world, name),
        "contract": row.contract,
        "opportunity": encode_global_id("Opportunity", deal_id),
    }
    unknown = await world.ask(RENEW, {"input": {"contractNumber": "CON-1999-0001", "stage": "LOST"}})
    assert unknown["errors"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_what_a_person_does_in_hubspot_arrives_as_events(world: World, company: Company) -> None:
    crm_id, row = active(company, 4)
    made = await world.hubspot(
        "POST",
        "/crm/v3/objects/deals",
        {
            "properties": {
                "dealname": "By hand",
                "dealstage": "contractsent",
                "amount": "10",
                "deal_currency_code": "EUR",
            },
            "associations": [{"to": {"id": crm_id}, "types": [{"associationTypeId": 341}]}],
        },
    )
    subject = encode_global_id("Opportunity", made["id"])
    await asyncio.sleep(0.3)
    await world.hubspot("PATCH", f"/crm/v3/objects/deals/{made['id']}", {"properties": {"dealstage": "closedwon"}})
    (won,) = await world.eventually(lambda: world.told("opportunity.won", subject=subject))
    (moved,) = await world.told("opportunity.stage_changed", subject=subject)
    assert [(c.field, c.before, c.after) for c in moved.changes] == [("stage", "NEGOTIATION", "WON")]
    assert dict(won.keys) == {"opportunity": subject, "customer": await customer_of(world, row.name)}

    company_made = await world.hubspot(
        "POST", "/crm/v3/objects/companies", {"properties": {"name": "Brand New", "domain": "brand-new.example"}}
    )
    customer = await world.eventually(lambda: customer_of(world, "Brand New"))
    created = await world.eventually(lambda: world.told("customer.created", subject=customer))
    assert [event.source for event in created] == ["concord/identity"]
    updated = await world.eventually(lambda: world.told("customer.updated", subject=customer))
    assert ("name", None, "Brand New") in {(c.field, c.before, c.after) for event in updated for c in event.changes}
    assert (await crm_customer(world, company_made["id"]))["name"] == "Brand New"


IDENTITIES = "query($i: ID!) { customer(id: $i) { identities { system externalId } history { kind } } }"


async def known(world: World, customer: str) -> Any:
    body = {"query": IDENTITIES, "variables": {"i": customer}}
    return (await world.http.post(f"{world.identity.url}/graphql", json=body)).json()["data"]["customer"]


async def test_a_company_that_is_deleted_is_no_record_of_its_customer_any_more(world: World) -> None:
    made = await world.hubspot(
        "POST", "/crm/v3/objects/companies", {"properties": {"name": "Short Lived", "domain": "short-lived.example"}}
    )
    customer = await world.eventually(lambda: customer_of(world, "Short Lived"))
    assert (await known(world, customer))["identities"] == [{"system": "crm", "externalId": made["id"]}]
    await world.http.delete(
        f"{world.sandbox.url}/crm/v3/objects/companies/{made['id']}", headers={"authorization": f"Bearer {TOKEN}"}
    )

    async def is_gone() -> bool:
        return await known(world, customer) is None and not await customer_of(world, "Short Lived")

    await world.eventually(is_gone, 30)
    told = await world.eventually(lambda: world.told("customer.updated", subject=customer))
    assert (told[-1].changes[0].field, told[-1].changes[0].before) == ("identities", f"crm:{made['id']}")


async def test_a_company_whose_deletion_no_webhook_told_of_is_missed_by_the_next_full_reading(
    tmp_path: Path, company: Company
) -> None:
    crm_id, row = active(company, 6)
    deaf = {"CONCORD_CRM_WEBHOOK_SECRET": "another", "CONCORD_CRM_SYNCHRONISE_INTERVAL_S": 1}
    async with running_world(tmp_path, **deaf) as world:
        customer = await customer_of(world, row.name)
        count = "{ customers { totalCount } }"

        async def total() -> int:
            answer = await world.http.post(f"{world.identity.url}/graphql", json={"query": count})
            return int(answer.json()["data"]["customers"]["totalCount"])

        before = await total()
        await world.http.delete(
            f"{world.sandbox.url}/crm/v3/objects/companies/{crm_id}", headers={"authorization": f"Bearer {TOKEN}"}
        )

        async def is_gone() -> bool:
            return await known(world, customer) is None

        await world.eventually(is_gone, 30)
        assert await total() == before - 1


async def test_a_company_with_an_endless_name_is_found_by_its_beginning_and_read_in_full(
    world: World, company: Company
) -> None:
    name = "Endless " + "n" * 60_000
    made = await world.hubspot(
        "POST", "/crm/v3/objects/companies", {"properties": {"name": name, "domain": "d" * 600 + ".example"}}
    )
    assert await world.eventually(lambda: customer_of(world, "Endless nnn"))
    assert (await crm_customer(world, made["id"]))["name"] == name


def signed(world: World, body: bytes, *, secret: str = WEBHOOK_SECRET, at: float | None = None) -> dict[str, str]:
    timestamp = str(int((time.time() if at is None else at) * 1000))
    text = f"POST{world.crm.url}/webhooks/hubspot".encode() + body + timestamp.encode()
    digest = base64.b64encode(hmac.new(secret.encode(), text, hashlib.sha256).digest()).decode()
    return {"x-hubspot-signature-v3": digest, "x-hubspot-request-timestamp": timestamp}


EVENT = {"eventId": 900_001, "subscriptionType": "company.propertyChange", "occurredAt": 1, "objectId": 9_100_001}


@pytest.mark.parametrize(
    ("make", "status", "code"),
    [
        (lambda world, body: {}, 401, "SIGNATURE_INVALID"),
        (lambda world, body: signed(world, body, secret="other"), 401, "SIGNATURE_INVALID"),
        (lambda world, body: signed(world, body + b" "), 401, "SIGNATURE_INVALID"),
        (lambda world, body: signed(world, body, at=time.time() - 400), 401, "SIGNATURE_INVALID"),
        (lambda world, body: signed(world, body, at=time.time() + 400), 401, "SIGNATURE_INVALID"),
        (lambda world, body: {**signed(world, body), "x-hubspot-request-timestamp": "x"}, 401, "SIGNATURE_INVALID"),
    ],
)
async def test_a_webhook_that_hubspot_did_not_sign_now_is_refused(
    world: World, make: Any, status: int, code: str
) -> None:
    body = orjson.dumps([EVENT])
    answer = await world.http.post(f"{world.crm.url}/webhooks/hubspot", content=body, headers=make(world, body))
    assert answer.status_code == status
    assert answer.json()["errors"][0]["extensions"] == {"code": code, "system": "crm", "retryable": False}


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"[1]", b'[{"eventId": "x"}]', b"null"])
async def test_a_signed_body_that_is_not_hubspots_is_refused(world: World, body: bytes) -> None:
    answer = await world.http.post(f"{world.crm.url}/webhooks/hubspot", content=body, headers=signed(world, body))
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")


async def test_a_full_reading_brings_nothing_back_that_changed_meanwhile(tmp_path: Path, company: Company) -> None:
    """It read a company as SMB and goes on with a slow list; a webhook tells that the company is ENTERPRISE now."""
    crm_id, row = next(
        (str(9_100_001 + at), row)
        for at, row in enumerate(row for row in company.customers if Source.CRM not in row.missing_in)
        if row.segment == "SMB" and not row.names
    )
    dimensions = {"CONCORD_IDENTITY_DIMENSIONS": '{"business_unit": "segment"}'}
    slow = {"CONCORD_CRM_SYNCHRONISE_INTERVAL_S": 4, "CONCORD_CRM_VENDOR_TIMEOUT_S": 600}
    query = """query($name: String) { customers(filter: { nameContains: $name }) { totalCount }
        smb: customers(filter: { nameContains: $name, segment: [SMB] }) { totalCount }
        enterprise: customers(filter: { nameContains: $name, segment: [ENTERPRISE] }) { totalCount } }"""

    async with running_world(tmp_path, identity=dimensions, **slow) as world:

        async def found(*units: str) -> tuple[int, ...]:
            """Of all, of SMB and of ENTERPRISE, as a caller confined to business units sees it."""
            caller = Caller(subject="ada", filters={"business_unit": units} if units else {})
            headers = dict([CallerSigner(SECRET, "identity")(caller)])
            body = {"query": query, "variables": {"name": row.name}}
            answer = await world.http.post(f"{world.identity.url}/graphql", json=body, headers=headers)
            return tuple(int(each["totalCount"]) for each in answer.json()["data"].values())

        async def readings(kind: str) -> int:
            return (await world.vendor_requests()).get(f"GET /crm/v3/objects/{kind}", 0)

        async def deals_are_read() -> bool:
            return await readings("deals") > 0

        async def is_enterprise() -> bool:
            return await found() == (1, 0, 1)

        assert (await found(), await found("SMB")) == ((1, 1, 0), (1, 1, 0))
        await world.forget_requests()
        async with world.fault(latencyMs=4000, paths="^/crm/v3/objects/deals$"):
            await world.eventually(deals_are_read)
            companies_read = await readings("companies")
            enterprise = {"properties": {"customer_segment": "enterprise"}}
            await world.hubspot("PATCH", f"/crm/v3/objects/companies/{crm_id}", enterprise)
            await world.eventually(is_enterprise)
        while await readings("companies") == companies_read:  # until the reading after the slow one begins
            assert (await found(), await found("SMB")) == ((1, 0, 1), (0, 0, 0))
            await asyncio.sleep(0.05)


async def test_copies_and_late_webhooks_change_nothing(world: World, company: Company) -> None:
    crm_id, row = active(company, 5)
    customer = await customer_of(world, row.name)
    await world.hubspot("PATCH", f"/crm/v3/objects/companies/{crm_id}", {"properties": {"industry": "LAW"}})
    told = await world.eventually(lambda: world.told("customer.updated", subject=customer))
    await world.http.post(f"{world.sandbox.url}/__sandbox/redeliver", json={"last": 1})
    late = orjson.dumps([{**EVENT, "objectId": int(crm_id), "propertyName": "industry", "propertyValue": "OLD"}])
    answers = [
        (await world.http.post(f"{world.crm.url}/webhooks/hubspot", content=late, headers=signed(world, late))).json()
        for _ in range(2)
    ]
    assert answers == [{"accepted": 1, "duplicates": 0}, {"accepted": 0, "duplicates": 1}]
    await asyncio.sleep(0.5)
    assert await world.told("customer.updated", subject=customer) == told


async def test_a_change_that_no_webhook_told_is_told_after_the_next_start(
    world: World, company: Company, tmp_path: Path
) -> None:
    """A portal without webhooks and a subgraph over it that is killed, and started again with its own state."""
    crm_id, row = active(company, 6)
    customer = await customer_of(world, row.name)
    sandbox = await asyncio.to_thread(serve_module, "subgraphs.crm.sandbox", tmp_path, sandbox_settings(tmp_path))
    settings = crm_settings(tmp_path, 0, sandbox.url, world.identity.url, f"{world.log_url}/events")

    async def is_synchronised() -> bool:
        with sqlite3.connect(tmp_path / "crm" / "crm.sqlite") as state:
            return bool(state.execute("select count(*) from told_companies").fetchone()[0])

    try:
        first = await asyncio.to_thread(serve_module, "subgraphs.crm.app", tmp_path, settings)
        await world.eventually(is_synchronised)
        first.kill()
        async with httpx2.AsyncClient(trust_env=False, headers={"authorization": f"Bearer {TOKEN}"}) as hubspot:
            change = {"properties": {"industry": "MINING"}}
            await hubspot.patch(f"{sandbox.url}/crm/v3/objects/companies/{crm_id}", json=change)
        assert not await world.told("customer.updated", subject=customer)
        second = await asyncio.to_thread(serve_module, "subgraphs.crm.app", tmp_path, settings)
        (event,) = await world.eventually(lambda: world.told("customer.updated", subject=customer))
        second.stop()
    finally:
        sandbox.stop()
    assert [(c.field, c.before, c.after) for c in event.changes] == [("industry", row.industry, "MINING")]
