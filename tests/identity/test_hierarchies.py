"""Who belongs to whom, as each system says, side by side: what differs is found, whichever ids the systems use."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from gateway.access.caller import Caller
from gateway.access.identity import CallerSigner
from subgraphs.identity.settings import IdentitySettings

SECRET = "between ourselves"
CUSTOMER = """query($id: ID!) { customer(id: $id) { hierarchies {
  system externalId parentExternalId parent { id } children { id } difference } } }"""
DIFFERENCES = """query($n: Int, $a: String, $l: Int, $b: String) {
  hierarchyDifferences(first: $n, after: $a, last: $l, before: $b) {
    totalCount pageInfo { hasNextPage hasPreviousPage } edges { cursor node { id } } } }"""


@pytest.fixture
async def told(identity, record):
    """A holding, its subsidiary and a stranger, as three systems have them; returns their ids."""

    async def tell(system, parents):
        records = [
            record(system, f"{system}-{name}", reference=f"CUST-{name}", name=f"Company {name}", parent=parent)
            for name, parent in parents.items()
        ]
        return (await identity.take(*records))["customers"]

    crm = await tell("crm", {"holding": "", "subsidiary": "crm-holding", "stranger": "", "lost": ""})
    await tell("billing", {"holding": "", "subsidiary": "", "stranger": "", "lost": "billing-nobody"})
    await tell("erp", {"holding": "", "subsidiary": "erp-stranger", "stranger": "erp-holding", "lost": ""})
    return {name: crm[f"crm-{name}"] for name in ("holding", "subsidiary", "stranger", "lost")}


def place(system, name, ids, *, parent=None, children=(), difference=None):
    return {
        "system": system,
        "externalId": f"{system}-{name}",
        "parentExternalId": parent and f"{system}-{parent}",
        "parent": {"id": ids[parent]} if parent in ids else None,
        "children": [{"id": ids[child]} for child in children],
        "difference": difference,
    }


async def hierarchies(identity, customer_id):
    return (await identity.data(CUSTOMER, id=customer_id))["customer"]["hierarchies"]


async def test_each_system_shows_its_own_hierarchy_and_how_it_differs(identity, told):
    assert await hierarchies(identity, told["subsidiary"]) == [
        place("billing", "subsidiary", told, difference="MISSING"),
        place("crm", "subsidiary", told, parent="holding"),
        place("erp", "subsidiary", told, parent="stranger", difference="OTHER"),
    ]
    assert await hierarchies(identity, told["stranger"]) == [
        place("billing", "stranger", told),
        place("crm", "stranger", told),
        place("erp", "stranger", told, parent="holding", children=["subsidiary"], difference="EXTRA"),
    ]
    assert await hierarchies(identity, told["holding"]) == [
        place("billing", "holding", told),
        place("crm", "holding", told, children=["subsidiary"]),
        place("erp", "holding", told, children=["stranger"]),
    ]
    assert await hierarchies(identity, told["lost"]) == [
        {**place("billing", "lost", told, difference="UNPLACED"), "parentExternalId": "billing-nobody"},
        place("crm", "lost", told),
        place("erp", "lost", told),
    ]


async def test_customers_that_differ_are_listed_page_by_page_both_ways(identity, told):
    expected = sorted(told[name] for name in ("subsidiary", "stranger", "lost"))

    async def walk(size, cursor, edge):
        found, at, more = [], None, True
        while more:
            page = (await identity.data(DIFFERENCES, **{size: 1, cursor: at}))["hierarchyDifferences"]
            assert page["totalCount"] == 3
            found += [each["node"]["id"] for each in page["edges"]]
            at, more = page["edges"][0]["cursor"], page["pageInfo"][edge]
        return found

    forward = await walk("n", "a", "hasNextPage")
    assert sorted(forward) == expected
    assert await walk("l", "b", "hasPreviousPage") == forward[::-1]
    answer = await identity.ask(DIFFERENCES, a="bm9uZQ")
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_what_a_system_tells_later_counts_and_one_without_a_hierarchy_says_nothing(identity, record, told):
    said = {"reference": "CUST-subsidiary", "name": "Company subsidiary"}
    await identity.take(record("erp", "erp-subsidiary", parent="erp-holding", **said))
    await identity.take(record("billing", "billing-subsidiary", **said))
    assert await hierarchies(identity, told["subsidiary"]) == [
        place("crm", "subsidiary", told, parent="holding"),
        place("erp", "subsidiary", told, parent="holding"),
    ]


async def test_a_merge_makes_two_parents_one(identity, told):
    """The ERP's other parent turns out to be the holding: then both say the same, and the holding does not own itself."""
    version = (await identity.data("query($id: ID!) { customer(id: $id) { identityVersion } }", id=told["holding"]))[
        "customer"
    ]["identityVersion"]
    merged = await identity.ask(
        "mutation($i: MergeCustomersInput!) { mergeCustomers(input: $i) { customer { id } } }",
        key="merge",
        i={"customerId": told["holding"], "duplicateIds": [told["stranger"]], "version": version},
    )
    assert "errors" not in merged, merged
    assert [each["difference"] for each in await hierarchies(identity, told["subsidiary"])] == ["MISSING", None, None]
    assert {each["parentExternalId"] for each in await hierarchies(identity, told["holding"])} == {None}


