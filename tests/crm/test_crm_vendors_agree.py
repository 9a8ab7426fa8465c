"""The vendor is a matter of configuration: with Salesforce behind it, the graph answers what it answers with HubSpot."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from crm_world import TOKEN, World, crm_settings, running_world
from served_process import serve_module
from test_crm_changes import DEAL, RENEW, UPDATE, customer_of, deals_with_contract

from subgraphs.crm.sandbox.salesforce.org import record_id
from subgraphs.crm.vendors import salesforce_org
from subgraphs.kit.company.model import Company, Source
from subgraphs.kit.global_id import encode_global_id

API = salesforce_org.API
CUSTOMER = """query($of: [_Any!]!) { _entities(representations: $of) { ... on Customer {
    crmRef name segment status industry employees owner { id name email } parent { crmRef name }
    children { totalCount edges { node { crmRef name } } }
    contacts { totalCount edges { node { id name email phone jobTitle customer { name } } } }
    opportunities(orderBy: {field: NAME}) { totalCount edges { node { id name kind stage amount { amount currency }
        closeOn probability createdAt owner { name } customer { name } contract { number renewalStage renewalRisk
        opportunity { id } accountManager { name } originGap { code } } } } }
    crmRecord { externalId name fields { name value } } } } }"""
FOUND = """query($f: OpportunityFilter, $o: OpportunityOrder, $n: Int!) {
    opportunities(filter: $f, orderBy: $o, first: $n) { totalCount pageInfo { hasNextPage hasPreviousPage }
        edges { cursor node { id name stage amount { amount } customer { name } } } } }"""


@pytest.fixture(scope="module")
async def hubspot_world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A HubSpot that no other test has changed."""
    async with running_world(tmp_path_factory.mktemp("untouched-hubspot-world")) as world:
        yield world


@pytest.fixture(scope="module")
async def salesforce_world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("salesforce-world")
    async with running_world(folder, "salesforce", CONCORD_CRM_POLL_INTERVAL_S=0.2) as world:
        yield world


async def salesforce(world: World, method: str, path: str, body: object = None) -> Any:
    """What the sandbox answers to somebody else, such as a person in Salesforce's own pages."""
    form = {"grant_type": "client_credentials", "client_id": "concord", "client_secret": TOKEN}
    session = (await world.http.post(f"{world.sandbox.url}{salesforce_org.TOKEN_PATH}", data=form)).json()
    headers = {"authorization": f"Bearer {session['access_token']}"}
    answer = await world.http.request(method, f"{world.sandbox.url}{API}{path}", json=body, headers=headers)
    return answer.json() if answer.content else None


def translated(answer: Any, company: Company) -> Any:
    """Return an answer with HubSpot's ids as the same records' ids in Salesforce, and decimals as numbers."""
    known = [row for row in company.customers if Source.CRM not in row.missing_in]
    text = json.dumps(answer)
    for place in range(len(known)):
        text = text.replace(f'"{9_100_001 + place}"', f'"{record_id("001", place + 1)}"')
    for kind, first, prefix, count in (
        ("Opportunity", 50_001, "006", len(company.opportunities)),
        ("Contact", 30_001, "003", len(company.contacts)),
        ("AccountOwner", 701, "005", len(company.owners)),
    ):
        for place in range(count):
            old = encode_global_id(kind, str(first + place))
            text = text.replace(f'"{old}"', f'"{encode_global_id(kind, record_id(prefix, place + 1))}"')

    def plain(name: str, value: Any) -> Any:
        return Decimal(value) if name in {"probability", "amount"} and isinstance(value, str) else value

    return json.loads(text, object_hook=lambda held: {name: plain(name, value) for name, value in held.items()})


async def test_customers_with_everything_are_the_same(
    hubspot_world: World, salesforce_world: World, company: Company
) -> None:
    references = {"_": [{"__typename": "Customer", "crmRef": str(9_100_041 + place)} for place in range(60)]}
    here = await hubspot_world.ask(CUSTOMER, {"of": references["_"]})
    there = await salesforce_world.ask(CUSTOMER, {"of": translated(references["_"], company)})
    assert "errors" not in here
    assert "errors" not in there
    assert translated(there["data"], company) == translated(here["data"], company)
    # One for each kind of record and of link, however many customers.
    assert there["extensions"]["concord"]["vendorRequests"]["salesforce"] <= 12


