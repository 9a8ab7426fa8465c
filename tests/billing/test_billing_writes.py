"""Billing's mutations: what changes at the vendor, what is refused, and what a repeated or doubtful write does."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from billing_processes import Pair
from waiting import until

from subgraphs.kit.global_id import encode_global_id

TODAY = dt.datetime.now(dt.UTC).date()
CONTRACT = "contract { number status autoRenews version resumesOn cancellation { effectiveOn reason comment } }"
FIELDS = {
    "pauseContract": ("PauseContractInput", CONTRACT),
    "resumeContract": ("ResumeContractInput", CONTRACT),
    "scheduleCancellation": ("ScheduleCancellationInput", CONTRACT),
    "setAutoRenew": ("SetAutoRenewInput", CONTRACT),
    "recordUsage": ("RecordUsageInput", "entitlement { feature used limit state } contract { number }"),
    "grantEntitlement": (
        "GrantEntitlementInput",
        "entitlement { id feature limit used state validUntil contract { number } }",
    ),
}


async def change(pair: Pair, name: str, given: Mapping[str, Any], **headers: str) -> tuple[Any, Any]:
    """Carry out a mutation; return its payload and its first error's extensions."""
    kind, selection = FIELDS[name]
    text = f"mutation ($input: {kind}!) {{ {name}(input: $input) {{ {selection} clientMutationId }} }}"
    answer = await pair.subgraph.graphql(text, {"input": given}, **headers)
    errors = answer.get("errors") or [{"extensions": None}]
    return (answer.get("data") or {}).get(name), errors[0]["extensions"]


async def some_contract(pair: Pair, **conditions: Any) -> dict[str, Any]:
    query = (
        "query ($f: ContractFilter) { contracts(filter: $f, first: 200) { edges { node { id number version endsOn autoRenews"
        " cancellation { effectiveOn } usage { edges { node { feature } } } customer { billingRecord { externalId }"
        ' entitlement(feature: "api_calls") { limit used state } } } } } }'
    )
    found = await pair.subgraph.graphql(query, {"f": conditions})
    nodes = [edge["node"] for edge in found["data"]["contracts"]["edges"]]
    return next(node for node in nodes if node["cancellation"] is None)


async def at_vendor(pair: Pair, number: str) -> dict[str, Any]:
    reply = await pair.sandbox.client.get(
        "/v1/subscriptions/search", params={"query": f'metadata["contract_number"]:"{number}"'}
    )
    return orjson.loads(reply.content)["data"][0]


async def told(pair: Pair, kind: str, contract: str) -> Any:
    return (await until(lambda: pair.peers.of(kind, contract=contract)))[-1]["data"]["changes"]


async def test_a_contract_is_paused_and_resumed_at_its_owner(pair: Pair) -> None:
    contract = await some_contract(pair, status=["ACTIVE"], autoRenews=True)
    resumes_on = (TODAY + dt.timedelta(days=20)).isoformat()
    given = {
        "contractId": contract["id"],
        "version": contract["version"],
        "resumesOn": resumes_on,
        "clientMutationId": "p1",
    }
    paused, _ = await change(pair, "pauseContract", given)
    repeated, _ = await change(pair, "pauseContract", given)
    subscription = await at_vendor(pair, contract["number"])
    resting = await pair.subgraph.graphql(
        "query ($f: ContractFilter) { contracts(filter: $f) { edges { node { customer { entitlements(states: [SUSPENDED]) {"
        " edges { node { decision { allowed reason } } } } } } } } }",
        {"f": {"numberContains": contract["number"]}},
    )
    _, twice = await change(
        pair, "pauseContract", {**given, "version": paused["contract"]["version"], "clientMutationId": "p2"}
    )
    resumed, _ = await change(
        pair, "resumeContract", {"contractId": contract["id"], "version": paused["contract"]["version"]}
    )
    assert paused == repeated
    assert (paused["contract"]["status"], paused["contract"]["resumesOn"], paused["clientMutationId"]) == (
        "PAUSED",
        resumes_on,
        "p1",
    )
    assert subscription["pause_collection"]["behavior"] == "void"
    decisions = resting["data"]["contracts"]["edges"][0]["node"]["customer"]["entitlements"]["edges"]
    assert decisions
    assert all(e["node"]["decision"] == {"allowed": False, "reason": "CONTRACT_PAUSED"} for e in decisions)
    assert (twice["code"], twice["outcome"]) == ("CONFLICT", "NOT_APPLIED")
    assert (resumed["contract"]["status"], resumed["contract"]["version"]) == ("ACTIVE", contract["version"])
    status = [{"field": "status", "from": "ACTIVE", "to": "PAUSED"}]
    assert await told(pair, "contract.paused", contract["number"]) == status
    assert await told(pair, "contract.resumed", contract["number"]) == [
        {"field": "status", "from": "PAUSED", "to": "ACTIVE"}
    ]
    assert len(pair.peers.of("contract.paused", contract=contract["number"])) == 1


