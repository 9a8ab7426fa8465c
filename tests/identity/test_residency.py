"""Whoever may not see a region is answered as if its systems had never told of anything: not only the data, the existence too."""

import pytest

REGIONS = {"crm": "EU", "erp": "EU", "crm/us": "US", "erp/us": "US"}
EU = ("EU",)

CUSTOMERS = """query($f: CustomerFilter, $o: CustomerOrder, $n: Int, $l: Int, $a: String, $b: String) {
  customers(filter: $f, orderBy: $o, first: $n, last: $l, after: $a, before: $b) {
    totalCount pageInfo { hasNextPage hasPreviousPage }
    edges { node { crmRef erpRef identities { system externalId linkedBy score name reference taxId domain }
      history { kind system externalId rule reason } } } } }"""
UNMATCHED = """{ unmatchedRecords(first: 50) { totalCount edges { node {
  system externalId reason name customer { crmRef } candidates { rule score customer { crmRef erpRef } } } } } }"""
BY_REF = """query($r: [_Any!]!) { _entities(representations: $r) { ... on Customer { crmRef erpRef identities { system externalId } } } }"""


@pytest.fixture
async def both(tmp_path, listener, identity_in, record):
    """(Identity that also knows American records, identity that was only told the European ones)."""
    american = [
        # Founds what Europe has too, under the same reference: another name, other facets.
        record("erp/us", "1", reference="CUST-0001", name="Zorro Holdings", facets={"overdueAmount": "900.00", "status": "ACTIVE"}),
        # Only there, and first in every order.
        record("crm/us", "7", reference="CUST-0007", name="Aardvark Inc", domain="aardvark.example",
               facets={"segment": "ENTERPRISE", "overdueAmount": "5000.00", "ownerName": "Aaron"}),
        # Only there, and nearly the namesake of one that Europe will tell of.
        record("crm/us", "8", reference="CUST-0008", name="Nordlicht Logistics Group"),
    ]  # fmt: skip
    european = [
        record("crm", "11", reference="CUST-0001", name="Bergmann Optics", facets={"segment": "SMB", "ownerName": "Ida"}),
        record("crm", "12", reference="CUST-0002", name="Cassini Foods", facets={"segment": "STARTUP", "ownerName": "Emil"}),
        record("crm", "13", reference="CUST-0003", name="Delft Water", facets={"segment": "SMB", "ownerName": "Olga"}),
    ]  # fmt: skip
    later = [
        record("erp", "21", reference="CUST-0002", name="Cassini Foods SA", facets={"overdueAmount": "10.00"}),
        record("erp", "22", reference="CUST-0003", name="Delft Water BV"),
    ]
    async with (
        identity_in(tmp_path / "all", listener, regions=REGIONS) as all_,
        identity_in(tmp_path / "eu", listener, regions=REGIONS) as eu,
    ):
        await all_.take(american[0])
        await all_.take(*american[1:])
        for one in (all_, eu):
            await one.take(*european)
        await all_.take(record("erp/us", "2", reference="CUST-0002", name="Cassini America"))
        for one in (all_, eu):
            await one.take(*later)
        await all_.take(record("crm/us", "9", reference="CUST-0003", name="Delft Water USA"))
        yield all_, eu


async def test_every_list_filter_order_and_count_is_as_if_only_europe_had_told(both):
    all_, eu = both
    everything = await all_.data(CUSTOMERS, n=50)
    assert everything["customers"]["totalCount"] == 5
    asked = [{}, *({"f": each} for each in FILTERS), *({"o": each} for each in ORDERS)]
    asked += [{"o": {"field": "NAME"}, "l": 2}, {"o": {"field": "OVERDUE_AMOUNT", "direction": "DESC"}, "n": 1}]
    seen = 0
    for variables in asked:
        paged = variables if {"n", "l"} & variables.keys() else {**variables, "n": 50}
        answer = await all_.data(CUSTOMERS, regions=EU, **paged)
        assert answer == await eu.data(CUSTOMERS, regions=EU, **paged), variables
        seen += answer["customers"]["totalCount"]
    assert seen > 20
    # What is told later reaches the confined list as well.
    for one in both:
        await one.take({"system": "crm", "externalId": "14", "reference": "CUST-0004", "name": "Eider Down"})
    await all_.take({"system": "crm/us", "externalId": "15", "reference": "CUST-0005", "name": "Falcon Freight"})
    found = await all_.data(CUSTOMERS, regions=EU, n=50)
    assert found == await eu.data(CUSTOMERS, regions=EU, n=50)
    assert found["customers"]["totalCount"] == 4


FILTERS = [
    {"nameContains": "zorro"}, {"nameContains": "america"}, {"nameContains": "aard"}, {"nameContains": "a"},
    {"segment": ["ENTERPRISE"]}, {"segment": ["SMB", "STARTUP"]}, {"overdue": True}, {"overdue": False}, {"status": ["ACTIVE"]},
]  # fmt: skip
ORDERS = [
    {"field": field, "direction": direction}
    for field in ("NAME", "SEGMENT", "OWNER", "OVERDUE_AMOUNT", "CREATED")
    for direction in ("ASC", "DESC")
]