async def test_callers_see_no_hierarchy_of_systems_and_customers_that_they_may_not_see(
    tmp_path, listener, identity_in, record
):
    settings = {"regions": {"erp": "US", "crm": "EU"}, "dimensions": {"business_unit": "segment"}}
    IdentitySettings(signing_secret=SecretStr(SECRET), **settings)
    async with identity_in(tmp_path, listener, **settings) as identity:
        ids = (
            await identity.take(
                record("crm", "1", reference="CUST-1", name="Holding", facets={"segment": "SMB"}, parent=""),
                record("crm", "2", reference="CUST-2", name="Daughter", facets={"segment": "STARTUP"}, parent="1"),
                record("crm", "3", reference="CUST-3", name="Cousin", facets={"segment": "STARTUP"}, parent="none"),
            )
        )["customers"]
        await identity.take(
            record("erp", "1", reference="CUST-1", parent=""), record("erp", "2", reference="CUST-2", parent="")
        )

        async def ask(caller, query, **variables):
            name, value = CallerSigner(SECRET, "identity")(caller)
            answer = await identity.client.post(
                f"{identity.url}/graphql", json={"query": query, "variables": variables}, headers={name: value}
            )
            return answer.json()["data"]

        everybody, eu = Caller(subject="ada"), Caller(subject="ada", filters={"region": ("EU",)})
        unit = Caller(subject="ada", filters={"business_unit": ("STARTUP",)})
        shown = {
            caller.filters.get("region") or caller.filters.get("business_unit"): (
                [
                    (each["system"], each["parentExternalId"], each["difference"])
                    for each in (await ask(caller, CUSTOMER, id=ids["2"]))["customer"]["hierarchies"]
                ],
                (await ask(caller, DIFFERENCES))["hierarchyDifferences"]["totalCount"],
            )
            for caller in (everybody, eu, unit)
        }
        assert shown == {
            None: ([("crm", "1", None), ("erp", None, "MISSING")], 1),
            ("EU",): ([("crm", "1", None)], 0),
            ("STARTUP",): ([("crm", None, None), ("erp", None, None)], 0),
        }
        assert (await ask(unit, CUSTOMER, id=ids["3"]))["customer"]["hierarchies"] == [
            {
                "system": "crm",
                "externalId": "3",
                "parentExternalId": None,
                "parent": None,
                "children": [],
                "difference": None,
            }
        ]


@pytest.mark.parametrize("parent", ["a+b", 7, "x" * 501, "line\nbreak"])
async def test_a_parent_that_is_no_id_is_refused(identity, record, parent):
    answer = await identity.take(record("crm", "1", name="Acme", parent=parent))
    assert (answer["customers"], len(answer["rejected"])) == ({}, 1)
