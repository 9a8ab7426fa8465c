"""The HubSpot adaptor against our sandbox and against backlot, which nobody here wrote: one set of expectations."""

import asyncio
import datetime as dt
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import backlot
import pytest
from adaptor_conformance import check_reads
from crm_world import TOKEN, sandbox_settings
from golden_mapping import check_golden
from served_process import ServedProcess, serve_module
from third_party import BACKLOT, required

from subgraphs.crm.port import DealQuery, name_words
from subgraphs.crm.records import CompanyLinks
from subgraphs.crm.terms import CustomerStatus, DealOrder, OpportunityStage, Segment
from subgraphs.crm.vendors import hubspot_mapping
from subgraphs.crm.vendors.hubspot import HubSpot, allowed_words
from subgraphs.kit.company.model import Company, Source
from subgraphs.kit.current_request import CurrentRequest, serving
from subgraphs.kit.record_loader import record_loader
from subgraphs.kit.schema_drift import SchemaDrift
from subgraphs.kit.system_error import BadUserInputError, VendorAuthError
from subgraphs.kit.vendor_client import VendorClient

STAGES = {
    "QUALIFICATION": "appointmentscheduled",
    "DISCOVERY": "qualifiedtobuy",
    "PROPOSAL": "presentationscheduled",
    "NEGOTIATION": "contractsent",
    "WON": "closedwon",
    "LOST": "closedlost",
}


@dataclass(frozen=True)
class System:
    """A HubSpot to be read, and what it can't do, with the reason."""

    crm: HubSpot
    company: Company
    lacks: dict[str, str]
    companies: dict[str, str]
    """Customer reference → company id."""
    deals: dict[str, str]
    """Opportunity reference → deal id."""


def corpus(company: Company) -> list[dict[str, object]]:
    """The company's companies and deals in the form that backlot imports."""
    records: list[dict[str, object]] = []

    def add(kind: str, number: int, reference: str, title: str, created: dt.date, properties: dict[str, str]) -> None:
        records.append(
            {
                "source_type": "hubspot",
                "author_email": "ava@concord.example",
                "visibility": "public",
                "object_type": kind,
                "record_id": str(number),
                "doc_id": reference,
                "title": title,
                "content": title,
                "created": f"{created.isoformat()}T00:00:00Z",
                "properties": properties,
            }
        )

    for number, row in enumerate(known(company), 9_100_001):
        properties = {
            "name": row.name_in(Source.CRM),
            "domain": row.domain,
            "customer_reference": row.reference,
            "customer_segment": row.segment.lower(),
            "lifecyclestage": {"PROSPECT": "opportunity", "ACTIVE": "customer", "CHURNED": "churned"}[row.status],
            "numberofemployees": str(row.employees),
        }
        add("companies", number, row.reference, row.name, row.created_on, properties)
    for number, deal in enumerate(company.opportunities, 50_001):
        properties = {
            "dealname": deal.name,
            "amount": str(deal.amount),
            "deal_currency_code": deal.currency,
            "dealstage": STAGES[deal.stage],
            "closedate": f"{deal.close_on.isoformat()}T00:00:00.000Z",
        }
        if deal.contract:
            properties["contract_number"] = deal.contract
        add("deals", number, deal.reference, deal.name, deal.created_on, properties)
    return records


def known(company: Company) -> list[object]:
    return [row for row in company.customers if Source.CRM not in row.missing_in]


@pytest.fixture(scope="session")
def backlot_server(tmp_path_factory: pytest.TempPathFactory, company: Company) -> Iterator[ServedProcess]:
    server = backlot.serve_backlot(tmp_path_factory.mktemp("backlot"), corpus(company))
    yield server
    server.stop()


