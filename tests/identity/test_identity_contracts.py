"""What identity promises to others: its schema file, and events that fit their contracts."""

from __future__ import annotations

from pathlib import Path

from gateway.events.contracts import EventContracts
from gateway.events.event import Event
from subgraphs.identity.schema import create_schema
from subgraphs.kit.subgraph_schema import print_subgraph_schema

SCHEMA = Path(__file__).parents[2] / "schema"


def test_the_schema_file_is_what_the_code_says():
    """Run `python -m subgraphs.identity.app --print-schema > schema/subgraphs/identity.graphql` after a change."""
    assert (SCHEMA / "subgraphs" / "identity.graphql").read_text() == print_subgraph_schema(create_schema())


async def test_every_event_of_identity_fits_its_contract(identity, record):
    contracts = EventContracts.load(SCHEMA / "events")
    taken = await identity.take(record("crm", "1", reference="CUST-1"), record("crm", "2", reference="CUST-2"))
    await identity.take(record("billing", "cus_1", reference="CUST-1"))
    one, other = taken["customers"].values()
    merge = (
        """mutation ($input: MergeCustomersInput!) { mergeCustomers(input: $input) { customer { identityVersion } } }"""
    )
    merged = await identity.data(merge, input={"customerId": one, "version": "2", "duplicateIds": [other]})
    split = """mutation ($input: SplitCustomerInput!) { splitCustomer(input: $input) { newCustomer { id } } }"""
    version = merged["mergeCustomers"]["customer"]["identityVersion"]
    leaving = [{"system": "billing", "externalId": "cus_1"}]
    await identity.data(split, input={"customerId": one, "version": version, "records": leaving})
    events = await identity.listener.until(8)
    assert [event["type"].split(".")[2] for event in events] == [
        *("created", "created", "updated", "merged", "updated"),
        *("created", "updated", "updated"),
    ]
    assert [contracts.parse(event) for event in events if not isinstance(contracts.parse(event), Event)] == []
    assert len({event["id"] for event in events}) == 8
