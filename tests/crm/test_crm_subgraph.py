"""The CRM subgraph over HTTP: entities, lists, vendor calls, bad input and faults, with everything around it running."""

import asyncio
import json
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from crm_world import World, crm_settings
from served_process import free_port, serve_module

from subgraphs.crm.app import schema
from subgraphs.kit.company.model import Company, Source
from subgraphs.kit.global_id import encode_global_id
from subgraphs.kit.subgraph_schema import print_subgraph_schema

ENTITIES = "query($of: [_Any!]!) { _entities(representations: $of) { %s } }"


def refs(company: Company) -> dict[str, str]:
    known = [row for row in company.customers if Source.CRM not in row.missing_in]
    return {row.reference: str(9_100_001 + place) for place, row in enumerate(known)}


def customers(*ids: str) -> dict[str, Any]:
    return {"of": [{"__typename": "Customer", "crmRef": ref} for ref in ids]}


async def test_a_customer_is_answered_whole(world: World, company: Company) -> None:
    ids = refs(company)
    child = next(row for row in company.customers if row.parent in ids and row.reference in ids)
    parent = next(row for row in company.customers if row.reference == child.parent)
    owner = next(row for row in company.owners if row.reference == child.owner)
    deals = [row for row in company.opportunities if row.customer == child.reference]
    people = [row for row in company.contacts if row.customer == child.reference]
    fields = """... on Customer { name segment status employees owner { name email } parent { name children { edges { node { name } } } }
        contacts { totalCount edges { node { name email jobTitle customer { name } } } }
        opportunities(orderBy: {field: NAME}) { totalCount edges { node { name stage amount { amount currency } closeOn customer { name } } } }
        crmRecord { system vendor externalId fields { name value } } version }"""
    answer = await world.ask(ENTITIES % fields, customers(ids[child.reference]))
    assert "errors" not in answer
    (found,) = answer["data"]["_entities"]
    name = child.name_in(Source.CRM)
    assert found.pop("version").isdigit()
    children = {edge["node"]["name"] for edge in found["parent"].pop("children")["edges"]}
    assert name in children
    assert found == {
        "name": name,
        "segment": child.segment,
        "status": child.status,
        "employees": child.employees,
        "owner": {"name": owner.name, "email": owner.email},
        "parent": {"name": parent.name_in(Source.CRM)},
        "contacts": {
            "totalCount": len(people),
            "edges": [
                {
                    "node": {
                        "name": f"{row.first_name} {row.last_name}",
                        "email": row.email,
                        "jobTitle": row.job_title,
                        "customer": {"name": name},
                    }
                }
                for row in sorted(
                    people, key=lambda row: (row.last_name.lower(), row.first_name.lower(), row.reference)
                )
            ],
        },
        "opportunities": {
            "totalCount": len(deals),
            "edges": [
                {
                    "node": {
                        "name": row.name,
                        "stage": row.stage,
                        "amount": {"amount": str(row.amount.quantize(Decimal("0.01"))), "currency": row.currency},
                        "closeOn": row.close_on.isoformat(),
                        "customer": {"name": name},
                    }
                }
                for row in sorted(deals, key=lambda row: (row.name.lower(), row.reference))
            ],
        },
        "crmRecord": {
            "system": "crm",
            "vendor": "hubspot",
            "externalId": ids[child.reference],
            "fields": [
                {"name": "domain", "value": child.domain},
                {"name": "customerReference", "value": child.reference},
                {"name": "address", "value": child.address.street},
                {"name": "city", "value": child.city_in(Source.CRM)},
                {"name": "postalCode", "value": child.address.postal_code},
                {"name": "country", "value": child.address.country},
            ],
        },
    }


async def test_a_hundred_customers_with_everything_cost_a_handful_of_requests(world: World, company: Company) -> None:
    ids = list(refs(company).values())[:100]
    fields = """... on Customer { name segment owner { name } parent { name } contacts { totalCount }
        opportunities { totalCount edges { node { name stage owner { name } contract { number } } } } }"""
    await world.forget_requests()
    answer = await world.ask(ENTITIES % fields, customers(*ids))
    assert "errors" not in answer
    assert len(answer["data"]["_entities"]) == 100
    asked = await world.vendor_requests()
    assert answer["extensions"]["concord"]["vendorRequests"] == {"hubspot": sum(asked.values())}
    assert sum(asked.values()) <= 12, asked
    assert max(asked.values()) <= 4, asked