@pytest.fixture(params=["sandbox", "backlot"])
async def system(request: pytest.FixtureRequest, company: Company) -> AsyncIterator[System]:
    name = request.param
    server = request.getfixturevalue({"sandbox": "hubspot_sandbox", "backlot": "backlot_server"}[name])
    token = TOKEN if name == "sandbox" else backlot.TOKEN
    lacks = {"offsets": "backlot's search goes on from an object's id, where HubSpot's `after` is an integer offset"}
    async with client(server.url, token) as http:
        yield System(
            crm=HubSpot(http),
            company=company,
            lacks=lacks if name == "backlot" else {},
            companies={row.reference: str(9_100_001 + place) for place, row in enumerate(known(company))},
            deals={row.reference: str(50_001 + place) for place, row in enumerate(company.opportunities)},
        )


def client(url: str, token: str) -> VendorClient:
    return VendorClient(
        vendor="hubspot",
        system="crm",
        base_url=url,
        headers={"authorization": f"Bearer {token}"},
        timeout_s=5,
        words=allowed_words,
    )


async def test_a_hundred_ids_are_one_request_and_absent_ones_are_left_out(system: System) -> None:
    ids = list(system.companies.values())[:98]
    with serving(CurrentRequest()) as request:
        found = await system.crm.companies.read([*ids, "77", "not-a-number"])
    assert list(request.vendor_requests.items()) == [("hubspot", 1)]
    assert sorted(found) == sorted(ids)
    expected = known(system.company)[0]
    first = found[ids[0]]
    assert (first.name, first.reference, first.domain) == (
        expected.name_in(Source.CRM),
        expected.reference,
        expected.domain,
    )
    assert (first.segment, first.employees) == (Segment(expected.segment), expected.employees)
    assert first.status is CustomerStatus(expected.status)
    assert first.created_at.date() == expected.created_on


async def test_companies_and_deals_are_read_as_the_port_promises(system: System) -> None:
    await check_reads(system.crm.companies, known=list(system.companies.values()), absent=["77", "78"])
    await check_reads(system.crm.deals, known=list(system.deals.values()), absent=["77"])


@pytest.mark.parametrize("system", ["sandbox"], indirect=True)
async def test_contacts_are_read_as_the_port_promises(system: System) -> None:
    """Not over backlot, whose corpus of ours has none."""
    known = [str(30_001 + place) for place in range(len(system.company.contacts))]
    await check_reads(system.crm.people, known=known, absent=["77"])


async def test_every_company_is_listed_once_over_all_pages(system: System) -> None:
    listed = [company.id async for page in system.crm.all_companies() for company in page]
    assert len(listed) == len(set(listed))
    assert sorted(listed) == sorted(system.companies.values())


async def test_deals_are_found_filtered_ordered_and_cut_as_asked(system: System) -> None:
    query = DealQuery(stages=(OpportunityStage.WON,), order=DealOrder.AMOUNT, is_descending=True)
    expected = sorted((row.amount for row in system.company.opportunities if row.stage == "WON"), reverse=True)
    start = 0 if "offsets" in system.lacks else 3
    page = await system.crm.find_deals(query, offset=start, size=5)
    assert page.total == len(expected)
    assert [deal.amount for deal in page.deals] == expected[start : start + 5]
    assert {deal.stage for deal in page.deals} == {OpportunityStage.WON}
    rich = await system.crm.find_deals(replace(query, min_amount=expected[10]), offset=0, size=200)
    assert [deal.amount for deal in rich.deals] == [amount for amount in expected if amount >= expected[10]]
    if "offsets" not in system.lacks:
        whole = await system.crm.find_deals(DealQuery(), offset=0, size=200)
        assert len(whole.deals) == min(200, len(system.company.opportunities))