async def test_a_cancellation_is_planned_and_withdrawn(pair: Pair) -> None:
    contract = await some_contract(pair, status=["ACTIVE"], autoRenews=True)
    after_term = (dt.date.fromisoformat(contract["endsOn"]) + dt.timedelta(days=1)).isoformat()
    planned, _ = await change(
        pair,
        "scheduleCancellation",
        {
            "contractId": contract["id"],
            "version": contract["version"],
            "reason": "TOO_EXPENSIVE",
            "comment": "Budget cut",
        },
    )
    withdrawn, _ = await change(
        pair,
        "setAutoRenew",
        {"contractId": contract["id"], "version": planned["contract"]["version"], "autoRenews": True},
    )
    ending, _ = await change(
        pair,
        "setAutoRenew",
        {"contractId": contract["id"], "version": withdrawn["contract"]["version"], "autoRenews": False},
    )
    assert planned["contract"]["cancellation"] == {
        "effectiveOn": after_term,
        "reason": "TOO_EXPENSIVE",
        "comment": "Budget cut",
    }
    assert (withdrawn["contract"]["cancellation"], withdrawn["contract"]["autoRenews"]) == (None, True)
    assert (ending["contract"]["cancellation"], ending["contract"]["autoRenews"]) == (None, False)
    await until(lambda: len(pair.peers.of("contract.cancellation_scheduled", contract=contract["number"])) == 2)
    assert [
        event["data"]["changes"]
        for event in pair.peers.of("contract.cancellation_scheduled", contract=contract["number"])
    ] == [
        [{"field": "cancellation.effectiveOn", "from": None, "to": after_term}],
        [{"field": "cancellation.effectiveOn", "from": after_term, "to": None}],
    ]
    assert await told(pair, "contract.amended", contract["number"]) == [
        {"field": "autoRenews", "from": "true", "to": "false"}
    ]


async def test_use_is_counted_once_and_tells_when_the_limit_is_met(pair: Pair) -> None:
    nodes = await pair.subgraph.graphql(
        "{ contracts(filter: {status: [ACTIVE]}, first: 200) { edges { node { id number usage(first: 1) { totalCount }"
        ' customer { entitlement(feature: "api_calls") { limit used state contract { number } } } } } } }'
    )
    found = next(
        (edge["node"], e)
        for edge in nodes["data"]["contracts"]["edges"]
        if (e := edge["node"]["customer"]["entitlement"])
        and e["state"] == "ACTIVE"
        and (e["contract"] or {}).get("number") == edge["node"]["number"]
    )
    contract, entitlement = found
    left = entitlement["limit"] - int(entitlement["used"])
    given = {"contractId": contract["id"], "feature": "api_calls", "quantity": str(left + 1)}
    first, _ = await change(pair, "recordUsage", given, idempotency_key="use-1")
    again, _ = await change(pair, "recordUsage", given, idempotency_key="use-1")
    _, reused = await change(pair, "recordUsage", {**given, "quantity": "7"}, idempotency_key="use-1")
    assert first == again
    assert first["entitlement"] == {
        "feature": "api_calls", "used": str(entitlement["limit"] + 1), "limit": entitlement["limit"], "state": "EXHAUSTED",
    }  # fmt: skip
    assert (reused["code"], reused["outcome"]) == ("IDEMPOTENCY_KEY_REUSED", "NOT_APPLIED")
    kinds = ("usage.recorded", "usage.threshold_reached", "entitlement.exhausted", "usage.overage")
    await until(lambda: len(pair.peers.of(*kinds, contract=contract["number"])) >= 3)
    events = pair.peers.of(*kinds, contract=contract["number"])
    assert {event["data"]["keys"]["feature"] for event in events} == {"api_calls"}
    assert [event["type"] for event in events].count("concord.usage.recorded.v1") == 1
    assert {"concord.entitlement.exhausted.v1", "concord.usage.overage.v1"} <= {event["type"] for event in events}


async def test_a_grant_adds_a_right_and_names_no_contract(pair: Pair) -> None:
    contract = await some_contract(pair, status=["ACTIVE"])
    owner = pair.peers.links[contract["customer"]["billingRecord"]["externalId"]]
    until_day = (TODAY + dt.timedelta(days=30)).isoformat()
    given = {"customerId": owner, "feature": "onboarding", "limit": 3, "validUntil": until_day, "reason": "Goodwill"}
    granted, _ = await change(pair, "grantEntitlement", given)
    assert {key: granted["entitlement"][key] for key in ("feature", "limit", "used", "state", "validUntil", "contract")} == {
        "feature": "onboarding", "limit": 3, "used": "0", "state": "ACTIVE", "validUntil": until_day, "contract": None,
    }  # fmt: skip
    await until(
        lambda: [e for e in pair.peers.of("entitlement.granted") if e["data"]["keys"]["feature"] == "onboarding"]
    )
    everything = await pair.subgraph.graphql("{ contracts(first: 200) { edges { node { number } } } }")
    assert not [e for e in everything["data"]["contracts"]["edges"] if not e["node"]["number"].startswith("CON-")]


