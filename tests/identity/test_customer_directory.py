"""Customers found, ordered and paged by the directory, and resolved by every key."""

from __future__ import annotations

import pytest

from subgraphs.kit.connection import encode_cursor
from subgraphs.kit.global_id import encode_global_id

CUSTOMERS = """query ($filter: CustomerFilter, $orderBy: CustomerOrder, $first: Int, $after: String, $last: Int, $before: String) {
  customers(filter: $filter, orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
    totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { node { id identities { externalId } } } } }"""

NAMES = ["delta", "Alpha", "charlie", "Bravo", "echo 100%", "Foxtrot"]


@pytest.fixture
async def known(identity, record):
    """Six customers: external id → global id."""
    taken = await identity.take(
        *(
            record(
                "crm",
                str(n),
                reference=f"CUST-{n}",
                name=name,
                facets={
                    "segment": ["SMB", "ENTERPRISE", "SMB"][n % 3],
                    "ownerId": encode_global_id("AccountOwner", str(n % 2)),
                    "ownerName": ["Zoe", "Ann"][n % 2],
                    "status": "ACTIVE" if n else "CHURNED",
                },
            )
            for n, name in enumerate(NAMES)
        )
    )
    await identity.take(
        *(
            record("erp", f"p{n}", reference=f"CUST-{n}", name=f"{NAMES[n]} Legal", facets={"overdueAmount": amount})
            for n, amount in ((1, "0.10"), (2, "12.50"), (3, "0"), (4, "9"))
        )
    )
    return taken["customers"]


@pytest.fixture
def find(identity, known):
    numbers = {customer: number for number, customer in known.items()}

    async def find(**variables):
        connection = (await identity.data(CUSTOMERS, **variables))["customers"]
        return "".join(numbers[edge["node"]["id"]] for edge in connection["edges"]), connection

    return find


async def test_customers_are_found_by_what_the_directory_knows(identity, known, find):
    for filter_, expected in (
        ({}, "132045"),
        ({"nameContains": "LEGAL"}, "1324"),
        ({"nameContains": "%"}, "4"),
        ({"nameContains": "ALPHA\nleg"}, ""),
        ({"segment": "SMB"}, "3205"),
        ({"segment": "SMB", "ownerId": encode_global_id("AccountOwner", "1")}, "35"),
        ({"segment": ["SMB", "ENTERPRISE"], "nameContains": "  "}, "132045"),
        ({"segment": []}, ""),
        ({"status": "CHURNED"}, "0"),
        ({"status": ["CHURNED", "PROSPECT"], "segment": ["SMB"]}, "0"),
        ({"overdue": True}, "124"),
        ({"overdue": False}, "305"),
        ({"ids": [known["5"], known["1"]]}, "15"),
        ({"ids": []}, ""),
    ):
        assert (await find(filter=filter_))[0] == expected, filter_


async def test_customers_are_ordered_and_paged_from_both_ends(find):
    for field, direction, expected in (
        ("NAME", "DESC", "540231"),
        ("OVERDUE_AMOUNT", "DESC", "241"),
        ("OWNER", "ASC", "135"),
        ("SEGMENT", "ASC", "14"),
    ):
        numbers, _ = await find(orderBy={"field": field, "direction": direction}, first=6)
        if len(expected) == 6:
            assert numbers == expected
        assert sorted(numbers[: len(expected)]) == sorted(expected)
    for direction, whole in (("ASC", "132045"), ("DESC", "540231")):
        order = {"field": "NAME", "direction": direction}
        forward, page = await find(orderBy=order, first=4)
        info = page["pageInfo"]
        assert (forward, page["totalCount"], info["hasNextPage"], info["hasPreviousPage"]) == (
            whole[:4],
            6,
            True,
            False,
        )
        rest, page = await find(orderBy=order, first=4, after=info["endCursor"])
        assert (rest, page["pageInfo"]["hasNextPage"], page["pageInfo"]["hasPreviousPage"]) == (whole[4:], False, True)
        back, page = await find(orderBy=order, last=4)
        info = page["pageInfo"]
        assert (back, info["hasNextPage"], info["hasPreviousPage"]) == (whole[2:], False, True)
        assert (await find(orderBy=order, last=4, before=info["startCursor"]))[0] == whole[:2]


async def test_a_page_that_can_not_be_is_refused(identity, known):
    by_name = (await identity.data(CUSTOMERS, first=1))["customers"]["pageInfo"]["endCursor"]
    for variables in (
        {"first": 201},
        {"first": -1},
        {"after": "nonsense"},
        {"after": by_name, "orderBy": {"field": "CREATED"}},
        {"after": encode_cursor("NAME", 7, "x")},
        {"after": encode_cursor("CREATED", 2**63, "x"), "orderBy": {"field": "CREATED"}},
        {"after": encode_cursor("CREATED", "x", "x"), "orderBy": {"field": "CREATED"}},
        {"filter": {"ids": ["Q29udHJhY3Q6MQ"]}},
        {"filter": {"ownerId": "Hugo Klein"}},
        {"filter": {"ownerId": "Q29udHJhY3Q6MQ"}},
        {"filter": {"ids": ["x"] * 501}},
    ):
        answer = await identity.ask(CUSTOMERS, **variables)
        assert [error["extensions"] for error in answer["errors"]] == [
            {"code": "BAD_USER_INPUT", "system": "identity", "retryable": False}
        ]


async def test_entities_are_resolved_by_every_key_and_absent_ones_are_null(identity, known, record):
    await identity.take(record("billing", "cus_1", reference="CUST-1"), record("billing", "cus_9", reference="CUST-1"))
    query = """query ($r: [_Any!]!) { _entities(representations: $r) { ... on Customer { id crmRef billingRef erpRef } } }"""
    representations = [
        {"__typename": "Customer", **key}
        for key in (
            {"id": known["1"]},
            {"crmRef": "1"},
            {"billingRef": "cus_9"},
            {"billingRef": "cus_1+cus_9"},
            {"erpRef": "p1"},
            {"crmRef": "404"},
            {"id": "Q3VzdG9tZXI6Z29uZQ"},
        )
    ]
    one = {"id": known["1"], "crmRef": "1", "billingRef": "cus_1+cus_9", "erpRef": "p1"}
    answer = await identity.ask(query, r=representations)
    assert answer == {
        "data": {"_entities": [one] * 5 + [None, None]},
        "extensions": {"concord": {"vendorRequests": {}}},
    }
    wrong = await identity.ask(
        query, r=[{"__typename": "Customer", "id": "x"}, {"__typename": "Customer", "crmRef": "2"}]
    )
    assert [(error["path"], error["extensions"]["code"]) for error in wrong["errors"]] == [
        (["_entities", 0], "BAD_USER_INPUT")
    ]
    assert wrong["data"]["_entities"][1]["id"] == known["2"]


async def test_one_customer_by_id(identity, known):
    query = "query ($id: ID!) { customer(id: $id) { id } }"
    assert await identity.data(query, id=known["3"]) == {"customer": {"id": known["3"]}}
    assert await identity.data(query, id="Q3VzdG9tZXI6Z29uZQ") == {"customer": None}
    answer = await identity.ask(query, id="Q29udHJhY3Q6MQ")
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
