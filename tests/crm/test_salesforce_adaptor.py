"""The Salesforce adaptor against our sandbox and against simple-mockforce, which nobody here wrote: one set of expectations."""

import asyncio
import datetime as dt
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import mockforce
import pytest
from adaptor_conformance import check_reads
from crm_world import TOKEN, sandbox_settings
from golden_mapping import check_golden
from served_process import ServedProcess, serve_module

from subgraphs.crm.port import CompanyChange, DealChange, DealQuery, NewCompany, name_words
from subgraphs.crm.records import CompanyLinks
from subgraphs.crm.sandbox.salesforce.fill import account_values, opportunity_values
from subgraphs.crm.sandbox.salesforce.org import record_id
from subgraphs.crm.terms import CustomerStatus, DealOrder, OpportunityStage, RenewalStage, Segment
from subgraphs.crm.vendors import salesforce_mapping, salesforce_org
from subgraphs.crm.vendors.salesforce import Salesforce
from subgraphs.crm.vendors.salesforce_changes import look
from subgraphs.crm.vendors.soql import contains, quote
from subgraphs.kit.company.model import Company, Customer, Source
from subgraphs.kit.credential import ClientCredentials
from subgraphs.kit.current_request import CurrentRequest, serving
from subgraphs.kit.record_loader import record_loader
from subgraphs.kit.schema_drift import SchemaDrift
from subgraphs.kit.system_error import (
    BadUserInputError,
    Outcome,
    VendorAuthError,
    VendorConflictError,
    VendorNotFoundError,
    VendorRateLimitedError,
)
from subgraphs.kit.vendor_client import VendorClient

API = salesforce_org.API


@dataclass(frozen=True)
class System:
    """A Salesforce to be read, and what it can't do, with the reason."""

    name: str
    url: str
    crm: Salesforce
    client: VendorClient
    company: Company
    lacks: dict[str, str]
    companies: dict[str, str]
    """Customer reference → account id."""
    deals: dict[str, str]
    """Opportunity reference → its id."""


def known(company: Company) -> list[Customer]:
    return [row for row in company.customers if Source.CRM not in row.missing_in]


def client(url: str, *, secret: str = TOKEN, **options: Any) -> VendorClient:
    credential = ClientCredentials(
        system="crm", token_path=salesforce_org.TOKEN_PATH, client_id="concord", client_secret=secret
    )
    return VendorClient(
        vendor="salesforce",
        system="crm",
        base_url=url,
        credential=credential,
        timeout_s=30,
        words=salesforce_org.allowed_words,
        meaning=salesforce_org.meaning,
        **options,
    )


@pytest.fixture(scope="session")
def salesforce_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedProcess]:
    """A sandbox alone, for whoever reads, writes or breaks it."""
    folder = tmp_path_factory.mktemp("salesforce")
    sandbox = serve_module("subgraphs.crm.sandbox", folder, sandbox_settings(folder, vendor="salesforce"))
    yield sandbox
    sandbox.stop()


@pytest.fixture(scope="session")
def mockforce_server(
    tmp_path_factory: pytest.TempPathFactory, company: Company
) -> Iterator[tuple[ServedProcess, dict[str, dict[str, str]]]]:
    """simple-mockforce with the company's accounts and opportunities; it gives ids of its own."""
    server = mockforce.serve_mockforce(tmp_path_factory.mktemp("mockforce"))
    ids: dict[str, dict[str, str]] = {"Account": {}, "Opportunity": {}}
    with httpx2.Client(base_url=server.url, trust_env=False, timeout=30) as http:
        session = http.post(salesforce_org.TOKEN_PATH, data={}).json()["access_token"]
        http.headers["authorization"] = f"Bearer {session}"

        def create(kind: str, reference: str, values: dict[str, Any]) -> None:
            made = http.post(f"{API}/sobjects/{kind}", json=values).raise_for_status()
            ids[kind][reference] = made.json()["id"]

        users = {row.reference: record_id("005", place) for place, row in enumerate(company.owners, 1)}
        for row in known(company):
            parent = ids["Account"].get(row.parent or "")
            create("Account", row.reference, {**account_values(row, users), "ParentId": parent})
        contracts = {row.number: row for row in company.contracts}
        missing = dict.fromkeys(("Contract_Number__c", "Renewal_Stage__c", "Renewal_Risk__c"))
        for deal in company.opportunities:
            values = opportunity_values(deal, users, ids["Account"], contracts.get(deal.contract or ""))
            create("Opportunity", deal.reference, {**missing, "Probability": None, **values})
    yield server, ids
    server.stop()


