"""An acquisition's CRM beside one's own, by configuration: HubSpot and Salesforce behind one graph."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from crm_world import CUSTOMERS, SECRET, TOKEN, World, running_world, sandbox_settings
from served_process import ServedProcess, serve_module
from test_crm_changes import DEAL, UPDATE

from gateway.access.caller import Caller
from gateway.access.identity import CallerSigner
from subgraphs.crm.sandbox.salesforce.org import record_id
from subgraphs.crm.vendors import hubspot_mapping, salesforce_org
from subgraphs.kit.company.model import Company, Source
from subgraphs.kit.global_id import encode_global_id

ACQUIRED = 6
ENTITIES = """query($of: [_Any!]!) { _entities(representations: $of) { ... on Customer { crmRef name owner { name }
    crmRecord { system vendor externalId } opportunities { totalCount edges { node { id name owner { name } customer { crmRef } } } }
    contacts { totalCount } version } } }"""


class Joined:
    """HubSpot as one's own, and a Salesforce of a company that was bought; its data lives in the US."""

    def __init__(self, world: World, acquired: ServedProcess) -> None:
        self.world = world
        self.acquired = acquired

    async def salesforce(self, method: str, path: str, body: object = None) -> Any:
        http = self.world.http
        form = {"grant_type": "client_credentials", "client_id": "concord", "client_secret": TOKEN}
        session = (await http.post(f"{self.acquired.url}{salesforce_org.TOKEN_PATH}", data=form)).json()
        headers = {"authorization": f"Bearer {session['access_token']}"}
        url = f"{self.acquired.url}{salesforce_org.API}{path}"
        answer = await http.request(method, url, json=body, headers=headers)
        return answer.json() if answer.content else None

    async def identity(self, query: str, variables: dict[str, Any] | None = None, **headers: str) -> Any:
        body = {"query": query, "variables": variables or {}}
        answer = (await self.world.http.post(f"{self.world.identity.url}/graphql", json=body, headers=headers)).json()
        assert "errors" not in answer, answer
        return answer["data"]

    async def customer_with(self, external_id: str) -> Any:
        """The customer that a record of the acquired CRM belongs to, or None."""
        query = (
            "{ customers(first: 100) { edges { node { id crmRef identities { system externalId linkedBy name } } } } }"
        )
        for edge in (await self.identity(query))["customers"]["edges"]:
            if ("crm/acme", external_id) in {
                (each["system"], each["externalId"]) for each in edge["node"]["identities"]
            }:
                return edge["node"]
        return None


def caller(subgraph: str, *regions: str) -> dict[str, str]:
    name, value = CallerSigner(SECRET, subgraph)(Caller(subject="ada", filters={"region": regions}))
    return {name: value}


@pytest.fixture(scope="module")
async def joined(tmp_path_factory: pytest.TempPathFactory, company: Company) -> AsyncIterator[Joined]:
    folder = tmp_path_factory.mktemp("joined")
    settings = {**sandbox_settings(folder / "acquired", vendor="salesforce"), "CONCORD_CRM_SANDBOX_CUSTOMERS": ACQUIRED}
    acquired = await asyncio.to_thread(serve_module, "subgraphs.crm.sandbox", folder / "acquired", settings)
    instance = {"name": "acme", "vendor": "salesforce", "url": acquired.url, "token": TOKEN, "region": "US"}
    further = json.dumps([instance])
    try:
        async with running_world(
            folder,
            CONCORD_CRM_INSTANCES=further,
            CONCORD_CRM_REGION="EU",
            CONCORD_CRM_POLL_INTERVAL_S=0.2,
            identity={"CONCORD_IDENTITY_REGIONS": json.dumps({"crm": "EU", "crm/acme": "US"})},
        ) as world:
            found = Joined(world, acquired)
            await world.eventually(lambda: found.customer_with(record_id("001", 1)), within_s=30)
            yield found
    finally:
        await asyncio.to_thread(acquired.stop)