@pytest.mark.parametrize(
    ("condition", "order", "size"),
    [
        ({"stage": ["WON"], "minAmount": "20000"}, {"field": "AMOUNT", "direction": "DESC"}, 20),
        ({"nameContains": "re 2026"}, {"field": "CLOSE_ON", "direction": "ASC"}, 50),
        ({"closesFrom": "2026-01-01", "closesUntil": "2026-02-01"}, {"field": "NAME", "direction": "ASC"}, 7),
        ({"contractNumber": "CON-2026-0019"}, None, 5),
        ({"nameContains": "no such name at all"}, None, 5),
    ],
)
async def test_the_same_deals_are_found(
    hubspot_world: World, salesforce_world: World, company: Company, condition: Any, order: Any, size: int
) -> None:
    variables = {"f": condition, "o": order, "n": size}
    here, there = await hubspot_world.ask(FOUND, variables), await salesforce_world.ask(FOUND, variables)
    assert "errors" not in here

    def comparable(answer: Any) -> Any:
        found = translated(answer["data"], company)["opportunities"]
        # Deals that are equal in what they are ordered by come in either order.
        found["edges"].sort(key=lambda edge: edge["node"]["id"])
        return {**found, "edges": [edge["node"] for edge in found["edges"]]}

    assert comparable(there) == comparable(here)


async def test_writes_are_checked_repeatable_and_told_once(salesforce_world: World, company: Company) -> None:
    world = salesforce_world
    rows = [row for row in company.customers if Source.CRM not in row.missing_in]
    row, account = rows[1], record_id("001", 2)
    customer = await world.eventually(lambda: customer_of(world, row.name_in(Source.CRM)))
    query = "query($of: [_Any!]!) { _entities(representations: $of) { ... on Customer { name version } } }"
    read = {"of": [{"__typename": "Customer", "crmRef": account}]}
    before = (await world.ask(query, read))["data"]["_entities"][0]
    update = {"customerId": customer, "version": before["version"], "name": "Renamed O'Works", "segment": "SMB"}
    first = await world.ask(UPDATE, {"input": update}, Idempotency_Key="s1")
    assert "errors" not in first
    assert (await world.ask(UPDATE, {"input": update}, Idempotency_Key="s1"))["data"] == first["data"]
    stale = await world.ask(UPDATE, {"input": {**update, "name": "Never"}})
    now = (await world.ask(query, read))["data"]["_entities"][0]
    assert stale["errors"][0]["extensions"] == {
        "code": "CONFLICT",
        "retryable": False,
        "system": "crm",
        "outcome": "NOT_APPLIED",
        "current": {"name": "Renamed O'Works", "segment": "SMB", "version": now["version"]},
    }
    (event,) = await world.eventually(lambda: world.told("customer.updated", subject=customer))
    assert ("name", before["name"], "Renamed O'Works") in {(c.field, c.before, c.after) for c in event.changes}
    assert event.version == first["data"]["updateCustomerProfile"]["customer"]["version"]


async def test_a_write_whose_answer_was_lost_is_not_done_twice(salesforce_world: World) -> None:
    world = salesforce_world
    opportunity = encode_global_id("Opportunity", record_id("006", 2))
    read = await world.ask("query($i: ID!) { opportunity(id: $i) { version } }", {"i": opportunity})
    update = {"input": {"id": opportunity, "version": read["data"]["opportunity"]["version"], "amount": "777.70"}}
    async with world.fault(mode="reset", paths=r"sobjects/Opportunity/006"):
        lost = await world.ask(DEAL, update, Idempotency_Key="s3")
    assert lost["errors"][0]["extensions"]["outcome"] == "UNKNOWN"
    done = await world.ask(DEAL, update, Idempotency_Key="s3")
    assert done["data"]["updateOpportunity"]["opportunity"]["amount"] == {"amount": "777.70"}
    async with world.fault(mode="truncate", paths=r"sobjects/Opportunity/006"):
        await world.ask(
            DEAL,
            {
                "input": {
                    **update["input"],
                    "version": done["data"]["updateOpportunity"]["opportunity"]["version"],
                    "amount": "778.80",
                }
            },
            Idempotency_Key="s4",
        )
    held = await salesforce(world, "GET", f"/sobjects/Opportunity/{record_id('006', 2)}?fields=Amount")
    assert held["Amount"] == 778.8


async def test_a_renewal_is_followed_from_the_pages_of_salesforce(salesforce_world: World, company: Company) -> None:
    world = salesforce_world
    hubspot_id, row = deals_with_contract(company)[3]
    deal = record_id("006", int(hubspot_id) - 50_000)
    subject = encode_global_id("Contract", row.contract)
    for stage in ("Quoted", "Committed", "Renewed"):
        await salesforce(world, "PATCH", f"/sobjects/Opportunity/{deal}", {"Renewal_Stage__c": stage})
        wanted = stage.upper()

        async def told(wanted: str = wanted) -> bool:
            events = await world.told("renewal.stage_changed", subject=subject)
            return any(change.after == wanted for event in events for change in event.changes)

        await world.eventually(told)
    (completed,) = await world.told("renewal.completed", subject=subject)
    assert completed.keys["opportunity"] == encode_global_id("Opportunity", deal)
    assert "errors" not in await world.ask(RENEW, {"input": {"contractNumber": row.contract, "stage": "LOST"}})


