"""Stripe's objects become the records of the golden file, and what the mapping does not know is reported, not a crash."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from billing_processes import Peers, sandbox_process, subgraph_process
from golden_mapping import check_golden
from waiting import until

from subgraphs.billing.vendors import stripe_mapping as mapping
from subgraphs.billing.vendors.stripe_drift import report
from subgraphs.kit.schema_drift import SchemaDrift
from subgraphs.kit.system_error import VendorBadResponseError

TODAY = dt.date(2025, 12, 10)


def or_its_code(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def read(doc: Any) -> Any:
        try:
            return parse(doc)
        except VendorBadResponseError as error:
            return error.code

    return read


def test_objects_become_the_records_of_the_golden_file() -> None:
    drift = SchemaDrift("billing")

    def reported(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def read(doc: Any) -> Any:
            report([doc], drift)
            return or_its_code(parse)(doc)

        return read

    parse = {
        "contract": reported(lambda doc: mapping.contract_record(doc, TODAY)),
        "draft": reported(lambda doc: mapping.draft_contract_record(doc, {})),
        "document": reported(mapping.document_record),
        "price": reported(mapping.price_record),
        "customer": reported(mapping.customer_record),
        "product": reported(lambda doc: mapping.product_record(doc, ["seats"])),
        "feature": reported(mapping.feature_record),
    }
    check_golden("billing/stripe", mapping.VERSION, mapping.API_VERSION, parse, drift)


@pytest.mark.parametrize("gone", ["items", "created", "customer"])
def test_an_object_that_lacks_what_it_needs_is_refused_with_a_code(gone: str) -> None:
    doc = {
        "object": "subscription", "id": "sub_1", "customer": "cus_1", "status": "active", "created": 1, "currency": "eur",
        "items": {"data": [{"id": "si_1", "current_period_start": 1, "current_period_end": 2, "price": {
            "id": "p", "product": "prod", "currency": "eur", "unit_amount": 5}}]},
    }  # fmt: skip
    assert mapping.contract_record(doc, TODAY).items[0].price.unit_amount is not None
    del doc[gone]
    with pytest.raises(VendorBadResponseError):
        mapping.contract_record(doc, TODAY)


STATUSES = """{ contracts(first: 100) { totalCount edges { node { number status
  customer { entitlements(first: 50) { edges { node { state decision { allowed } } } } } } } } }"""
SYSTEM = "{ billingSystem { name mappingVersion apiVersion differences { kind object field value } } }"


async def test_a_status_that_nobody_knows_is_unknown_gives_nothing_and_is_said_in_the_graph(
    tmp_path: Path, peers: Peers
) -> None:
    async with sandbox_process(tmp_path / "sandbox", CUSTOMERS=6) as sandbox:
        await sandbox.faults(rewrite={f'"status":{gap}"active"': f'"status":{gap}"disputed"' for gap in ("", " ")})
        async with subgraph_process(tmp_path / "subgraph", sandbox.url, peers) as subgraph:

            async def contracts() -> Any:
                answer = await subgraph.graphql(STATUSES)
                return None if "errors" in answer else answer["data"]["contracts"]

            found = await until(contracts)
            statuses = [edge["node"]["status"] for edge in found["edges"]]
            assert "UNKNOWN" in statuses
            assert "ACTIVE" not in statuses
            for edge in found["edges"]:
                node = edge["node"]
                entitled = [each["node"] for each in node["customer"]["entitlements"]["edges"]]
                others = [e["node"]["status"] for e in found["edges"] if e["node"]["customer"] == node["customer"]]
                if set(others) == {"UNKNOWN"}:
                    assert not any(each["state"] == "ACTIVE" or each["decision"]["allowed"] for each in entitled)
            system = (await subgraph.graphql(SYSTEM))["data"]["billingSystem"]
    assert (system["mappingVersion"], system["apiVersion"]) == (mapping.VERSION, mapping.API_VERSION)
    seen = {(d["kind"], d["object"], d["field"], d["value"]) for d in system["differences"]}
    assert ("UNKNOWN_VALUE", "subscription", "status", "disputed") in seen


async def test_an_object_that_can_t_be_read_costs_itself_alone(tmp_path: Path, peers: Peers) -> None:
    """A customer whose subscription came without its items fails; the others answer, and events go on being told."""
    query = """query($f: ContractFilter) { contracts(filter: $f) { totalCount edges { node { number status } } } }"""
    async with sandbox_process(tmp_path / "sandbox", CUSTOMERS=6) as sandbox:
        listed = orjson.loads((await sandbox.client.get("/v1/subscriptions?status=active&limit=5")).content)["data"]
        broken, healthy = listed[0], next(each for each in listed if each["customer"] != listed[0]["customer"])
        word = f'"{broken["metadata"]["contract_number"]}"'
        # One of its metadata becomes a number, as if Stripe kept them otherwise.
        await sandbox.faults(
            rewrite={
                f'"contract_number":{gap}{word}': '"contract_number":' + word + ',"limit.new":7' for gap in ("", " ")
            }
        )
        async with subgraph_process(tmp_path / "subgraph", sandbox.url, peers) as subgraph:

            async def is_filled() -> bool:
                return "errors" not in await subgraph.graphql("{ contracts(first: 1) { totalCount } }")

            await until(is_filled)
            refs = [{"__typename": "Customer", "billingRef": each["customer"]} for each in (broken, healthy)]
            asked = "query($r: [_Any!]!) { _entities(representations: $r) { ... on Customer { contracts { edges { node { number } } } } } }"
            answer = await subgraph.graphql(asked, {"r": refs})
            assert answer["data"]["_entities"][1]["contracts"]["edges"]
            assert {e["extensions"]["code"] for e in answer["errors"]} == {"SYSTEM_BAD_RESPONSE"}
            assert all(error["path"][:2] == ["_entities", 0] for error in answer["errors"])
            mine = {"f": {"numberContains": healthy["metadata"]["contract_number"]}}
            assert (await subgraph.graphql(query, mine))["data"]["contracts"]["totalCount"] == 1
            await sandbox.client.post(f"/v1/subscriptions/{healthy['id']}", content="pause_collection[behavior]=void",
                                      headers={"content-type": "application/x-www-form-urlencoded"})  # fmt: skip
            number = healthy["metadata"]["contract_number"]
            await until(lambda: peers.of("contract.paused", contract=number))
            system = (await subgraph.graphql(SYSTEM))["data"]["billingSystem"]
    assert [d["object"] for d in system["differences"] if d["kind"] == "UNREADABLE_VALUE"] == ["subscription"]