async def test_a_customer_of_both_companies_is_one_and_its_records_stay_apart(joined: Joined, company: Company) -> None:
    first = next(row for row in company.customers if Source.CRM not in row.missing_in)
    assert first.reference == "CUST-0001"
    customer = await joined.customer_with(record_id("001", 1))
    assert {(each["system"], each["externalId"]) for each in customer["identities"]} == {
        ("crm", "9100001"),
        ("crm/acme", record_id("001", 1)),
    }
    # Both are told at once: whichever is first has founded the customer that the other's reference names.
    assert [each["linkedBy"] for each in customer["identities"]] == ["FOUNDING", "REFERENCE"]
    assert customer["crmRef"] == f"9100001+acme:{record_id('001', 1)}"
    answer = await joined.world.ask(ENTITIES, {"of": [{"__typename": "Customer", "crmRef": customer["crmRef"]}]})
    assert "errors" not in answer
    (found,) = answer["data"]["_entities"]
    assert found["crmRecord"] == {"system": "crm", "vendor": "hubspot", "externalId": "9100001"}
    edges = found["opportunities"]["edges"]
    assert {edge["node"]["customer"]["crmRef"] for edge in edges} == {"9100001", f"acme:{record_id('001', 1)}"}
    assert all(edge["node"]["owner"]["name"] for edge in edges)
    requests = answer["extensions"]["concord"]["vendorRequests"]
    assert set(requests) == {"hubspot", "salesforce"}
    assert sum(requests.values()) <= 16


async def test_both_hierarchies_stand_side_by_side_and_only_ones_own_region_is_shown(joined: Joined) -> None:
    query = """{ customers(first: 100) { edges { node { hierarchies {
      system externalId parentExternalId parent { identities { system externalId } } difference } } } } }"""
    child, parent = record_id("001", 3), record_id("001", 1)
    await joined.salesforce("PATCH", f"/sobjects/Account/{child}", {"ParentId": parent})

    async def beside(**headers: str) -> Any:
        for edge in (await joined.identity(query, **headers))["customers"]["edges"]:
            found = {each["externalId"]: each for each in edge["node"]["hierarchies"]}
            if "9100003" in found and (headers or found.get(child, {}).get("parentExternalId")):
                return found
        return None

    both = await joined.world.eventually(beside, within_s=30)
    assert set(both) == {"9100003", child}
    assert (both["9100003"]["system"], both["9100003"]["difference"]) == ("crm", None)
    bought = both[child]
    assert (bought["system"], bought["parentExternalId"], bought["difference"]) == ("crm/acme", parent, "EXTRA")
    assert {(each["system"], each["externalId"]) for each in bought["parent"]["identities"]} == {
        ("crm", "9100001"),
        ("crm/acme", parent),
    }
    assert set(await beside(**caller("identity", "EU"))) == {"9100003"}


async def test_what_rules_can_place_is_linked_and_what_they_cannot_waits_for_a_person(
    joined: Joined, company: Company
) -> None:
    rows = [row for row in company.customers if Source.CRM not in row.missing_in]
    by_domain = await joined.salesforce(
        "POST", "/sobjects/Account", {"Name": "Some Other Name", "Website": f"https://{rows[40].domain}/shop"}
    )
    new = await joined.salesforce("POST", "/sobjects/Account", {"Name": "Quuxly Zeppelin Tours"})
    alike = await joined.salesforce("POST", "/sobjects/Account", {"Name": rows[41].name[:-2]})
    linked = await joined.world.eventually(lambda: joined.customer_with(by_domain["id"]), within_s=20)
    assert [each["linkedBy"] for each in linked["identities"]] == ["FOUNDING", "DOMAIN"]
    fresh = await joined.world.eventually(lambda: joined.customer_with(new["id"]), within_s=20)
    assert fresh["crmRef"] == f"acme:{new['id']}"
    query = "{ unmatchedRecords(first: 50) { edges { node { system externalId reason candidates { score } } } } }"

    async def waiting() -> Any:
        edges = (await joined.identity(query))["unmatchedRecords"]["edges"]
        return next((e["node"] for e in edges if e["node"]["externalId"] == alike["id"]), None)

    held = await joined.world.eventually(waiting, within_s=20)
    assert (held["system"], held["reason"]) == ("crm/acme", "NEEDS_REVIEW")
    assert 0.8 <= held["candidates"][0]["score"] < 1