class People:
    """Somebody at work in the vendor's own pages."""

    def __init__(self, world: World, vendor: str) -> None:
        self._world = world
        self._is_hubspot = vendor == "hubspot"
        self.deals = [str(50_001 + place) if self._is_hubspot else record_id("006", place + 1) for place in range(10)]
        self.gone, self.changed = (
            str(9_100_000 + place) if self._is_hubspot else record_id("001", place) for place in (5, 7)
        )

    async def close(self, deal: str, stage: str) -> None:
        if self._is_hubspot:
            await self._hubspot("PATCH", f"deals/{deal}", dealstage=stage.replace(" ", "").lower())
        else:
            await salesforce(self._world, "PATCH", f"/sobjects/Opportunity/{deal}", {"StageName": stage})

    async def set_industry(self, company: str, industry: str) -> None:
        if self._is_hubspot:
            await self._hubspot("PATCH", f"companies/{company}", industry=industry)
        else:
            await salesforce(self._world, "PATCH", f"/sobjects/Account/{company}", {"Industry": industry})

    async def make(self, name: str) -> None:
        if self._is_hubspot:
            await self._hubspot("POST", "companies", name=name)
        else:
            await salesforce(self._world, "POST", "/sobjects/Account", {"Name": name})

    async def delete(self, company: str) -> None:
        if self._is_hubspot:
            await self._hubspot("DELETE", f"companies/{company}")
        else:
            await salesforce(self._world, "DELETE", f"/sobjects/Account/{company}")

    async def _hubspot(self, method: str, path: str, **properties: str) -> None:
        answer = await self._world.http.request(
            method,
            f"{self._world.sandbox.url}/crm/v3/objects/{path}",
            json={"properties": properties} if properties else None,
            headers={"authorization": f"Bearer {TOKEN}"},
        )
        assert answer.is_success, answer.text


@pytest.mark.parametrize("vendor", ["hubspot", "salesforce"])
async def test_what_changes_while_the_subgraph_is_down_is_told_once_and_in_order(
    tmp_path: Path, company: Company, vendor: str
) -> None:
    """HubSpot's webhooks find nobody meanwhile and come again later, copies of them too; Salesforce is polled from the mark."""
    async with running_world(tmp_path, vendor, CONCORD_CRM_POLL_INTERVAL_S=0.2) as world:
        people = People(world, vendor)
        rows = [row for row in company.customers if Source.CRM not in row.missing_in]
        customer = await customer_of(world, rows[6].name_in(Source.CRM))
        await asyncio.to_thread(world.crm.stop)
        for deal in people.deals:
            await people.close(deal, "Closed Lost")
            await people.close(deal, "Closed Won")
        await people.make("While You Slept Ltd")
        await people.delete(people.gone)
        await people.set_industry(people.changed, "MINING")
        port = int(world.crm.url.rpartition(":")[2])
        settings = crm_settings(
            tmp_path, port, world.sandbox.url, world.identity.url, f"{world.log_url}/events", vendor
        )
        again = await asyncio.to_thread(
            serve_module, "subgraphs.crm.app", tmp_path, {**settings, "CONCORD_CRM_POLL_INTERVAL_S": 0.2}
        )
        try:
            await world.eventually(lambda: customer_of(world, "While You Slept Ltd"), within_s=60)
            deals = dict(zip(people.deals, company.opportunities, strict=False))
            wanted = {encode_global_id("Opportunity", deal) for deal, row in deals.items() if row.stage != "WON"}

            async def all_told() -> bool:
                return {event.subject for event in await world.told("opportunity.won")} >= wanted

            await world.eventually(all_told, within_s=60)
            await world.eventually(lambda: industries(world, customer), within_s=60)
            if vendor == "hubspot":
                await world.http.post(f"{world.sandbox.url}/__sandbox/redeliver", json={"last": 40})
            await people.set_industry(people.changed, "RETAIL")
            await world.eventually(lambda: industries(world, customer, "RETAIL"), within_s=60)
            won = [event.subject for event in await world.told("opportunity.won")]
            assert sorted(won) == sorted(wanted), "each change once, and nothing that did not happen"
            told = await world.told("customer.updated", subject=customer)
            changes = [(change.before, change.after) for event in told for change in event.changes]
            assert changes == [(rows[6].industry, "MINING"), ("MINING", "RETAIL")], "in order, each once"
            gone = await again_ask(world, again.url, people.gone)
            assert gone["data"]["_entities"] == [None]
            await world.eventually(lambda: is_forgotten(world, people.gone), within_s=60)
            told = await world.told("customer.updated")
            assert [each for event in told for each in event.changes if each.before == f"crm:{people.gone}"]
            # Deleted while it is looked at, too.
            assert not await is_forgotten(world, people.changed)
            await people.delete(people.changed)
            await world.eventually(lambda: is_forgotten(world, people.changed), within_s=60)
        finally:
            await asyncio.to_thread(again.stop)