@pytest.fixture(params=["sandbox", "mockforce"])
async def system(request: pytest.FixtureRequest, company: Company) -> AsyncIterator[System]:
    name = request.param
    if name == "sandbox":
        server = request.getfixturevalue("salesforce_sandbox")
        abilities = salesforce_org.Abilities()
        lacks: dict[str, str] = {}
        accounts = {row.reference: record_id("001", place) for place, row in enumerate(known(company), 1)}
        deals = {row.reference: record_id("006", place) for place, row in enumerate(company.opportunities, 1)}
    else:
        server, ids = request.getfixturevalue("mockforce_server")
        abilities = salesforce_org.Abilities(has_collections=False, has_describe=False)
        lacks = {
            "LIKE": "simple-mockforce ignores the condition without a word",
            "dates": "simple-mockforce can't compare them",
            "links": "simple-mockforce finds nothing by an OR of two ANDs",
        }
        accounts, deals = ids["Account"], ids["Opportunity"]
    async with client(server.url) as http:
        org = salesforce_org.SalesforceOrg(http, SchemaDrift("crm"), abilities)
        yield System(name, server.url, Salesforce(org), http, company, lacks, accounts, deals)


async def test_every_id_of_a_batch_is_one_request_and_absent_ones_are_left_out(system: System) -> None:
    ids = list(system.companies.values())[:98]
    absent = [record_id("001", 999_999), "not-an-id", record_id("006", 1), "' OR Name != '"]
    await system.crm.companies.read(ids[:1])  # the org's fields are known from here on
    with serving(CurrentRequest()) as request:
        found = await system.crm.companies.read([*ids, *absent])
    assert list(request.vendor_requests.items()) == [("salesforce", 1)]
    assert sorted(found) == sorted(ids)
    expected = known(system.company)[5]
    sixth = found[ids[5]]
    assert (sixth.name, sixth.reference, sixth.domain, sixth.city) == (
        expected.name_in(Source.CRM),
        expected.reference,
        expected.domain,
        expected.city_in(Source.CRM),
    )
    assert (sixth.segment, sixth.employees) == (Segment(expected.segment), expected.employees)
    assert sixth.status is CustomerStatus(expected.status)


async def test_companies_and_deals_are_read_as_the_port_promises(system: System) -> None:
    ids = list(system.companies.values())[20:]
    await system.crm.companies.read(ids[:1])
    await check_reads(system.crm.companies, known=ids, absent=[record_id("001", 999_999)])
    await system.crm.deals.read(list(system.deals.values())[:1])
    await check_reads(system.crm.deals, known=list(system.deals.values()), absent=[record_id("006", 999_999)])


async def test_every_company_is_listed_once(system: System) -> None:
    listed = [company.id async for page in system.crm.all_companies() for company in page]
    assert len(listed) == len(set(listed))
    assert set(system.companies.values()) <= set(listed)


async def test_deals_are_found_filtered_ordered_and_cut_as_asked(system: System) -> None:
    query = DealQuery(stages=(OpportunityStage.WON,), order=DealOrder.AMOUNT)
    expected = sorted(row.amount for row in system.company.opportunities if row.stage == "WON")
    with serving(CurrentRequest()) as request:
        page = await system.crm.find_deals(query, offset=3, size=5)
    assert request.vendor_requests["salesforce"] <= 2
    assert page.total == len(expected)
    assert [deal.amount for deal in page.deals] == expected[3:8]
    assert {deal.stage for deal in page.deals} == {OpportunityStage.WON}
    with pytest.raises(BadUserInputError):
        await system.crm.find_deals(query, offset=9_990, size=20)