@pytest.mark.parametrize(
    ("name", "given", "code", "argument"),
    [
        ("recordUsage", {"feature": "api_calls", "quantity": "0"}, "BAD_USER_INPUT", "quantity"),
        ("recordUsage", {"feature": "api_calls", "quantity": "1.0000001"}, "BAD_USER_INPUT", "quantity"),
        ("recordUsage", {"feature": "platform", "quantity": "1"}, "BAD_USER_INPUT", "feature"),
        ("recordUsage", {"feature": "none", "quantity": "1"}, "BAD_USER_INPUT", "feature"),
        ("recordUsage", {"feature": "api_calls", "quantity": "1", "occurredAt": "2020-01-01T00:00:00Z"}, "BAD_USER_INPUT", "occurredAt"),
        ("pauseContract", {"version": "x", "resumesOn": "2020-01-01"}, "BAD_USER_INPUT", "resumesOn"),
        ("pauseContract", {"version": "stale"}, "CONFLICT", None),
        ("resumeContract", {}, "CONFLICT", None),
        ("scheduleCancellation", {"effectiveOn": "2020-01-01"}, "BAD_USER_INPUT", "effectiveOn"),
        ("scheduleCancellation", {"comment": "x" * 501}, "BAD_USER_INPUT", "comment"),
        ("setAutoRenew", {"contractId": encode_global_id("Contract", "CON-NONE"), "autoRenews": True}, "NOT_FOUND", None),
        ("setAutoRenew", {"contractId": "rubbish", "autoRenews": True}, "BAD_USER_INPUT", None),
        ("grantEntitlement", {"customerId": encode_global_id("Customer", "nobody"), "feature": "sso"}, "NOT_FOUND", None),
    ],
)  # fmt: skip
async def test_bad_input_is_refused_before_anything_is_sent(
    pair: Pair, name: str, given: dict[str, Any], code: str, argument: str | None
) -> None:
    contract = await some_contract(pair, status=["ACTIVE"])
    filled = {
        "contractId": contract["id"],
        **({} if name == "recordUsage" else {"version": contract["version"]}),
        **given,
    }
    if name == "grantEntitlement":
        filled = given
    payload, error = await change(pair, name, filled)
    assert (payload, error["code"], error.get("argument")) == (None, code, argument and ["input", argument])
    assert error.get("outcome") in {"NOT_APPLIED", None}


async def test_an_ended_contract_takes_no_change(pair: Pair) -> None:
    found = await pair.subgraph.graphql(
        "{ contracts(filter: {status: [CANCELLED, EXPIRED, DRAFT]}) { edges { node { id version } } } }"
    )
    for edge in found["data"]["contracts"]["edges"]:
        node = edge["node"]
        _, error = await change(
            pair, "setAutoRenew", {"contractId": node["id"], "version": node["version"], "autoRenews": True}
        )
        assert (error["code"], error["outcome"]) == ("CONFLICT", "NOT_APPLIED")


async def test_a_write_that_fails_before_it_is_sent_leaves_its_key_free(pair: Pair) -> None:
    """The version is checked at the vendor first; where that reading fails, nothing was sent and the same key works later."""
    contract = await some_contract(pair, status=["ACTIVE"])
    heard = len(pair.peers.of("contract.paused", contract=contract["number"]))
    given = {"contractId": contract["id"], "version": contract["version"]}
    await pair.sandbox.faults(mode="truncate", paths="^/v1/subscriptions/")
    _, unread = await change(pair, "pauseContract", given, idempotency_key="lost")
    await pair.sandbox.faults()
    paused, _ = await change(pair, "pauseContract", given, idempotency_key="lost")
    again, _ = await change(pair, "pauseContract", given, idempotency_key="lost")
    await until(lambda: len(pair.peers.of("contract.paused", contract=contract["number"])) > heard)
    version = paused["contract"]["version"]
    await change(pair, "resumeContract", {"contractId": contract["id"], "version": version})
    assert (unread["code"], unread["outcome"]) == ("SYSTEM_UNAVAILABLE", "NOT_APPLIED")
    assert paused == again
    assert paused["contract"]["status"] == "PAUSED"
    assert len(pair.peers.of("contract.paused", contract=contract["number"])) == heard + 1