async def test_a_write_goes_to_the_crm_that_has_the_record(joined: Joined) -> None:
    account, deal = record_id("001", 3), record_id("006", 1)
    customer = await joined.customer_with(account)
    read = {"of": [{"__typename": "Customer", "crmRef": f"acme:{account}"}]}
    before = (await joined.world.ask(ENTITIES, read))["data"]["_entities"][0]
    update = {"customerId": customer["id"], "version": before["version"], "name": "Renamed in America"}
    changed = await joined.world.ask(UPDATE, {"input": update})
    assert "errors" not in changed
    held = await joined.salesforce("GET", f"/sobjects/Account/{account}?fields=Name")
    assert held["Name"] == "Renamed in America"
    opportunity = encode_global_id("Opportunity", f"acme:{deal}")
    version = await joined.world.ask("query($i: ID!) { opportunity(id: $i) { version } }", {"i": opportunity})
    sold = {"id": opportunity, "version": version["data"]["opportunity"]["version"], "amount": "12.34"}
    assert "errors" not in await joined.world.ask(DEAL, {"input": sold})
    assert (await joined.salesforce("GET", f"/sobjects/Opportunity/{deal}?fields=Amount"))["Amount"] == 12.34
    ours = {**sold, "version": "any", "ownerId": encode_global_id("AccountOwner", "701")}
    refused = await joined.world.ask(DEAL, {"input": ours})
    assert refused["errors"][0]["extensions"]["outcome"] == "NOT_APPLIED"

    async def told() -> bool:
        events = await joined.world.told("customer.updated", subject=customer["id"])
        return ("name", before["name"], "Renamed in America") in {
            (change.field, change.before, change.after) for event in events for change in event.changes
        }

    await joined.world.eventually(told)