async def test_the_vendor_finds_what_the_same_query_finds_in_memory(system: System) -> None:
    """`Customer.opportunities` filters deals at hand, `opportunities` lets Salesforce search: both mean the same."""
    by_id = await record_loader(system.crm.deals).load_many(list(system.deals.values()))
    everything = [deal for deal in by_id if deal is not None]
    rng = random.Random(7)
    names = [name_words(deal.name or "") for deal in everything]
    compared = 0
    for _ in range(40):
        chosen = rng.choice(everything)
        words = tuple(word[1:4] for word in rng.choice(names)[:2] if word[1:4]) if rng.random() < 0.6 else ()
        by_date = rng.random() < 0.4
        query = DealQuery(
            stages=tuple(rng.sample(list(OpportunityStage), 2)) if rng.random() < 0.5 else (),
            owner_id=chosen.owner_id if rng.random() < 0.4 else None,
            name_words=() if "LIKE" in system.lacks else words,
            contract_numbers=(chosen.contract_number,) if chosen.contract_number and rng.random() < 0.2 else (),
            closes_from=chosen.close_on if by_date and "dates" not in system.lacks else None,
            closes_until=dt.date(2026, 3, 1) if by_date and "dates" not in system.lacks else None,
            min_amount=chosen.amount if rng.random() < 0.4 else None,
        )
        expected = sorted(deal.id for deal in everything if query.matches(deal))
        compared += bool(expected)
        page = await system.crm.find_deals(query, offset=0, size=2000)
        assert sorted(deal.id for deal in page.deals) == expected, query
        assert page.total == len(expected)
    assert compared > 10


async def test_contracts_find_their_deals_in_one_request(system: System) -> None:
    rows = [row for row in system.company.opportunities if row.contract][:60]
    await system.crm.deals.read(list(system.deals.values())[:1])
    with serving(CurrentRequest()) as request:
        found = await system.crm.deals_of_contracts([*{row.contract for row in rows if row.contract}, "CON-1999-0001"])
    assert request.vendor_requests["salesforce"] == 1
    for row in rows:
        assert system.deals[row.reference] in {deal.id for deal in found[row.contract or ""]}
    assert "CON-1999-0001" not in found
    deal = next(deal for deal in found[rows[0].contract or ""] if deal.id == system.deals[rows[0].reference])
    assert (deal.amount, deal.currency, deal.close_on) == (rows[0].amount, rows[0].currency, rows[0].close_on)
    assert isinstance(deal.amount, Decimal)


async def test_links_of_a_hundred_companies_are_one_request_each(system: System) -> None:
    by_customer: dict[str, list[str]] = {}
    for row in system.company.opportunities:
        by_customer.setdefault(system.companies[row.customer], []).append(system.deals[row.reference])
    ids = list(system.companies.values())[:100]
    with serving(CurrentRequest()) as request:
        deals = await system.crm.deals_of(ids)
        buyers = await system.crm.companies_of_deals([deals[ids[0]][0]])
        links = await system.crm.links_of(ids)
    assert request.vendor_requests["salesforce"] == 3
    assert {key: sorted(found) for key, found in deals.items()} == {
        key: sorted(found) for key, found in by_customer.items() if key in ids
    }
    assert buyers == {deals[ids[0]][0]: (ids[0],)}
    if "links" not in system.lacks:
        child = next(row for row in known(system.company) if row.parent in system.companies)
        here, parent = system.companies[child.reference], system.companies[child.parent or ""]
        assert links[here] == CompanyLinks(parents=(parent,), children=())
        assert here in links[parent].children