async def test_every_kind_of_record_costs_at_most_one_request_per_full_batch(world: World, company: Company) -> None:
    """HubSpot takes 100 ids a request, and 1,000 for links: more customers than one batch cost the next one, no more."""
    ids = list(refs(company).values())
    assert 100 < len(ids) <= 200
    fields = """... on Customer { crmRef owner { id } contacts(first: 100) { totalCount edges { node { id email } } }
        opportunities(first: 100) { totalCount edges { node { id name } } } }"""
    await world.forget_requests()
    answer = await world.ask(ENTITIES % fields, customers(*ids))
    assert "errors" not in answer
    asked = await world.vendor_requests()
    found = answer["data"]["_entities"]
    records = {
        "companies": len(ids),
        "contacts": len({edge["node"]["id"] for one in found for edge in one["contacts"]["edges"]}),
        "deals": len({edge["node"]["id"] for one in found for edge in one["opportunities"]["edges"]}),
    }
    for kind, count in records.items():
        assert 0 < asked[f"POST /crm/v3/objects/{kind}/batch/read"] <= -(-count // 100), (kind, count, asked)
    links = {route: count for route, count in asked.items() if "associations" in route}
    assert links
    assert all(count <= -(-len(ids) // 1000) for count in links.values()), links
    batches = {f"POST /crm/v3/objects/{kind}/batch/read" for kind in records}
    others = {route: count for route, count in asked.items() if route not in {*links, *batches}}
    assert sum(others.values()) <= 1, others  # the owners, listed once


async def test_two_records_of_one_customer_are_combined(world: World, company: Company) -> None:
    first, second = list(refs(company).values())[:2]
    fields = "... on Customer { crmRef name opportunities { edges { node { id } } } }"
    both = (await world.ask(ENTITIES % fields, customers(f"{first}+{second}", first, second)))["data"]["_entities"]
    of = [sorted(edge["node"]["id"] for edge in found["opportunities"]["edges"]) for found in both]
    assert of[0] == sorted(of[1] + of[2])
    assert (both[0]["name"], both[0]["crmRef"]) == (both[1]["name"], f"{first}+{second}")


async def test_what_does_not_exist_is_null_and_what_is_no_key_is_refused_in_its_own_place(world: World) -> None:
    of = [
        {"__typename": "Customer", "crmRef": "77"},
        {"__typename": "Opportunity", "id": encode_global_id("Opportunity", "77")},
        {"__typename": "Opportunity", "id": "no global id"},
        {"__typename": "Opportunity", "id": encode_global_id("Contact", "30001")},
        {"__typename": "Contract", "number": "CON-1999-0001", "unknown": 1},
        {"__typename": "Zork", "id": "1"},
        {"__typename": "Customer"},
        {"crmRef": "9100001"},
    ]
    fields = "__typename ... on Contract { number renewalStage originGap { code system } }"
    answer = await world.ask(ENTITIES % fields, {"of": of})
    assert answer["data"]["_entities"] == [
        None,
        None,
        None,
        None,
        {
            "__typename": "Contract",
            "number": "CON-1999-0001",
            "renewalStage": None,
            "originGap": {"code": "NO_OPPORTUNITY", "system": "crm"},
        },
        None,
        None,
        None,
    ]
    assert sorted((error["path"][1], error["extensions"]["code"]) for error in answer["errors"]) == [
        (place, "BAD_USER_INPUT") for place in (2, 3, 5, 6, 7)
    ]


async def test_all_opportunities_come_page_by_page_from_both_ends(world: World, company: Company) -> None:
    expected = sorted((row.amount for row in company.opportunities if row.stage == "LOST"), reverse=True)
    query = """query($first: Int, $after: String, $last: Int, $before: String) {
        opportunities(filter: {stage: [LOST]}, orderBy: {field: AMOUNT, direction: DESC},
                      first: $first, after: $after, last: $last, before: $before) {
            totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { node { amount { amount } } } } }"""

    async def page(**window: object) -> tuple[dict[str, Any], list[Decimal]]:
        found = (await world.ask(query, window))["data"]["opportunities"]
        assert found["totalCount"] == len(expected)
        return found["pageInfo"], [Decimal(edge["node"]["amount"]["amount"]) for edge in found["edges"]]

    forward: list[Decimal] = []
    info: dict[str, Any] = {"endCursor": None, "hasNextPage": True}
    while info["hasNextPage"]:
        info, amounts = await page(first=7, after=info["endCursor"])
        forward += amounts
    assert forward == expected
    backward: list[Decimal] = []
    info = {"startCursor": None, "hasPreviousPage": True}
    while info["hasPreviousPage"]:
        info, amounts = await page(last=7, before=info["startCursor"])
        backward = amounts + backward
    assert backward == expected


async def test_a_cursor_of_another_order_of_opportunities_is_refused(world: World) -> None:
    """A place counts in its own order and direction only."""
    query = """query($by: OpportunityOrder, $after: String) { opportunities(first: 2, orderBy: $by, after: $after) {
      edges { cursor } } }"""
    orders = [{"field": field, "direction": way} for field in ("NAME", "AMOUNT") for way in ("ASC", "DESC")]
    cursors = {
        place: (await world.ask(query, {"by": order}))["data"]["opportunities"]["edges"][0]["cursor"]
        for place, order in enumerate(orders)
    }
    for place, order in enumerate(orders):
        for of, cursor in cursors.items():
            answer = await world.ask(query, {"by": order, "after": cursor})
            if of == place:
                assert len(answer["data"]["opportunities"]["edges"]) == 2
                continue
            assert answer["data"] == {"opportunities": None}
            assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_no_stage_is_one_of_an_empty_list(world: World, company: Company) -> None:
    ref = refs(company)[company.opportunities[0].customer]
    asked = "opportunities(filter: {stage: []}) { totalCount edges { cursor } pageInfo { hasNextPage } }"
    query = f"query($of: [_Any!]!) {{ {asked} _entities(representations: $of) {{ ... on Customer {{ {asked} }} }} }}"
    nothing = {"totalCount": 0, "edges": [], "pageInfo": {"hasNextPage": False}}
    answer = await world.ask(query, customers(ref))
    assert answer["data"] == {"opportunities": nothing, "_entities": [{"opportunities": nothing}]}


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("{ opportunities(first: 201) { totalCount } }", ["opportunities"]),
        ("{ opportunities(first: -1) { totalCount } }", ["opportunities"]),
        ("{ opportunities(first: 1, last: 1) { totalCount } }", ["opportunities"]),
        ('{ opportunities(after: "zork") { totalCount } }', ["opportunities"]),
        ('{ opportunities(after: "WyJ4Il0") { totalCount } }', ["opportunities"]),
        ('{ opportunities(filter: {ownerId: "x"}) { totalCount } }', ["opportunities"]),
        ('{ opportunities(filter: {nameContains: " "}) { totalCount } }', ["opportunities"]),
        ('{ opportunity(id: "T3Bwb3J0dW5pdHk6") { id } }', ["opportunity"]),
    ],
)
async def test_arguments_that_make_no_sense_are_refused_at_their_field(
    world: World, query: str, path: list[str]
) -> None:
    answer = await world.ask(query)
    assert [(error["path"], error["extensions"]) for error in answer["errors"]] == [
        (path, {"code": "BAD_USER_INPUT", "system": "crm", "retryable": False})
    ]
    assert answer["data"] == {path[0]: None}
    assert answer["extensions"] == {"concord": {"vendorRequests": {}}}


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"", "application/json", 400, "BAD_REQUEST"),
        (b"{", "application/json", 400, "BAD_REQUEST"),
        (b'\xff{"query": "{ x }"}', "application/json", 400, "BAD_REQUEST"),
        (b"null", "application/json", 400, "BAD_REQUEST"),
        (b'{"query": 1}', "application/json", 400, "BAD_REQUEST"),
        (b'{"query": "{ __typename }", "variables": []}', "application/json", 400, "BAD_REQUEST"),
        (b'{"query": "{ __typename }", "operationName": 1}', "application/json", 400, "BAD_REQUEST"),
        (b'[{"query": "{ __typename }"}]', "application/json", 400, "BATCHING_NOT_SUPPORTED"),
        (b'{"query": "{ __typename }"}', "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b'{"query": "{ __typename "}', "application/json", 400, "GRAPHQL_PARSE_FAILED"),
        (b'{"query": "{ zork }"}', "application/json", 400, "GRAPHQL_VALIDATION_FAILED"),
        (
            b'{"query": "query A { __typename } query B { __typename }"}',
            "application/json",
            400,
            "OPERATION_RESOLUTION_FAILURE",
        ),
        (
            b'{"query": "query A { __typename }", "operationName": "B"}',
            "application/json",
            400,
            "OPERATION_RESOLUTION_FAILURE",
        ),
        (b'{"query": "query($i: ID!) { opportunity(id: $i) { id } }"}', "application/json", 400, "BAD_USER_INPUT"),
        (
            b'{"query": "{ __typename }", "x": "' + b"y" * 4_100_000 + b'"}',
            "application/json",
            413,
            "PAYLOAD_TOO_LARGE",
        ),
    ],
)
async def test_a_bad_body_is_a_coded_refusal(
    world: World, body: bytes, content_type: str, status: int, code: str
) -> None:
    answer = await world.http.post(f"{world.crm.url}/graphql", content=body, headers={"content-type": content_type})
    assert answer.status_code == status
    assert answer.json()["errors"][0]["extensions"] == {"code": code, "system": "crm", "retryable": False}
    assert "data" not in answer.json()
    assert "Traceback" not in answer.text