async def test_the_vendor_finds_what_the_same_query_finds_in_memory(system: System) -> None:
    """`Customer.opportunities` filters deals at hand, `opportunities` lets HubSpot search: both mean the same."""
    by_id = await record_loader(system.crm.deals).load_many(list(system.deals.values()))
    everything = [deal for deal in by_id if deal is not None]
    rng = random.Random(7)
    names = [name_words(deal.name or "") for deal in everything]
    compared = 0
    for _ in range(40):
        chosen = rng.choice(everything)
        query = DealQuery(
            stages=tuple(rng.sample(list(OpportunityStage), 2)) if rng.random() < 0.5 else (),
            name_words=tuple(word[1:4] for word in rng.choice(names)[:2] if word[1:4]) if rng.random() < 0.6 else (),
            contract_numbers=(chosen.contract_number,) if chosen.contract_number and rng.random() < 0.2 else (),
            closes_from=chosen.close_on if rng.random() < 0.4 else None,
            closes_until=dt.date(2026, 3, 1) if rng.random() < 0.3 else None,
            min_amount=chosen.amount if rng.random() < 0.4 else None,
        )
        expected = sorted(deal.id for deal in everything if query.matches(deal))
        if len(expected) > 100:
            continue
        compared += bool(expected)
        page = await system.crm.find_deals(query, offset=0, size=100)
        assert sorted(deal.id for deal in page.deals) == expected, query
        assert page.total == len(expected)
    assert compared > 10


async def test_only_the_first_ten_thousand_can_be_found(system: System) -> None:
    with pytest.raises(BadUserInputError):
        await system.crm.find_deals(DealQuery(), offset=9_990, size=20)


async def test_contracts_find_their_deals_in_one_request(system: System) -> None:
    rows = [row for row in system.company.opportunities if row.contract][:60]
    with serving(CurrentRequest()) as request:
        found = await system.crm.deals_of_contracts([*{row.contract for row in rows if row.contract}, "CON-1999-0001"])
    assert request.vendor_requests["hubspot"] <= 2
    for row in rows:
        assert system.deals[row.reference] in {deal.id for deal in found[row.contract or ""]}
    assert "CON-1999-0001" not in found
    deal = next(deal for deal in found[rows[0].contract or ""] if deal.id == system.deals[rows[0].reference])
    assert (deal.amount, deal.currency, deal.close_on) == (rows[0].amount, rows[0].currency, rows[0].close_on)
    assert isinstance(deal.amount, Decimal)


@pytest.mark.parametrize("system", ["sandbox"], indirect=True)
async def test_links_of_a_hundred_companies_are_one_request_each(system: System) -> None:
    """Not over backlot, which reads the associations of one object at a time."""
    by_customer: dict[str, list[str]] = {}
    for row in system.company.opportunities:
        by_customer.setdefault(system.companies[row.customer], []).append(system.deals[row.reference])
    ids = list(system.companies.values())[:100]
    with serving(CurrentRequest()) as request:
        deals = await system.crm.deals_of(ids)
        links = await system.crm.links_of(ids)
        buyers = await system.crm.companies_of_deals([deals[ids[0]][0]])
    assert request.vendor_requests["hubspot"] == 3
    assert {key: sorted(found) for key, found in deals.items()} == {
        key: sorted(found) for key, found in by_customer.items() if key in ids
    }
    assert buyers == {deals[ids[0]][0]: [ids[0]]}
    child = next(row for row in known(system.company) if row.parent in system.companies)
    here, parent = system.companies[child.reference], system.companies[child.parent]
    assert links[here] == CompanyLinks(parents=(parent,), children=())
    assert here in links[parent].children


@pytest.mark.parametrize("system", ["sandbox"], indirect=True)
async def test_owners_are_read_once_and_kept(system: System) -> None:
    """Not over backlot, which has no owners."""
    with serving(CurrentRequest()) as request:
        owners = await system.crm.owners.read(["701", "702", "9"])
        assert await system.crm.owners.read(["701"]) == {"701": owners["701"]}
    assert request.vendor_requests["hubspot"] == 1
    assert [owners[key].name for key in ("701", "702")] == [row.name for row in system.company.owners[:2]]
    assert set(owners) == {"701", "702"}


