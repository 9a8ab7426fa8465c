"""People link, merge and split: once, visibly, reversibly, and not over somebody else's change."""

from __future__ import annotations

import pytest

FIELDS = "id identityVersion identities { system externalId linkedBy }"
CUSTOMER = (
    f"query ($id: ID!) {{ customer(id: $id) {{ {FIELDS} history {{ kind externalId otherCustomerId reason }} }} }}"
)
LINK = f"mutation ($input: LinkIdentityInput!) {{ linkIdentity(input: $input) {{ customer {{ {FIELDS} }} clientMutationId }} }}"
MERGE = f"mutation ($input: MergeCustomersInput!) {{ mergeCustomers(input: $input) {{ customer {{ {FIELDS} }} clientMutationId }} }}"
SPLIT = f"""mutation ($input: SplitCustomerInput!) {{ splitCustomer(input: $input) {{
  customer {{ {FIELDS} }} newCustomer {{ {FIELDS} }} clientMutationId }} }}"""


@pytest.fixture
async def two(identity, record):
    """Two customers, each in the CRM and in billing."""
    crm = await identity.take(
        record("crm", "1", reference="CUST-1", name="Acme"),
        record("crm", "2", reference="CUST-2", name="Northwind Logistics"),
    )
    await identity.take(record("billing", "cus_1", reference="CUST-1"), record("billing", "cus_2", reference="CUST-2"))
    return crm["customers"]["1"], crm["customers"]["2"]


def records(customer):
    return [f"{entry['system']}:{entry['externalId']}" for entry in customer["identities"]]


def refused(answer):
    (error,) = answer["errors"]
    assert list(answer["data"].values()) == [None]
    return error["extensions"]["code"], error["extensions"]["outcome"]


async def test_merged_customers_are_one_and_both_ids_find_it(identity, two):
    one, other = two
    input_ = {
        "customerId": one,
        "version": "2",
        "duplicateIds": [other],
        "reason": "same company",
        "clientMutationId": "m1",
    }
    payload = (await identity.data(MERGE, input=input_))["mergeCustomers"]
    assert payload["clientMutationId"] == "m1"
    assert payload["customer"]["id"] == one
    assert records(payload["customer"]) == ["billing:cus_1", "crm:1", "billing:cus_2", "crm:2"] or records(
        payload["customer"]
    ) == ["crm:1", "billing:cus_1", "billing:cus_2", "crm:2"]
    by_alias = (await identity.data(CUSTOMER, id=other))["customer"]
    assert by_alias["id"] == one
    assert by_alias["history"][-1] == {
        "kind": "MERGED_IN",
        "externalId": None,
        "otherCustomerId": other,
        "reason": "same company",
    }
    found = await identity.data("{ customers { totalCount edges { node { id } } } }")
    assert found == {"customers": {"totalCount": 1, "edges": [{"node": {"id": one}}]}}
    told = (await identity.listener.until(6))[4:]
    assert [(e["type"], e["subject"], e["data"]["changes"]) for e in told] == [
        ("concord.customer.merged.v1", one, [{"field": "mergedFrom", "from": None, "to": other}]),
        ("concord.customer.updated.v1", other, [{"field": "mergedInto", "from": None, "to": one}]),
    ]
    # Said again, in any way, it is simply so.
    assert (await identity.data(MERGE, input=input_))["mergeCustomers"] == payload
    again = await identity.data(MERGE, input={**input_, "clientMutationId": None, "version": "1"})
    assert again["mergeCustomers"]["customer"] == payload["customer"]
    assert refused(await identity.ask(MERGE, input={**input_, "reason": "other"}))[0] == "IDEMPOTENCY_KEY_REUSED"


async def test_a_split_undoes_a_merge_and_gives_the_id_back(identity, two, record):
    one, other = two
    merged = await identity.data(MERGE, input={"customerId": one, "version": "2", "duplicateIds": [other]})
    version = merged["mergeCustomers"]["customer"]["identityVersion"]
    leaving = [{"system": "crm", "externalId": "2"}, {"system": "billing", "externalId": "cus_2"}]
    payload = (await identity.data(SPLIT, input={"customerId": one, "version": version, "records": leaving}))[
        "splitCustomer"
    ]
    assert (payload["customer"]["id"], payload["newCustomer"]["id"]) == (one, other)
    assert sorted(records(payload["customer"])) == ["billing:cus_1", "crm:1"]
    assert sorted(records(payload["newCustomer"])) == ["billing:cus_2", "crm:2"]
    await identity.take(record("crm", "2", reference="CUST-1", name="Acme"))
    assert sorted(records((await identity.data(CUSTOMER, id=other))["customer"])) == ["billing:cus_2", "crm:2"]


async def test_ids_merged_into_a_customer_that_is_split_off_again_go_with_it(identity, two, record):
    """Third into second, second into first; then second is taken out of first again."""
    one, other = two
    taken = await identity.take(record("crm", "3", reference="CUST-3", name="Zephyr Quarries"))
    third = taken["customers"]["3"]
    await identity.data(MERGE, input={"customerId": other, "version": "2", "duplicateIds": [third]})
    merged = await identity.data(MERGE, input={"customerId": one, "version": "2", "duplicateIds": [other]})
    version = merged["mergeCustomers"]["customer"]["identityVersion"]
    assert (await identity.data(CUSTOMER, id=third))["customer"]["id"] == one
    leaving = [("crm", "2"), ("crm", "3"), ("billing", "cus_2")]
    input_ = {"customerId": one, "version": version, "records": [{"system": s, "externalId": e} for s, e in leaving]}
    payload = (await identity.data(SPLIT, input=input_))["splitCustomer"]
    assert payload["newCustomer"]["id"] == other
    assert (await identity.data(CUSTOMER, id=third))["customer"]["id"] == other
    assert sorted(records(payload["newCustomer"])) == ["billing:cus_2", "crm:2", "crm:3"]