FAULTS = [
    ({"mode": "down"}, "SYSTEM_UNAVAILABLE", True),
    ({"mode": "reset"}, "SYSTEM_UNAVAILABLE", True),
    ({"mode": "truncate"}, "SYSTEM_UNAVAILABLE", True),
    ({"mode": "blackhole"}, "SYSTEM_TIMEOUT", True),
    ({"mode": "slow_body"}, "SYSTEM_TIMEOUT", True),
    ({"mode": "garbage"}, "SYSTEM_BAD_RESPONSE", True),
    ({"mode": "html"}, "SYSTEM_BAD_RESPONSE", True),
    ({"errorRate": 1.0, "errorStatus": 500}, "SYSTEM_ERROR", True),
    ({"errorRate": 1.0, "errorStatus": 401}, "SYSTEM_AUTH_FAILED", False),
    ({"errorRate": 1.0, "errorStatus": 422}, "SYSTEM_REJECTED", False),
    ({"rateLimitPerS": 0.001}, "SYSTEM_RATE_LIMITED", True),
]


@pytest.mark.parametrize(("fault", "code", "retryable"), FAULTS, ids=[str(fault[0]) for fault in FAULTS])
async def test_a_broken_vendor_costs_its_fields_within_the_deadline(
    world: World, fault: dict[str, Any], code: str, retryable: bool
) -> None:
    deadline_ms = "700" if code == "SYSTEM_TIMEOUT" else "30000"
    if "rateLimitPerS" in fault:
        await world.hubspot("GET", "/crm/v3/owners/701")
    async with world.fault(**fault):
        if "rateLimitPerS" in fault:
            await world.hubspot("GET", "/crm/v3/owners/701")
        answer = await world.ask(
            "{ opportunities(first: 1) { totalCount } __typename }", X_Concord_Deadline_Ms=deadline_ms
        )
    assert answer["data"] == {"opportunities": None, "__typename": "Query"}
    (error,) = answer["errors"]
    assert error["path"] == ["opportunities"]
    assert {name: error["extensions"][name] for name in ("code", "system", "retryable")} == {
        "code": code,
        "system": "crm",
        "retryable": retryable,
    }
    assert "http" not in json.dumps(answer)
    assert "Traceback" not in json.dumps(answer)
    assert (await world.ask("{ opportunities(first: 1) { totalCount } }"))["data"]["opportunities"]["totalCount"] > 0


async def test_a_vendor_that_is_not_there_is_unavailable_and_the_process_starts_and_stops_all_the_same(
    tmp_path: Path,
) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    crm = serve_module("subgraphs.crm.app", tmp_path, crm_settings(tmp_path, 0, nobody, nobody, f"{nobody}/events"))
    async with httpx2.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"{crm.url}/health")).json() == {"status": "ok"}
        answer = await http.post(f"{crm.url}/graphql", json={"query": "{ accountOwners { id } }"})
    assert answer.json()["errors"][0]["extensions"]["code"] == "SYSTEM_UNAVAILABLE"
    crm.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(crm.stop) == 0
    assert crm.log.read_text() == ""


def test_the_committed_schema_is_what_the_code_prints() -> None:
    committed = Path(__file__).parents[2] / "schema" / "subgraphs" / "crm.graphql"
    assert committed.read_text() == print_subgraph_schema(schema)