async def test_use_recorded_into_silence_counts_once_when_repeated(pair: Pair) -> None:
    """The vendor counts and its answer is cut: the outcome is unknown until the same key is sent again."""
    nodes = await pair.subgraph.graphql(
        "{ contracts(filter: {status: [ACTIVE]}, first: 200) { edges { node { id customer { billingRecord { externalId }"
        ' entitlement(feature: "api_calls") { used state } } } } } }'
    )
    node = next(
        edge["node"]
        for edge in nodes["data"]["contracts"]["edges"]
        if edge["node"]["customer"]["entitlement"]["state"] in {"ACTIVE", "EXHAUSTED"}
    )
    given = {"contractId": node["id"], "feature": "api_calls", "quantity": "2"}
    await pair.sandbox.faults(mode="truncate", paths="meter_events")
    _, lost = await change(pair, "recordUsage", given, idempotency_key="silence")
    await pair.sandbox.faults()
    counted, _ = await change(pair, "recordUsage", given, idempotency_key="silence")
    meters = orjson.loads((await pair.sandbox.client.get("/v1/billing/meters")).content)["data"]
    api_calls = next(meter["id"] for meter in meters if meter["event_name"] == "api_calls")
    start = int(dt.datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=dt.UTC).timestamp())
    window = {
        "customer": node["customer"]["billingRecord"]["externalId"],
        "start_time": start,
        "end_time": start + 86_400,
    }
    reply = await pair.sandbox.client.get(f"/v1/billing/meters/{api_calls}/event_summaries", params=window)
    used = int(counted["entitlement"]["used"])
    assert (lost["code"], lost["outcome"], lost["retryable"]) == ("SYSTEM_UNAVAILABLE", "UNKNOWN", True)
    assert used == int(node["customer"]["entitlement"]["used"]) + 2
    assert orjson.loads(reply.content)["data"][0]["aggregated_value"] == used


async def test_one_key_sent_many_times_at_once_has_one_effect(pair: Pair) -> None:
    contract = await some_contract(pair, status=["ACTIVE"])
    given = {"contractId": contract["id"], "version": contract["version"]}
    heard = len(pair.peers.of("contract.paused", contract=contract["number"]))
    answers = await asyncio.gather(*(change(pair, "pauseContract", given, idempotency_key="burst") for _ in range(6)))
    codes = {error["code"] for _, error in answers if error}
    assert codes <= {"IDEMPOTENCY_IN_PROGRESS"}
    done = [payload for payload, _ in answers if payload]
    assert done
    assert {payload["contract"]["status"] for payload in done} == {"PAUSED"}
    version = done[0]["contract"]["version"]
    await change(pair, "resumeContract", {"contractId": contract["id"], "version": version})
    await until(lambda: len(pair.peers.of("contract.paused", contract=contract["number"])) > heard)
    assert len(pair.peers.of("contract.paused", contract=contract["number"])) == heard + 1


async def test_what_was_done_is_told_whatever_has_become_of_the_contract_since(pair: Pair) -> None:
    """The key stands for the first try, which was allowed; that the contract is over by now is no answer to it."""
    nodes = await pair.subgraph.graphql(
        "{ contracts(filter: {status: [ACTIVE]}, first: 200) { edges { node { id number"
        ' customer { entitlement(feature: "api_calls") { contract { number } } } } } } }'
    )
    contract = next(
        edge["node"]
        for edge in reversed(nodes["data"]["contracts"]["edges"])
        if edge["node"]["customer"]["entitlement"]["contract"] == {"number": edge["node"]["number"]}
    )
    subscription = await at_vendor(pair, contract["number"])
    given = {"contractId": contract["id"], "feature": "api_calls", "quantity": "2"}
    lost_given = {**given, "quantity": "3"}
    done, _ = await change(pair, "recordUsage", given, idempotency_key="over-1")
    await pair.sandbox.faults(mode="truncate", paths="meter_events")
    _, lost = await change(pair, "recordUsage", lost_given, idempotency_key="over-2")
    await pair.sandbox.faults()
    await pair.sandbox.client.delete(f"/v1/subscriptions/{subscription['id']}")
    await until(lambda: pair.peers.of("contract.cancelled", contract=contract["number"]))
    again, _ = await change(pair, "recordUsage", given, idempotency_key="over-1")
    found, _ = await change(pair, "recordUsage", lost_given, idempotency_key="over-2")
    _, refused = await change(pair, "recordUsage", given, idempotency_key="over-3")
    assert done["contract"] == {"number": contract["number"]}
    assert lost["outcome"] == "UNKNOWN"
    assert again["contract"] == found["contract"] == done["contract"]
    assert (refused["code"], refused["outcome"]) == ("CONFLICT", "NOT_APPLIED")
