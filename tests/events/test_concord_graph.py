"""The gateway's own subgraph: nodes, events, systems and subscriptions, with the world behind ports."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest
from graphql import GraphQLError
from running_gateway import graph_context

from gateway.access.caller import ANONYMOUS
from gateway.errors import GatewayError
from gateway.events.cursor import print_cursor
from gateway.events.event import parse_event
from gateway.execution.ports import RequestContext, SubgraphFailure, SubgraphRequest
from gateway.federation.plan import OperationKind
from gateway.federation.supergraph import parse_supergraph
from gateway.graph.client import GatewayGraph
from gateway.graph.entities import NODES
from gateway.graph.entity_lookup import find_owner
from gateway.graph.print_schema import print_schema
from gateway.graph.schema import create_schema
from gateway.graph.systems import SystemState, SystemStatus

SCHEMA = create_schema()
OWN = frozenset({"concord"})


class Owners:
    """Entities that exist, by type; counts the questions."""

    def __init__(self, entities):
        self.entities = entities
        self.questions = []

    async def __call__(self, typename, known, wanted):
        self.questions.append((typename, list(known), wanted))
        if typename == "Payment":
            raise GatewayError("SYSTEM_UNAVAILABLE")
        rows = self.entities.get(typename, [])
        return [next((row[wanted] for row in rows if keys.items() <= row.items()), None) for keys in known]


class Systems:
    async def systems(self):
        return [
            SystemState(name="crm", owner="sales-operations", status=SystemStatus.UP),
            SystemState(name="erp", owner=None, status=SystemStatus.DOWN),
        ]


@pytest.fixture
def owners(gid):
    return Owners(
        {
            "Customer": [{"id": gid("Customer", "c1")}],
            "Contract": [{"id": gid("Contract", "sub_1"), "number": "CON-2025-0001"}],
        }
    )


@pytest.fixture
def context(events, owners, contracts):
    return lambda: graph_context(events, contracts, owners, Systems())


@pytest.fixture
def make(activated):
    return lambda *args, **kwargs: parse_event(activated(*args, **kwargs))


@pytest.fixture
def subscribe(context):
    """Subscribe as the executor does, through the subgraph client: the cursor and the answer of each event."""

    async def make_context(_request):
        return context()

    async def subscribe(document, variables):
        request = SubgraphRequest(
            subgraph="concord", kind=OperationKind.SUBSCRIPTION, document=document, variables=variables
        )
        asked = RequestContext(correlation_id="c", deadline=0, caller=ANONYMOUS)
        async with aclosing(GatewayGraph(make_context=make_context).subscribe(request, asked)) as stream:
            async for announced in stream:
                yield announced.cursor, (await announced.answer(request)).value

    return subscribe


@pytest.fixture
def ask(context):
    async def ask(document, **variables):
        result = await SCHEMA.execute(document, variable_values=variables, context_value=context())
        return result.data, [(error.path, error.extensions["code"]) for error in result.errors or ()]

    return ask


def test_the_schema_file_is_what_the_code_says():
    """Run `python -m gateway.graph.print_schema > schema/subgraphs/concord.graphql` after a change."""
    path = Path(__file__).parents[2] / "schema" / "subgraphs" / "concord.graphql"
    assert path.read_text() == print_schema()


def test_every_node_has_an_owner_in_the_supergraph_who_knows_whether_it_exists():
    supergraph = parse_supergraph((Path(__file__).parents[2] / "schema" / "supergraph.graphql").read_text())
    owners = {
        node.__name__: find_owner(supergraph, node.__name__, frozenset({"id"}), "id", echoes=OWN) for node in NODES
    }
    assert owners == {
        "Customer": "identity",
        "Opportunity": "crm",
        "Contact": "crm",
        "AccountOwner": "crm",
        "Contract": "billing",
        "Entitlement": "billing",
        "Invoice": "erp",
        "InvoiceLine": "erp",
        "Payment": "erp",
        "CreditMemo": "erp",
        "RevenueEntry": "erp",
        "JournalEntry": "erp",
        "AccountingPeriod": "erp",
    }
    implementations = supergraph.possible_types["Node"]
    assert set(owners) | {"DeadLetter", "Drift", "Workflow"} == implementations  # the gateway's own
    for typename, owner in (("Contract", "billing"), ("Invoice", "erp")):
        assert find_owner(supergraph, typename, frozenset({"number"}), "id", echoes=OWN) == owner
        assert find_owner(supergraph, typename, frozenset({"id"}), "number", echoes=OWN) == owner


async def test_a_node_is_found_by_asking_its_owner(ask, gid, owners):
    document = """query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Contract { number } } }"""
    ids = [gid("Contract", "sub_1"), gid("Customer", "c1"), gid("Customer", "gone"), gid("Wombat", "1")]
    assert await ask(document, ids=ids) == (
        {
            "nodes": [
                {"__typename": "Contract", "id": ids[0], "number": "CON-2025-0001"},
                {"__typename": "Customer", "id": ids[1]},
                None,
                None,
            ]
        },
        [],
    )
    assert owners.questions == [
        ("Contract", [{"id": ids[0]}], "id"),
        ("Customer", [{"id": ids[1]}, {"id": ids[2]}], "id"),
        ("Contract", [{"id": ids[0]}], "number"),
    ]


@pytest.mark.parametrize(
    "wrong", ["", "12", "Q3VzdG9tZXI", "Q3VzdG9tZXI6", "Q3VzdG9tZXI6MQ=", "💥", "/w==", "A" * 1_000]
)
async def test_an_id_that_is_none_is_the_callers_mistake(ask, wrong):
    assert await ask("query ($id: ID!) { node(id: $id) { id } }", id=wrong) == (
        {"node": None},
        [(["node"], "BAD_USER_INPUT")],
    )


async def test_an_owner_that_can_not_tell_is_named_by_its_code(ask, gid):
    assert await ask("query ($id: ID!) { node(id: $id) { id } }", id=gid("Payment", "1")) == (
        {"node": None},
        [(["node"], "SYSTEM_UNAVAILABLE")],
    )


async def test_systems_say_who_owns_them_and_how_they_do(ask):
    assert await ask("{ systems { name owner status } }") == (
        {
            "systems": [
                {"name": "crm", "owner": "sales-operations", "status": "UP"},
                {"name": "erp", "owner": None, "status": "DOWN"},
            ]
        },
        [],
    )


async def test_events_are_paged_from_both_ends_with_the_cursors_of_subscriptions(ask, events, make, gid, owners):
    await events.log.append([make(n, contract=f"CON-2025-000{n % 2}") for n in range(7)])
    document = """
    query ($filter: LifecycleEventFilter, $first: Int, $after: String, $last: Int, $before: String) {
      events(filter: $filter, first: $first, after: $after, last: $last, before: $before) {
        totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { sequence cursor } }
      }
    }"""
    wanted = {"contracts": ["CON-2025-0000"]}

    async def page(**arguments):
        data, errors = await ask(document, filter=wanted, **arguments)
        assert errors == []
        connection = data["events"]
        info = connection["pageInfo"]
        assert connection["totalCount"] == 4
        assert all(edge["cursor"] == edge["node"]["cursor"] for edge in connection["edges"])
        return (
            [edge["node"]["sequence"] for edge in connection["edges"]],
            info["hasPreviousPage"],
            info["hasNextPage"],
            info,
        )

    numbers, *more, front = await page(first=3)
    assert (numbers, more) == ([1, 2, 3], [False, True])
    numbers, *more, _ = await page(first=3, after=front["endCursor"])
    assert (numbers, more) == ([4], [True, False])
    numbers, *more, back = await page(last=3)
    assert (numbers, more) == ([2, 3, 4], [True, False])
    numbers, *more, _ = await page(last=3, before=back["startCursor"])
    assert (numbers, more) == ([1], [False, True])
    for arguments, code in (
        ({"first": 201}, "BAD_USER_INPUT"),
        ({"first": 1, "last": 1}, "BAD_USER_INPUT"),
        ({"after": "x"}, "EVENT_CURSOR_INVALID"),
        ({"filter": {"types": ["concord.contract.actuvated.v1"]}}, "BAD_USER_INPUT"),
    ):
        assert (await ask(document, **arguments))[1] == [(["events"], code)]


async def test_an_event_names_its_entities_by_the_keys_their_owners_know(ask, events, make, gid):
    await events.log.append([make(1, correlationid="wf-1")])
    document = """
    { events { edges { node {
      id type subject time sequence source correlationId causationId changes { field from to }
      customer { id } contract { id number } invoice { id } opportunity { id } entitlement { id } feature
    } } } }"""
    assert await ask(document) == (
        {
            "events": {
                "edges": [
                    {
                        "node": {
                            "id": "billing:evt_1:contract.activated",
                            "type": "concord.contract.activated.v1",
                            "subject": gid("Contract", "CON-2025-0001"),
                            "time": "2026-03-01T09:30:00Z",
                            "sequence": 1,
                            "source": "concord/billing",
                            "correlationId": "wf-1",
                            "causationId": None,
                            "changes": [{"field": "status", "from": "TRIALING", "to": "ACTIVE"}],
                            "customer": {"id": gid("Customer", "c1")},
                            "contract": {"id": gid("Contract", "sub_1"), "number": "CON-2025-0001"},
                            "invoice": None,
                            "opportunity": None,
                            "entitlement": None,
                            "feature": None,
                        }
                    }
                ]
            }
        },
        [],
    )


async def test_a_subscription_goes_on_where_its_cursor_says(events, make, subscribe):
    document = """subscription ($filter: LifecycleEventFilter, $cursor: String) {
      contractEvents(filter: $filter, cursor: $cursor) { sequence cursor contract { number } } }"""

    async def take(count, **variables):
        results = []
        async with asyncio.timeout(60), aclosing(subscribe(document, variables)) as stream:
            async for cursor, answer in stream:
                event = answer["data"]["contractEvents"]
                assert (answer, cursor) == ({"data": {"contractEvents": event}}, event["cursor"])
                results.append(event)
                if len(results) == count:
                    break
        return results

    wanted = {"contracts": ["CON-2025-0001"]}
    async with asyncio.TaskGroup() as group:
        live = group.create_task(take(2, filter=wanted))
        await asyncio.sleep(0.02)
        await events.log.append([make(0, contract="CON-2025-0002"), make(1), make(2), make(3)])
    assert [event["sequence"] for event in live.result()] == [1, 2]
    again = await take(2, filter=wanted, cursor=live.result()[0]["cursor"])
    assert [event["sequence"] for event in again] == [2, 3]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ('cursor: "nonsense"', "EVENT_CURSOR_INVALID"),
        ('filter: {types: ["concord.invoice.paid.v1"]}', "BAD_USER_INPUT"),
        ('filter: {types: ["no"]}', "BAD_USER_INPUT"),
        ('filter: {systems: ["oracle"]}', "BAD_USER_INPUT"),
        ('filter: {owners: ["Q3VzdG9tZXI6MQ"]}', "BAD_USER_INPUT"),
        ('filter: {customers: ["x"]}', "BAD_USER_INPUT"),
        ('filter: {customers: ["Q29udHJhY3Q6MQ"]}', "BAD_USER_INPUT"),
        ('filter: {entitlements: ["Q3VzdG9tZXI6MQ"]}', "BAD_USER_INPUT"),
    ],
)
async def test_a_subscription_that_can_not_begin_is_refused_with_a_code(subscribe, arguments, code):
    with pytest.raises(SubgraphFailure) as refused:
        async for _ in subscribe(f"subscription {{ renewalUpdates({arguments}) {{ id }} }}", {}):
            pass
    assert refused.value.code == code


async def test_account_owners_and_systems_choose_events(events, make, subscribe, owners, gid):
    """The owner is asked of the CRM with the key that the crosswalk gives for the customer of each event."""
    owners.entities["Customer"] = [
        {"id": gid("Customer", "c1"), "crmRef": "101", "owner.id": gid("AccountOwner", "7")},
        {"id": gid("Customer", "c2"), "crmRef": "102", "owner.id": gid("AccountOwner", "8")},
        {"id": gid("Customer", "c3"), "crmRef": "103", "owner.id": None},
    ]
    start = events.log.bounds()
    await events.log.append([make(n, customer=f"c{n}") for n in (1, 2, 3, 4)])
    stage = make(5, customer="c2", type="concord.renewal.stage_changed.v1", source="concord/crm/eu")
    await events.log.append([stage])
    document = """subscription ($filter: LifecycleEventFilter, $cursor: String) {
      lifecycleEvents(filter: $filter, cursor: $cursor) { id } }"""

    async def first(**wanted):
        variables = {"filter": wanted, "cursor": print_cursor(start.log_id, start.head)}
        async with asyncio.timeout(60), aclosing(subscribe(document, variables)) as stream:
            async for _, answer in stream:
                return answer["data"]["lifecycleEvents"]["id"]
        return None

    assert await first(owners=[gid("AccountOwner", "8")]) == make(2).id
    assert await first(owners=[gid("AccountOwner", "8")], systems=["crm"]) == stage.id
    assert await first(systems=["crm", "erp"]) == stage.id
    assert await first(systems=["billing"], customers=[gid("Customer", "c3")]) == make(3).id


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", "12,50", 12.5, True, None, "1" * 39])
def test_an_amount_that_is_not_exact_is_refused_before_any_workflow_begins(value):
    with pytest.raises(GraphQLError, match="A Decimal is"):
        SCHEMA.graphql_schema.type_map["Decimal"].parse_value(value)