async def test_deals_of_both_are_one_list_in_one_order(joined: Joined, company: Company) -> None:
    query = """query($n: Int!, $a: String) { opportunities(first: $n, after: $a, orderBy: {field: AMOUNT, direction: DESC}) {
        totalCount pageInfo { endCursor hasNextPage } edges { node { id amount { amount } } } } }"""
    seen: list[str] = []
    amounts: list[float] = []
    after = None
    while True:
        page = (await joined.world.ask(query, {"n": 60, "a": after}))["data"]["opportunities"]
        seen += [edge["node"]["id"] for edge in page["edges"]]
        amounts += [float(edge["node"]["amount"]["amount"]) for edge in page["edges"] if edge["node"]["amount"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert len(seen) == len(set(seen)) == page["totalCount"]
    assert amounts == sorted(amounts, reverse=True)
    of_acquired = {encode_global_id("Opportunity", f"acme:{record_id('006', 1)}")}
    assert of_acquired <= set(seen)
    assert page["totalCount"] > len(company.opportunities)


async def test_whoever_is_confined_to_a_region_sees_the_other_crm_as_if_it_were_not_there(joined: Joined) -> None:
    both = f"9100001+acme:{record_id('001', 1)}"
    only_there = f"acme:{record_id('001', 2)}"
    representations = [{"__typename": "Customer", "crmRef": ref} for ref in (both, only_there)]

    async def seen(*regions: str) -> Any:
        answer = await joined.world.ask(ENTITIES, {"of": representations}, **caller("crm", *regions))
        assert "errors" not in answer, answer
        return answer["data"]["_entities"]

    (one, none) = await seen("EU")
    assert one["crmRecord"]["system"] == "crm"
    assert {edge["node"]["customer"]["crmRef"] for edge in one["opportunities"]["edges"]} == {"9100001"}
    assert none is None
    (there, known) = await seen("US")
    for american, number in ((there, 1), (known, 2)):
        held = {"system": "crm/acme", "vendor": "salesforce", "externalId": record_id("001", number)}
        assert american["crmRecord"] == held
    assert await seen() == [None, None]
    assert all(await seen("EU", "US"))

    deal = encode_global_id("Opportunity", f"acme:{record_id('006', 1)}")
    absent = encode_global_id("Opportunity", f"acme:{record_id('006', 999_999)}")
    for hidden in (deal, absent):
        update = {"input": {"id": hidden, "version": "any", "amount": "1.00"}}
        refused = (await joined.world.ask(DEAL, update, **caller("crm", "EU")))["errors"][0]
        assert (refused["message"], refused["extensions"]["code"]) == (
            "There is no such object in the CRM.",
            "NOT_FOUND",
        )
        read = await joined.world.ask(
            "query($i: ID!) { opportunity(id: $i) { name } }", {"i": hidden}, **caller("crm", "EU")
        )
        assert read["data"] == {"opportunity": None}
    names = "{ opportunities(first: 100) { totalCount edges { node { id } } } accountOwners { id } }"
    listed = (await joined.world.ask(names, **caller("crm", "EU")))["data"]
    assert not [e for e in listed["opportunities"]["edges"] if e["node"]["id"] == deal]
    everybody = (await joined.world.ask(names))["data"]
    assert len(everybody["accountOwners"]) > len(listed["accountOwners"])

    query = "query($i: ID!) { customer(id: $i) { identities { system name } } }"
    customer = await joined.customer_with(record_id("001", 1))
    shown = await joined.identity(query, {"i": customer["id"]}, **caller("identity", "EU"))
    assert [each["system"] for each in shown["customer"]["identities"]] == ["crm"]
    waiting = await joined.identity("{ unmatchedRecords(first: 50) { totalCount } }", {}, **caller("identity", "EU"))
    assert waiting["unmatchedRecords"]["totalCount"] == 0


async def test_an_acquired_crm_that_is_down_costs_its_own_records_only(joined: Joined) -> None:
    control = f"{joined.acquired.url}/__sandbox/faults"
    representations = [{"__typename": "Customer", "crmRef": ref} for ref in ("9100002", f"acme:{record_id('001', 4)}")]
    query = "query($of: [_Any!]!) { _entities(representations: $of) { ... on Customer { name } } }"
    async with httpx2.AsyncClient(trust_env=False) as http:
        await http.put(control, json={"mode": "down"})
        try:
            answer = await joined.world.ask(query, {"of": representations})
        finally:
            await http.put(control, json={})
    assert answer["data"]["_entities"][0]["name"]
    assert answer["data"]["_entities"][1] is None
    (error,) = answer["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["_entities", 1], "SYSTEM_UNAVAILABLE")
    again = await joined.world.ask(query, {"of": representations})
    assert again["data"]["_entities"][1]["name"]
    assert len(again["data"]["_entities"]) == 2
    assert CUSTOMERS > ACQUIRED


SYSTEMS = """{ crmSystems { name vendor region mappingVersion apiVersion requests budget { burst }
    abilities { kind batchMode maxIdsPerCall changes concurrency writes }
    differences { kind object field value count } } }"""


async def test_the_graph_shows_what_each_crm_can_do_and_what_is_new_about_it(joined: Joined) -> None:
    made = {"Name": "Odd one", "StageName": "Closed Won", "Type": "Barter", "CloseDate": "2026-01-01"}
    deal = await joined.salesforce("POST", "/sobjects/Opportunity", made)
    opportunity = encode_global_id("Opportunity", f"acme:{deal['id']}")
    read = await joined.world.ask("query($i: ID!) { opportunity(id: $i) { name kind } }", {"i": opportunity})
    assert read["data"]["opportunity"] == {"name": "Odd one", "kind": None}

    async def seen() -> Any:
        systems = (await joined.world.ask(SYSTEMS))["data"]["crmSystems"]
        return systems if systems[1]["differences"] else None

    ours, theirs = await joined.world.eventually(seen)
    assert (ours["name"], ours["vendor"], ours["region"]) == ("crm", "hubspot", "EU")
    assert (ours["mappingVersion"], ours["apiVersion"]) == (hubspot_mapping.VERSION, hubspot_mapping.API_VERSION)
    assert (theirs["name"], theirs["vendor"], theirs["region"]) == ("crm/acme", "salesforce", "US")
    assert theirs["differences"][0]["count"] >= 1
    assert {key: theirs["differences"][0][key] for key in ("kind", "object", "field", "value")} == {
        "kind": "UNKNOWN_VALUE",
        "object": "Opportunity",
        "field": "Type",
        "value": "Barter",
    }
    assert theirs["abilities"][0] == {
        "kind": "companies",
        "batchMode": "NATIVE",
        "maxIdsPerCall": 2000,
        "changes": "POLL",
        "concurrency": "CHECKED",
        "writes": ["updateCustomerProfile"],
    }
    assert ours["requests"] > 0
    confined = await joined.world.ask("{ crmSystems { name } }", **caller("crm", "EU"))
    assert confined["data"]["crmSystems"] == [{"name": "crm"}]
