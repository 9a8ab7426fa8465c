"""Callers whose claims confine them to some customers: the directory, the crosswalk and people's decisions keep to them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from pydantic import SecretStr, ValidationError

from gateway.access.caller import Caller
from gateway.access.identity import CallerSigner
from subgraphs.identity.settings import IdentitySettings
from subgraphs.kit.global_id import encode_global_id

SECRET = "between ourselves"
DIMENSIONS = {"business_unit": "segment", "tenant": "reference"}
CUSTOMERS = "{ customers { totalCount edges { node { id } } } unmatchedRecords { totalCount } }"


@pytest.fixture
async def asked(tmp_path, listener, running, record, monkeypatch):
    """Ask as somebody: three customers, of which the third is of another segment, and a record that nobody could place."""
    monkeypatch.setenv("CONCORD_IDENTITY_DIMENSIONS", json.dumps(DIMENSIONS))
    async with running(tmp_path, listener) as identity:
        taken = await identity.take(
            *(
                record("crm", str(n), reference=f"CUST-{n}", name=name, facets={"segment": segment})
                for n, name, segment in (
                    (1, "Alder Works", "SMB"),
                    (2, "Birch Hall", "SMB"),
                    (3, "Cedar Point", "ENTERPRISE"),
                )
            )
        )
        await identity.take(record("erp", "9", name="Alder Work"))

        async def ask(query: str, caller: Caller, **variables):
            name, value = CallerSigner(SECRET, "identity")(caller)
            response = await identity.client.post(
                f"{identity.url}/graphql", json={"query": query, "variables": variables}, headers={name: value}
            )
            return response.json()

        ask.identity, ask.ids = identity, [taken["customers"][str(n)] for n in (1, 2, 3)]
        yield ask


def unit(*values: str) -> Caller:
    return Caller(subject="ada", filters={"business_unit": values})


async def listed(asked, caller: Caller):
    data = (await asked(CUSTOMERS, caller))["data"]
    found = sorted(asked.ids.index(edge["node"]["id"]) + 1 for edge in data["customers"]["edges"])
    assert data["customers"]["totalCount"] == len(found)
    return found, data["unmatchedRecords"]["totalCount"]


async def test_each_sees_the_customers_of_all_its_dimensions(asked):
    for caller, expected in (
        (Caller(subject="ada"), ([1, 2, 3], 1)),
        (Caller(is_unrestricted=True), ([1, 2, 3], 1)),
        (Caller(subject="ada", filters={"region": ("EU",)}), ([1, 2, 3], 1)),
        (unit("SMB"), ([1, 2], 0)),
        (unit("SMB", "ENTERPRISE"), ([1, 2, 3], 0)),
        (unit(), ([], 0)),
        (unit("smb"), ([], 0)),
        (Caller(subject="ada", tenant="CUST-3"), ([3], 0)),
        (Caller(subject="ada", tenant="CUST-3", filters={"business_unit": ("SMB",)}), ([], 0)),
        (Caller(subject="ada", filters={"department": ("any",)}), ([], 0)),
    ):
        assert await listed(asked, caller) == expected, caller


async def test_the_crosswalk_tells_systems_whose_records_are_left(asked):
    async def confine(**message):
        return (
            await asked.identity.post("/confine", {"system": "crm", "tenant": None, "filters": {}, **message})
        ).json()

    assert await confine() == {"externalIds": None}
    assert await confine(tenant="CUST-2") == {"externalIds": ["2"]}
    assert await confine(filters={"business_unit": ["SMB"]}) == {"externalIds": ["1", "2"]}
    assert await confine(filters={"region": ["EU"]}) == {"externalIds": None}
    assert await confine(filters={"department": []}) == {"externalIds": []}
    assert await confine(system="erp", filters={"business_unit": ["SMB"]}) == {"externalIds": []}
    for wrong in ({"filters": {"business_unit": "SMB"}}, {"filters": []}, {"tenant": 3}, {"system": "CRM"}):
        assert (await confine(**wrong))["errors"][0]["extensions"]["code"] in {"BAD_REQUEST", "BAD_USER_INPUT"}
    unsigned = await asked.identity.client.post(asked.identity.url + "/confine", json={})
    assert unsigned.status_code == 401


async def test_a_tenant_sees_nobody_where_nothing_says_what_customer_it_is(tmp_path, identity_in, listener, record):
    tenant = Caller(subject="ada", tenant="CUST-1")
    confined = {"business_unit": ("SMB",)}
    for settings, alone, of_a_unit in (
        ({"dimensions": {"business_unit": "segment"}}, [], []),
        ({"dimensions": {"business_unit": "segment"}, "tenants_confine": False}, ["1", "2"], ["1"]),
        ({"dimensions": DIMENSIONS}, ["1"], ["1"]),
    ):
        async with identity_in(tmp_path, listener, **settings) as identity:
            taken = await identity.take(
                record("crm", "1", reference="CUST-1", name="Alder Works", facets={"segment": "SMB"}),
                record("crm", "2", reference="CUST-2", name="Cedar Point", facets={"segment": "ENTERPRISE"}),
            )
            for caller, expected in ((tenant, alone), (replace(tenant, filters=confined), of_a_unit)):
                name, value = CallerSigner(SECRET, "identity")(caller)
                answer = await identity.client.post(
                    f"{identity.url}/graphql", json={"query": CUSTOMERS}, headers={name: value}
                )
                edges = answer.json()["data"]["customers"]["edges"]
                assert {edge["node"]["id"] for edge in edges} == {taken["customers"][each] for each in expected}
                claims = {"tenant": caller.tenant, "filters": caller.filters}
                told = (await identity.post("/confine", {"system": "crm", **claims})).json()
                assert told == {"externalIds": None if not caller.filters and len(expected) == 2 else expected}


async def test_a_confined_caller_is_told_what_is_missing_and_of_foreign_customers_nothing(
    tmp_path, identity_in, listener, record
):
    """A foreign customer and one that nobody told of yet look alike: neither is there."""
    query = """query($ids: [_Any!]!) { customers { totalCount } _entities(representations: $ids) { ... on Customer { id } } }"""
    async with identity_in(tmp_path, listener, dimensions=DIMENSIONS, systems=("crm", "erp")) as identity:
        taken = await identity.take(record("crm", "1", reference="CUST-1", name="Alder", facets={"segment": "SMB"}))
        foreign, absent = taken["customers"]["1"], encode_global_id("Customer", "cust_absent")
        (await identity.post("/synchronised", {"system": "crm"})).raise_for_status()
        asked_for = [{"__typename": "Customer", "id": foreign}, {"__typename": "Customer", "id": absent}]
        for caller, entities, short in (
            (unit("ENTERPRISE"), [None, None], [["customers"]]),
            (Caller(subject="ada"), [{"id": foreign}, None], [["_entities", 1], ["customers"]]),
        ):
            name, value = CallerSigner(SECRET, "identity")(caller)
            body = {"query": query, "variables": {"ids": asked_for}}
            answer = (await identity.client.post(f"{identity.url}/graphql", json=body, headers={name: value})).json()
            assert answer["data"]["_entities"] == entities
            assert sorted(error["path"] for error in answer["errors"]) == short
            assert {(e["extensions"]["code"], e["extensions"]["system"]) for e in answer["errors"]} == {
                ("SYSTEM_SYNCHRONISING", "erp")
            }
        for wrong in ({"system": "CRM"}, {}):
            refused = await identity.post("/synchronised", wrong)
            assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_USER_INPUT")


async def test_a_customer_that_moves_to_another_unit_is_seen_there(asked, record):
    await asked.identity.take(
        record("crm", "1", reference="CUST-1", name="Alder Works", facets={"segment": "ENTERPRISE"})
    )
    assert (await listed(asked, unit("SMB")))[0] == [2]
    assert (await listed(asked, unit("ENTERPRISE")))[0] == [1, 3]


async def test_decisions_about_foreign_customers_find_none(asked):
    first, second, foreign = asked.ids
    merge = """mutation($id: ID!, $other: ID!) { mergeCustomers(input: { customerId: $id, version: "1", duplicateIds: [$other] }) {
      customer { id } } }"""
    link = """mutation($id: ID!, $system: String!, $record: String!) {
      linkIdentity(input: { customerId: $id, version: "1", system: $system, externalId: $record }) { customer { id } } }"""

    def codes(answer):
        return [(each["extensions"]["code"], each["message"]) for each in answer["errors"]]

    nobody = [("NOT_FOUND", "There is no such customer.")]
    for id_, other in ((first, foreign), (foreign, first)):
        assert codes(await asked(merge, unit("SMB"), id=id_, other=other)) == nobody
    no_record = [("NOT_FOUND", "No system has told of this record.")]
    for system, name in (("crm", "3"), ("erp", "9"), ("erp", "none")):
        answer = await asked(link, unit("SMB"), id=first, system=system, record=name)
        assert codes(answer) == no_record, (system, name)
    assert (await asked(merge, unit("SMB"), id=first, other=second))["data"]["mergeCustomers"]["customer"] == {
        "id": first
    }
    assert (await listed(asked, unit("SMB")))[0] == [1]


async def test_a_merged_customer_is_of_the_unit_that_it_is_listed_in_and_of_either_tenant(asked):
    first, _, third = asked.ids
    merge = """mutation($id: ID!, $other: ID!) { mergeCustomers(input: { customerId: $id, version: "1", duplicateIds: [$other] }) {
      customer { id } } }"""
    in_segment = "query($in: [Segment!]) { customers(filter: { segment: $in }) { edges { node { id } } } }"
    everybody = Caller(subject="ada")
    assert "errors" not in await asked(merge, everybody, id=first, other=third)
    for segment, expected in (("SMB", [1, 2]), ("ENTERPRISE", [])):
        edges = (await asked(in_segment, everybody, **{"in": [segment]}))["data"]["customers"]["edges"]
        assert sorted(asked.ids.index(edge["node"]["id"]) + 1 for edge in edges) == expected
        assert (await listed(asked, unit(segment)))[0] == expected
    for tenant, expected in (("CUST-1", [1]), ("CUST-2", [2]), ("CUST-3", [1])):
        assert (await listed(asked, Caller(subject="ada", tenant=tenant)))[0] == expected


def test_settings_say_one_thing_of_tenants(tmp_path):
    with pytest.raises(ValidationError, match="tenants_confine"):
        IdentitySettings(
            state_dir=tmp_path, signing_secret=SecretStr(SECRET), dimensions=DIMENSIONS, tenants_confine=False
        )


def test_a_region_is_no_dimension_of_customers(tmp_path):
    with pytest.raises(ValidationError, match="region"):
        IdentitySettings(state_dir=tmp_path, signing_secret=SecretStr(SECRET), dimensions={"region": "segment"})