async def test_ids_references_and_aliases_of_what_is_hidden_are_those_of_nobody(both):
    all_, _ = both
    query = "query($n: String) { customers(filter: {nameContains: $n}) { edges { node { id identityVersion } } } }"

    async def named(name):
        (edge,) = (await all_.data(query, n=name))["customers"]["edges"]
        return edge["node"]

    hidden, shared = await named("aardvark"), await named("bergmann")
    one = "query($id: ID!) { customer(id: $id) { id identityVersion identities { system } history { kind system } } }"
    assert (await all_.ask(one, regions=EU, id=hidden["id"]))["data"] == {"customer": None}
    assert (await all_.data(one, id=hidden["id"]))["customer"]["identities"] == [{"system": "crm/us"}]
    ids = {"f": {"ids": [hidden["id"], shared["id"]]}, "n": 5}
    assert (await all_.data(CUSTOMERS, regions=EU, **ids))["customers"]["totalCount"] == 1
    refs = [
        {"__typename": "Customer", "crmRef": "us:7"},
        {"__typename": "Customer", "crmRef": "us:999"},
        {"__typename": "Customer", "erpRef": "us:1"},
        {"__typename": "Customer", "crmRef": "11"},
        {"__typename": "Customer", "id": hidden["id"]},
    ]
    found = (await all_.data(BY_REF, regions=EU, r=refs))["_entities"]
    assert found == [
        None, None, None, {"crmRef": "11", "erpRef": None, "identities": [{"system": "crm", "externalId": "11"}]}, None,
    ]  # fmt: skip
    # A merge with somebody hidden shows nowhere: no version, no line of history, no alias.
    before = (await all_.data(one, regions=EU, id=shared["id"]))["customer"]
    merge = """mutation($i: MergeCustomersInput!) { mergeCustomers(input: $i) { customer { id } } }"""
    given = {
        "customerId": shared["id"],
        "version": shared["identityVersion"],
        "duplicateIds": [hidden["id"]],
        "reason": "the aardvark deal",
    }
    await all_.data(merge, i=given)
    assert (await all_.data(one, id=hidden["id"]))["customer"]["id"] == shared["id"]
    assert (await all_.data(one, regions=EU, id=hidden["id"]))["customer"] is None
    assert (await all_.data(one, regions=EU, id=shared["id"]))["customer"] == before
    assert before["history"] == [{"kind": "CREATED", "system": "crm"}]
    assert (await all_.data(CUSTOMERS, regions=EU, **ids))["customers"]["totalCount"] == 1


async def test_records_that_wait_because_of_somebody_hidden_don_t_tell_of_them(both, record):
    all_, eu = both
    for one in both:
        await one.take(record("erp", "31", name="Nordlicht Logistik Group"))
        await one.take(record("erp", "32", name="Bergmann Opticals"), record("erp", "33"))
    everybody = await all_.data(UNMATCHED)
    assert {(e["node"]["externalId"], e["node"]["reason"]) for e in everybody["unmatchedRecords"]["edges"]} == {
        ("31", "NEEDS_REVIEW"), ("32", "NEEDS_REVIEW"), ("33", "NO_IDENTIFIER"),
    }  # fmt: skip
    shown = await all_.data(UNMATCHED, regions=EU)
    assert shown == await eu.data(UNMATCHED, regions=EU)
    assert shown["unmatchedRecords"]["totalCount"] == 2


async def test_a_decision_about_what_is_hidden_is_refused_as_about_what_is_not_there(both):
    all_, eu = both
    query = "query($n: String) { customers(filter: {nameContains: $n}) { edges { node { id identityVersion } } } }"
    (edge,) = (await all_.data(query, regions=EU, n="cassini"))["customers"]["edges"]
    mine = edge["node"]
    (edge,) = (await all_.data(query, n="aardvark"))["customers"]["edges"]
    hidden = edge["node"]["id"]
    (edge,) = (await eu.data(query, n="cassini"))["customers"]["edges"]
    link = "mutation($i: LinkIdentityInput!) { linkIdentity(input: $i) { customer { crmRef } } }"
    merge = "mutation($i: MergeCustomersInput!) { mergeCustomers(input: $i) { customer { crmRef } } }"
    split = "mutation($i: SplitCustomerInput!) { splitCustomer(input: $i) { customer { crmRef } } }"
    about = {"customerId": mine["id"], "version": mine["identityVersion"]}
    for mutation, there, not_there in (
        (link, {**about, "system": "crm/us", "externalId": "7"}, {**about, "system": "crm/us", "externalId": "999"}),
        (merge, {**about, "duplicateIds": [hidden]}, {**about, "duplicateIds": ["Q3VzdG9tZXI6bm9ib2R5"]}),
        (
            split,
            {**about, "records": [{"system": "erp/us", "externalId": "2"}]},
            {**about, "records": [{"system": "erp/us", "externalId": "999"}]},
        ),
        (
            link,
            {**about, "customerId": hidden, "system": "crm", "externalId": "13"},
            {**about, "customerId": "Q3VzdG9tZXI6bm9ib2R5", "system": "crm", "externalId": "13"},
        ),
    ):
        answers = [await all_.ask(mutation, regions=EU, i=each) for each in (there, not_there)]
        assert "errors" in answers[0]
        assert answers[0] == answers[1]
    # With what is seen, decisions can be taken, and the version that was shown is the one that counts.
    done = await all_.data(split, regions=EU, i={**about, "records": [{"system": "erp", "externalId": "21"}]})
    assert done["splitCustomer"]["customer"]["crmRef"] == "12"
    again = await all_.ask(split, regions=EU, i={**about, "records": [{"system": "erp", "externalId": "21"}]})
    assert again["errors"][0]["extensions"]["code"] == "CONFLICT"