async def is_forgotten(world: World, company: str) -> bool:
    """Whether identity has nobody with this record."""
    query = "query($of: [_Any!]!) { _entities(representations: $of) { ... on Customer { id } } }"
    body = {"query": query, "variables": {"of": [{"__typename": "Customer", "crmRef": company}]}}
    answer = (await world.http.post(f"{world.identity.url}/graphql", json=body)).json()
    return bool(answer["data"]["_entities"] == [None])


async def industries(world: World, customer: str, last: str = "MINING") -> bool:
    events = await world.told("customer.updated", subject=customer)
    return any(change.field == "industry" and change.after == last for event in events for change in event.changes)


async def again_ask(world: World, url: str, company: str) -> Any:
    query = "query($of: [_Any!]!) { _entities(representations: $of) { ... on Customer { name } } }"
    variables = {"of": [{"__typename": "Customer", "crmRef": company}]}
    return (await world.http.post(f"{url}/graphql", json={"query": query, "variables": variables})).json()


@pytest.mark.parametrize("vendor", ["hubspot", "salesforce"])
async def test_a_record_that_can_t_be_read_fails_alone_and_is_reported(
    hubspot_world: World, salesforce_world: World, company: Company, vendor: str
) -> None:
    world = hubspot_world if vendor == "hubspot" else salesforce_world
    rows = [row for row in company.customers if Source.CRM not in row.missing_in]
    if vendor == "hubspot":
        ids = [str(9_100_001 + place) for place in (50, 51, 52)]
        broken = {f'"id":"{ids[1]}","properties":': f'"id":"{ids[1]}","belongings":'}
    else:
        ids = [record_id("001", place + 1) for place in (50, 51, 52)]
        broken = {f'"Website":"https://www.{rows[51].domain}"': '"Website":7'}
    query = "query($of: [_Any!]!) { _entities(representations: $of) { ... on Customer { name } } }"

    async def read(*wanted: str) -> Any:
        return await world.ask(query, {"of": [{"__typename": "Customer", "crmRef": each} for each in wanted]})

    whole = await read(*ids)
    assert "errors" not in whole
    async with world.fault(rewrite=broken):
        part, alone = await read(*ids), await read(ids[1])
    first, _, third = whole["data"]["_entities"]
    assert part["data"]["_entities"] == [first, None, third]
    assert alone["data"]["_entities"] == [None]
    for answer, place in ((part, 1), (alone, 0)):
        (error,) = answer["errors"]
        assert (error["path"][:2], error["extensions"]["code"]) == (["_entities", place], "SYSTEM_BAD_RESPONSE")
    systems = await world.ask("{ crmSystems { differences { kind object field } } }")
    kind = "companies" if vendor == "hubspot" else "Account"
    assert {"kind": "UNREADABLE_VALUE", "object": kind, "field": "record"} in systems["data"]["crmSystems"][0][
        "differences"
    ]
    assert await read(*ids) == {**whole, "extensions": (await read(*ids))["extensions"]}


async def test_a_list_is_answered_without_the_one_record_that_can_t_be_read(hubspot_world: World) -> None:
    variables = {"f": {"stage": ["WON"]}, "o": {"field": "NAME", "direction": "ASC"}, "n": 7}
    whole = (await hubspot_world.ask(FOUND, variables))["data"]["opportunities"]
    odd = whole["edges"][2]["node"]
    own = base64.b64decode(odd["id"] + "==").decode().rpartition(":")[2]
    async with hubspot_world.fault(rewrite={f'"id":"{own}","properties":': f'"id":"{own}","belongings":'}):
        part = await hubspot_world.ask(FOUND, variables)
    assert "errors" not in part
    shown = part["data"]["opportunities"]
    left = [edge["node"] for edge in whole["edges"] if edge["node"] != odd]
    assert [edge["node"] for edge in shown["edges"]] == left
    assert (shown["totalCount"], shown["pageInfo"]) == (whole["totalCount"], whole["pageInfo"])
