"""Events whose fields are all known from the log are written without the schema, and say what the schema says."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from graphql import GraphQLObjectType, get_named_type, is_leaf_type, parse
from running_gateway import graph_context

from gateway.access.caller import ANONYMOUS
from gateway.events.cursor import print_cursor
from gateway.events.event import parse_event
from gateway.execution.ports import RequestContext, SubgraphRequest
from gateway.federation.plan import OperationKind
from gateway.graph.client import GatewayGraph
from gateway.graph.plain_event import compile_plain_event
from gateway.graph.schema import create_schema

SCHEMA = create_schema()
PLAIN = """subscription ($cursor: String) { events: lifecycleEvents(cursor: $cursor, whenBehind: COALESCE) {
  __typename id kind: type subject time recordedTime sequence cursor correlationId causationId replayOf source coalesced
  feature changes { __typename field was: from to } customer { __typename id } contract { key: number __typename }
  invoice { number } opportunity { id } entitlement { id } } }"""
NOT_PLAIN = {
    "a field of another kind": "id gap { missed }",
    "a key that the event does not know": "id contract { number id }",
    "what the gateway keeps": "id customer { id drift { id } }",
    "a condition": "id type @include(if: true)",
    "a fragment": "id ... on LifecycleEvent { type }",
    "a name given twice": "changes { field } changes { to }",
}


@pytest.fixture
def published(events, activated, gid):
    """Publish an event with every key there is, a plain one, and one that stands for an older one."""

    async def publish():
        keys = {
            "customer": gid("Customer", "c1"), "contract": "CON-1", "invoice": "INV-1", "feature": "seats",
            "opportunity": gid("Opportunity", "o1"), "entitlement": gid("Entitlement", "e1"),
        }  # fmt: skip
        whole = activated(
            1,
            correlationid="wf-1",
            causationid="c-1",
            replayof="RGVhZExldHRlcjox",
            time="2026-03-01T10:30:00.250+01:00",
        )
        whole["data"]["keys"] = keys
        whole["data"]["changes"].append({"field": "endsOn", "from": None, "to": "2027-01-01"})
        bare = activated(2, contract="CON-2")
        del bare["data"]["keys"]["customer"]
        bare["data"]["changes"] = []
        batch = [whole, bare, activated(3, contract="CON-3"), activated(4, contract="CON-3")]
        await events.log.append([parse_event(each) for each in batch])
        return print_cursor(events.log.bounds().log_id, events.log.bounds().head - len(batch))

    return publish


async def both_ways(events, contracts, document, cursor):
    """The same three events: written as the subgraph client does, and executed by the schema."""

    async def make_context(_request):
        return graph_context(events, contracts)

    request = SubgraphRequest(
        subgraph="concord", kind=OperationKind.SUBSCRIPTION, document=document, variables={"cursor": cursor}
    )
    asked = RequestContext(correlation_id="c", deadline=0, caller=ANONYMOUS)
    written, executed = [], []
    async with asyncio.timeout(60):
        async with aclosing(GatewayGraph(make_context=make_context).subscribe(request, asked)) as stream:
            async for announced in stream:
                written.append((await announced.answer(request)).value)
                if len(written) == 3:
                    break
        stream = await SCHEMA.subscribe(
            document, variable_values={"cursor": cursor}, context_value=graph_context(events, contracts)
        )
        async with aclosing(stream) as results:
            async for result in results:
                assert not result.errors
                executed.append({"data": result.data})
                if len(executed) == 3:
                    break
    return written, executed


async def test_what_is_written_without_the_schema_is_what_the_schema_says(events, contracts, published):
    assert compile_plain_event(parse(PLAIN)) is not None
    written, executed = await both_ways(events, contracts, PLAIN, await published())
    assert written == executed
    assert [list(each["data"]["events"]) for each in written] == [list(each["data"]["events"]) for each in executed]
    assert [each["data"]["events"]["coalesced"] for each in written] == [0, 0, 1]


async def test_every_leaf_of_an_event_is_plain():
    """A field that is added to the type is either in the table, or leads to somebody who has to be asked."""
    event = SCHEMA.graphql_schema.type_map["LifecycleEvent"]
    assert isinstance(event, GraphQLObjectType)
    slow = set()
    for name, field in event.fields.items():
        selection = name if is_leaf_type(get_named_type(field.type)) else f"{name} {{ __typename }}"
        if compile_plain_event(parse(f"subscription {{ lifecycleEvents {{ {selection} }} }}")) is None:
            slow.add(name)
    assert slow == {"gap", "workflow"}


@pytest.mark.parametrize("selection", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_what_is_not_plain_is_left_to_the_schema(selection):
    assert compile_plain_event(parse(f"subscription {{ lifecycleEvents {{ {selection} }} }}")) is None


async def test_a_selection_with_one_field_that_is_not_plain_says_the_same(events, contracts, published):
    document = PLAIN.replace("__typename id kind", "gap { missed } __typename id kind")
    assert compile_plain_event(parse(document)) is None
    written, executed = await both_ways(events, contracts, document, await published())
    assert written == executed


async def test_an_event_is_answered_by_whatever_selection_it_is_asked_for(events, contracts, published):
    """A stream goes on after a reload: then another plan asks for its events, in the plain way or in the general one."""
    asked = [
        "subscription { lifecycleEvents { id } }",
        "subscription { lifecycleEvents { type gap { missed } } }",
        "subscription { lifecycleEvents { sequence gap { missed } } }",
    ]
    cursor = await published()

    async def make_context(_request):
        return graph_context(events, contracts)

    def request(document):
        return SubgraphRequest(
            subgraph="concord", kind=OperationKind.SUBSCRIPTION, document=document, variables={"cursor": cursor}
        )

    context = RequestContext(correlation_id="c", deadline=0, caller=ANONYMOUS)
    begun = "subscription ($cursor: String) { lifecycleEvents(cursor: $cursor) { id gap { missed } } }"
    async with (
        asyncio.timeout(60),
        aclosing(GatewayGraph(make_context=make_context).subscribe(request(begun), context)) as stream,
    ):
        first = await anext(stream)
        answers = [(await first.answer(request(each))).value["data"]["lifecycleEvents"] for each in (*asked, begun)]
    assert answers == [
        {"id": "billing:evt_1:contract.activated"},
        {"type": "concord.contract.activated.v1", "gap": None},
        {"sequence": 1, "gap": None},
        {"id": "billing:evt_1:contract.activated", "gap": None},
    ]