async def test_a_wrong_token_is_our_fault_and_says_nothing_of_why(
    system: System, request: pytest.FixtureRequest
) -> None:
    name = "hubspot_sandbox" if not system.lacks else "backlot_server"
    async with client(request.getfixturevalue(name).url, "wrong") as http:
        with pytest.raises(VendorAuthError) as refused:
            await HubSpot(http).companies.read(["9100001"])
    assert refused.value.message == "The crm system refused our credential."
    assert refused.value.extensions == {"code": "SYSTEM_AUTH_FAILED", "retryable": False, "system": "crm"}


async def test_hubspots_limit_of_searches_is_waited_out(tmp_path: Path) -> None:
    limited = {**sandbox_settings(tmp_path), "CONCORD_CRM_SANDBOX_SEARCHES_PER_S": 5}
    sandbox = await asyncio.to_thread(serve_module, "subgraphs.crm.sandbox", tmp_path, limited)
    try:
        async with client(sandbox.url, TOKEN) as http:
            pages = [await HubSpot(http).find_deals(DealQuery(), offset=at, size=1) for at in range(8)]
            assert len({page.deals[0].id for page in pages}) == 8
            assert http.requests_total["POST 429"] == 1
    finally:
        sandbox.stop()


def test_documents_become_the_records_of_the_golden_file() -> None:
    drift = SchemaDrift("crm")
    mapping = hubspot_mapping.HubSpotMapping(drift)
    parse = {
        "company": mapping.to_company,
        "person": mapping.to_person,
        "deal": mapping.to_deal,
        "owner": mapping.to_owner,
    }
    check_golden("crm/hubspot", hubspot_mapping.VERSION, hubspot_mapping.API_VERSION, parse, drift)


OFFICIAL = """
import sys
from hubspot import HubSpot
from hubspot.crm.companies import BatchReadInputSimplePublicObjectId, PublicObjectSearchRequest, SimplePublicObjectInput
from hubspot.crm.deals import SimplePublicObjectInputForCreate
client = HubSpot(access_token=sys.argv[2], host=sys.argv[1])
companies = client.crm.companies
print(len(companies.get_all()))
ids = [{"id": "9100001"}, {"id": "9100002"}, {"id": "77"}]
batch = companies.batch_api.read(BatchReadInputSimplePublicObjectId(properties=["name"], properties_with_history=[], inputs=ids))
print(sorted(found.id for found in batch.results), batch.num_errors)
changed = companies.basic_api.update("9100001", SimplePublicObjectInput(properties={"phone": "+49 1"}))
print(changed.properties["phone"])
found = companies.search_api.do_search(PublicObjectSearchRequest(
    filter_groups=[{"filters": [{"propertyName": "phone", "operator": "EQ", "value": "+49 1"}]}], limit=5))
print(found.total, found.results[0].id)
print(len(client.crm.owners.owners_api.get_page(limit=100).results))
made = client.crm.deals.basic_api.create(SimplePublicObjectInputForCreate(
    properties={"dealname": "New", "dealstage": "contractsent"},
    associations=[{"to": {"id": "9100001"}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 341}]}]))
print(client.crm.deals.basic_api.get_by_id(made.id, associations=["companies"]).associations["companies"].results[0].id)
"""


def test_hubspots_own_client_works_against_the_sandbox(tmp_path: Path, company: Company) -> None:
    sandbox = serve_module("subgraphs.crm.sandbox", tmp_path, sandbox_settings(tmp_path))
    try:
        python = required(BACKLOT) / "bin" / "python"
        script = tmp_path / "official.py"
        script.write_text(OFFICIAL)
        run = subprocess.run(
            [str(python), str(script), sandbox.url, TOKEN], capture_output=True, text=True, timeout=300, check=False
        )
        assert run.stderr == ""
        assert run.stdout.splitlines() == [
            str(len(known(company))),
            "['9100001', '9100002'] 1",
            "+49 1",
            "1 9100001",
            "8",
            "9100001",
        ]
    finally:
        sandbox.stop()
    assert sys.executable != str(python)