async def test_a_company_is_changed_found_changed_and_put_under_its_business_key(system: System) -> None:
    row = known(system.company)[-1]
    company_id = system.companies[row.reference]
    began = (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    await system.crm.change_company(
        company_id, CompanyChange(name="O'Neil \\ Söhne", segment=Segment.SMB), version=None
    )
    changed, deleted, last = await system.crm.companies.changed(began)
    assert (company_id, "O'Neil \\ Söhne", Segment.SMB) in {(each.id, each.name, each.segment) for each in changed}
    assert (deleted, last is not None) == ({}, True)
    # simple-mockforce takes a key as it stands in the path, its escapes included.
    key = "CUST-8/8 ?" if system.name == "sandbox" else "CUST-88"
    put = await system.crm.put_companies({row.reference: CompanyChange(name="Put"), key: CompanyChange(name="Made")})
    assert put[row.reference] == company_id
    assert await system.crm.put_companies({key: CompanyChange(name="Made")}) == {key: put[key]}
    with pytest.raises(VendorNotFoundError):
        await system.crm.change_company(record_id("001", 999_999), CompanyChange(name="x"), version=None)


async def test_many_companies_are_put_in_ceil_of_n_by_the_batch_and_one_refused_keeps_nobody_else_out(
    system: System,
) -> None:
    size = system.crm.companies.capabilities.max_writes_per_call
    assert size == (200 if system.name == "sandbox" else 1)
    count = 450 if system.name == "sandbox" else 12
    changes = {f"MANY-{n}": CompanyChange(name=f"Company {n}", segment=Segment.SMB) for n in range(count)}
    if system.name == "sandbox":
        changes["MANY-7"] = CompanyChange(name="x" * 300)
    with serving(CurrentRequest()) as request:
        found = await system.crm.put_companies(changes)
    # simple-mockforce does not say which id it gave, and is asked.
    assert request.vendor_requests.total() <= -(-count // size) * (1 if system.name == "sandbox" else 2)
    refused = {key: each for key, each in found.items() if not isinstance(each, str)}
    if system.name == "sandbox":
        (error,) = refused.values()
        assert (list(refused), error.code, error.outcome) == (["MANY-7"], "BAD_USER_INPUT", Outcome.NOT_APPLIED)
        assert "`name`" in error.message
    else:
        assert refused == {}
    ids = [each for each in found.values() if isinstance(each, str)]
    assert len(set(ids)) == count - len(refused)
    read = await system.crm.companies.read(ids[:100])
    assert {(each.id, each.reference, each.segment) for each in read.values()} == {
        (found[key], key, Segment.SMB) for key in list(changes) if found[key] in ids[:100]
    }
    again = await system.crm.put_companies({key: changes[key] for key in list(changes)[8:11]})
    assert again == {key: found[key] for key in again}


async def test_a_company_is_made_found_and_taken_away_by_its_business_key(system: System) -> None:
    new = NewCompany(
        reference="NEW-1", name="Söhne & Co", domain="soehne.example", street="1 Street", city="Wien", country="AT",
        segment=Segment.STARTUP, status=CustomerStatus.PROSPECT,
    )  # fmt: skip
    assert await system.crm.find_company("NEW-1") is None
    made = await system.crm.create_company(new)
    assert await system.crm.create_company(new) == made, "a repetition makes none"
    assert await system.crm.find_company("NEW-1") == made
    (company,) = (await system.crm.companies.read([made])).values()
    assert (company.name, company.reference, company.domain, company.city, company.country) == (
        "Söhne & Co", "NEW-1", "soehne.example", "Wien", "AT",
    )  # fmt: skip
    assert (company.segment, company.status) == (Segment.STARTUP, CustomerStatus.PROSPECT)
    await system.crm.archive_company(made)
    assert await system.crm.find_company("NEW-1") is None
    assert await system.crm.companies.read([made]) == {}
    await system.crm.archive_company(made)


async def test_a_session_that_ended_is_replaced_once_for_all_that_wait(tmp_path: Path) -> None:
    settings = {**sandbox_settings(tmp_path, vendor="salesforce"), "CONCORD_CRM_SANDBOX_SESSION_S": 0.5}
    sandbox = await asyncio.to_thread(serve_module, "subgraphs.crm.sandbox", tmp_path, settings)
    try:
        async with client(sandbox.url) as http:
            crm = Salesforce(salesforce_org.SalesforceOrg(http, SchemaDrift("crm")))
            await crm.companies.read([record_id("001", 1)])
            await asyncio.sleep(0.6)
            found = await asyncio.gather(*(crm.companies.read([record_id("001", place)]) for place in range(1, 9)))
            assert all(found)
            assert http.requests_total["POST 401"] == 8
            assert http.credential.exchanges == 2  # type: ignore[union-attr]
            await asyncio.sleep(0.6)
            # A write that met the end of the session did nothing, and is sent again with the next one.
            await crm.change_company(record_id("001", 1), CompanyChange(name="Later"), version=None)
            assert (await crm.companies.read([record_id("001", 1)]))[record_id("001", 1)].name == "Later"
    finally:
        sandbox.stop()


async def test_a_wrong_secret_is_our_fault_and_says_nothing_of_why(salesforce_sandbox: ServedProcess) -> None:
    async with client(salesforce_sandbox.url, secret="wrong") as http:
        crm = Salesforce(salesforce_org.SalesforceOrg(http, SchemaDrift("crm")))
        with pytest.raises(VendorAuthError) as refused:
            await crm.companies.read([record_id("001", 1)])
    assert refused.value.message == "The crm system refused our credential."
    assert refused.value.extensions == {"code": "SYSTEM_AUTH_FAILED", "retryable": False, "system": "crm"}
    assert not http.requests_total.total() - http.requests_total["GET no answer"]


@pytest.mark.parametrize("system", ["sandbox"], indirect=True)
async def test_a_record_modified_since_it_was_read_is_not_overwritten(system: System) -> None:
    deal_id = list(system.deals.values())[7]
    before = (await system.crm.deals.read([deal_id]))[deal_id]
    await system.crm.change_deal(deal_id, DealChange(renewal_stage=RenewalStage.QUOTED), version=before.version)
    with pytest.raises(VendorConflictError):
        await system.crm.change_deal(deal_id, DealChange(name="Late"), version=before.version)
    after = (await system.crm.deals.read([deal_id]))[deal_id]
    assert (after.name, after.renewal_stage) == (before.name, RenewalStage.QUOTED)
    # Two changes within a second are two versions, although Salesforce's clock shows the same instant.
    await system.crm.change_deal(deal_id, DealChange(name="Soon"), version=after.version)
    assert (await system.crm.deals.read([deal_id]))[deal_id].version != after.version


@pytest.mark.parametrize("system", ["sandbox"], indirect=True)
async def test_values_that_salesforce_refuses_are_the_fault_of_the_argument(system: System) -> None:
    company_id = system.companies[known(system.company)[3].reference]
    with pytest.raises(BadUserInputError) as refused:
        await system.crm.change_company(company_id, CompanyChange(owner_id=record_id("005", 77)), version=None)
    assert refused.value.message == "The crm system does not take this value of `ownerId`."
    with pytest.raises(BadUserInputError) as refused:
        await system.crm.change_company(company_id, CompanyChange(name="n" * 300), version=None)
    assert refused.value.message == "The crm system does not take this value of `name`."


@pytest.mark.parametrize("system", ["sandbox"], indirect=True)
async def test_deleted_records_and_ties_within_a_second_are_found_by_the_next_look(system: System) -> None:
    mark = (await look(system.crm.deals, None)).mark
    ids = list(system.deals.values())[10:16]
    await asyncio.gather(*(system.crm.change_deal(deal_id, DealChange(name="Tied"), version=None) for deal_id in ids))
    await system.client.write("DELETE", f"{API}/sobjects/Opportunity/{ids[0]}")
    found = await look(system.crm.deals, mark)
    (changed,) = found.items
    assert {deal.id for deal in changed.records if deal.name == "Tied"} == set(ids[1:])
    assert list(changed.deleted) == ids[:1]
    # A change made in the second of the mark is not skipped.
    await system.crm.change_deal(ids[1], DealChange(name="Same second"), version=None)
    (again,) = (await look(system.crm.deals, found.mark)).items
    assert "Same second" in {deal.name for deal in again.records}
    assert await system.crm.deals.read([ids[0]]) == {}


@pytest.mark.parametrize("system", ["sandbox"], indirect=True)
async def test_a_list_is_read_over_all_its_pages(system: System) -> None:
    org = salesforce_org.SalesforceOrg(system.client, SchemaDrift("crm"))
    query = "SELECT Id FROM Opportunity ORDER BY Id"
    pages = [(len(records), total) async for records, total in org.query(query, page=200)]
    total = len(list(system.deals)) - 1  # one was deleted above
    assert [size for size, _ in pages] == [200] * (total // 200) + [total % 200]
    assert {told for _, told in pages} == {total}


@pytest.mark.parametrize("system", ["sandbox"], indirect=True)
async def test_too_many_requests_are_a_rate_limit_although_salesforce_says_forbidden(system: System) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http, client(system.url, retries=0) as limited:
        crm = Salesforce(salesforce_org.SalesforceOrg(limited, SchemaDrift("crm")))
        await crm.companies.read([record_id("001", 1)])
        await http.put(f"{system.url}/__sandbox/faults", json={"rateLimitPerS": 0.01})
        try:
            with pytest.raises(VendorRateLimitedError) as refused:
                for _ in range(3):
                    await crm.companies.read([record_id("001", 1)])
        finally:
            await http.put(f"{system.url}/__sandbox/faults", json={})
    assert (refused.value.code, refused.value.retryable) == ("SYSTEM_RATE_LIMITED", True)


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Id FROM Account WHERE Name = 'a' AND Name = 'b' OR Name = 'c'", "MALFORMED_QUERY"),
        ('SELECT Id FROM Account WHERE Name = "a"', "MALFORMED_QUERY"),
        ("SELECT Nope FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM Opportunity WHERE CloseDate > '2026-01-01'", "INVALID_FIELD"),
        ("SELECT Id FROM Opportunity WHERE CloseDate > 2026-13-01", "MALFORMED_QUERY"),
        ("SELECT Id FROM Nothing", "INVALID_TYPE"),
        (
            f"SELECT Id FROM Account WHERE Id IN ({','.join(repr(record_id('001', n)) for n in range(900))})",
            "REQUEST_URI_TOO_LONG",
        ),
    ],
)
async def test_the_sandbox_refuses_what_salesforce_refuses(
    salesforce_sandbox: ServedProcess, soql: str, code: str
) -> None:
    async with client(salesforce_sandbox.url) as http:
        org = salesforce_org.SalesforceOrg(http, SchemaDrift("crm"))
        with pytest.raises(Exception) as refused:
            await org.rows(soql)
    assert refused.value.reply.body[0]["errorCode"] == code  # type: ignore[attr-defined]


def test_no_text_breaks_out_of_a_query() -> None:
    assert quote('O\'Neil \\ "x"\n\0') == "'O\\'Neil \\\\ \\\"x\\\"\\n'"
    assert contains("Name", "50%_'") == "Name LIKE '%50\\%\\_\\'%'"


def test_documents_become_the_records_of_the_golden_file() -> None:
    drift = SchemaDrift("crm")
    mapping = salesforce_mapping.SalesforceMapping(drift=drift, currency="CHF")
    parse = {
        "company": mapping.to_company,
        "person": mapping.to_person,
        "deal": mapping.to_deal,
        "owner": mapping.to_owner,
    }
    check_golden("crm/salesforce", salesforce_mapping.VERSION, salesforce_mapping.API_VERSION, parse, drift)


@pytest.mark.parametrize("system", ["sandbox"], indirect=True)
async def test_a_field_that_the_org_lacks_is_reported_and_null(system: System) -> None:
    """Orgs with one currency have no CurrencyIsoCode, and a query that names it is refused whole."""
    drift = SchemaDrift("crm")
    org = salesforce_org.SalesforceOrg(system.client, drift)
    assert await org.fields("Account", ("Id", "Nope__c", "Name")) == ["Id", "Name"]
    assert [(entry.what, entry.object, entry.field) for entry in drift.seen()] == [
        ("MISSING_FIELD", "Account", "Nope__c")
    ]