async def test_a_split_makes_a_new_customer_that_rules_do_not_join_again(identity, two, record):
    one, _ = two
    leaving = [{"system": "billing", "externalId": "cus_1"}]
    input_ = {"customerId": one, "version": "2", "records": leaving, "reason": "a namesake"}
    payload = (await identity.data(SPLIT, input=input_))["splitCustomer"]
    new = payload["newCustomer"]
    assert new["id"] not in two
    assert new["identities"] == [{"system": "billing", "externalId": "cus_1", "linkedBy": "MANUAL"}]
    taken = await identity.take(record("billing", "cus_1", reference="CUST-1"))
    assert taken["customers"] == {"cus_1": new["id"]}
    everything = [{"system": "crm", "externalId": "1"}]
    current = payload["customer"]["identityVersion"]
    answer = await identity.ask(SPLIT, input={"customerId": one, "version": current, "records": everything})
    assert refused(answer) == ("BAD_USER_INPUT", "NOT_APPLIED")


async def test_a_record_on_hold_is_linked_by_hand_and_stays(identity, two, record):
    one, other = two
    held = record("erp", "7", name="Northwind Logistics Europe")
    assert (await identity.take(held))["unmatched"] == [{"externalId": "7", "reason": "NEEDS_REVIEW"}]
    input_ = {"customerId": one, "version": "2", "system": "erp", "externalId": "7", "reason": "called them"}
    payload = (await identity.data(LINK, input=input_))["linkIdentity"]
    assert payload["customer"]["identities"][-1] == {"system": "erp", "externalId": "7", "linkedBy": "MANUAL"}
    assert (await identity.take(held))["customers"] == {"7": one}
    assert (await identity.data("{ unmatchedRecords { totalCount } }"))["unmatchedRecords"]["totalCount"] == 0
    moved = await identity.data(LINK, input={**input_, "customerId": other})
    assert records(moved["linkIdentity"]["customer"])[-1] == "erp:7"
    history = (await identity.data(CUSTOMER, id=one))["customer"]["history"]
    assert history[-1] == {"kind": "UNLINKED", "externalId": "7", "otherCustomerId": other, "reason": "called them"}


async def test_a_record_that_fits_two_customers_fits_one_once_they_are_merged(identity, record):
    crm = await identity.take(
        record("crm", "1", reference="CUST-1", taxId="DE 111 111", name="Acme"),
        record("crm", "2", reference="CUST-2", taxId="DE 111 111", name="Acme Works"),
    )
    one, other = crm["customers"]["1"], crm["customers"]["2"]
    held = record("erp", "7", taxId="DE111111", name="Acme")
    assert (await identity.take(held))["unmatched"] == [{"externalId": "7", "reason": "AMBIGUOUS"}]
    query = '{ unmatchedRecords(system: "erp") { edges { node { candidates { customer { id } } } } } }'

    async def candidates():
        (edge,) = (await identity.data(query))["unmatchedRecords"]["edges"]
        return [each["customer"]["id"] for each in edge["node"]["candidates"]]

    assert sorted(await candidates()) == sorted([one, other])
    await identity.data(MERGE, input={"customerId": one, "version": "1", "duplicateIds": [other]})
    assert await candidates() == [one]
    assert (await identity.take(held))["customers"] == {"7": one}


async def test_decisions_on_stale_or_absent_things_are_refused_and_change_nothing(identity, two):
    one, other = two
    link = {"customerId": one, "version": "2", "system": "billing", "externalId": "cus_2"}
    gone = "Q3VzdG9tZXI6Z29uZQ"
    for document, input_, code in (
        (MERGE, {"customerId": one, "version": "1", "duplicateIds": [other]}, "CONFLICT"),
        (MERGE, {"customerId": one, "version": "2", "duplicateIds": [gone]}, "NOT_FOUND"),
        (MERGE, {"customerId": one, "version": "2", "duplicateIds": [one]}, "BAD_USER_INPUT"),
        (MERGE, {"customerId": one, "version": "2", "duplicateIds": []}, "BAD_USER_INPUT"),
        (LINK, {**link, "version": "1"}, "CONFLICT"),
        (LINK, {**link, "externalId": "404"}, "NOT_FOUND"),
        (LINK, {**link, "externalId": "a+b"}, "BAD_USER_INPUT"),
        (LINK, {**link, "customerId": gone}, "NOT_FOUND"),
        (SPLIT, {"customerId": one, "version": "1", "records": [{"system": "crm", "externalId": "1"}]}, "CONFLICT"),
        (
            SPLIT,
            {"customerId": one, "version": "2", "records": [{"system": "crm", "externalId": "2"}]},
            "BAD_USER_INPUT",
        ),
    ):
        assert refused(await identity.ask(document, input=input_)) == (code, "NOT_APPLIED")
    versions = [(await identity.data(CUSTOMER, id=id_))["customer"]["identityVersion"] for id_ in two]
    assert versions == ["2", "2"]


async def test_the_same_key_gives_the_first_answer_again(identity, two):
    one, _ = two
    input_ = {"customerId": one, "version": "2", "records": [{"system": "crm", "externalId": "1"}]}
    first = await identity.ask(SPLIT, key="k1:splitCustomer", input=input_)
    assert "errors" not in first
    assert await identity.ask(SPLIT, key="k1:splitCustomer", input=input_) == first
    assert refused(await identity.ask(SPLIT, key="k2:splitCustomer", input=input_)) == ("CONFLICT", "NOT_APPLIED")
