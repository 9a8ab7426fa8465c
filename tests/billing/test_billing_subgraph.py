"""The billing subgraph over HTTP: entities, lists, writes, bad input, and a vendor that fails in every way."""

from __future__ import annotations

import asyncio
import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from billing_processes import CUSTOMERS, Pair, Peers, sandbox_process, subgraph_process
from test_billing_writes import change
from waiting import until

from subgraphs.billing.app import schema
from subgraphs.kit.company.generate import generate
from subgraphs.kit.company.model import Company, ContractStatus, Source
from subgraphs.kit.global_id import encode_global_id
from subgraphs.kit.subgraph_schema import print_subgraph_schema

TODAY = dt.datetime.now(dt.UTC).date()


@pytest.fixture(scope="module")
def company() -> Company:
    return generate(7, CUSTOMERS, TODAY)


def gid(number: str) -> str:
    return encode_global_id("Contract", number)


def in_billing(company: Company) -> set[str]:
    return {c.reference for c in company.customers if Source.BILLING not in c.missing_in}


def test_the_published_schema_is_the_one_in_the_code() -> None:
    published = Path(__file__).parents[2] / "schema" / "subgraphs" / "billing.graphql"
    assert published.read_text() == print_subgraph_schema(schema)


async def test_contracts_say_what_was_agreed(pair: Pair, company: Company) -> None:
    """Every contract of the generated company, through Stripe's objects and back, term by term."""
    answer = await pair.subgraph.graphql(
        "{ contracts(first: 200) { totalCount edges { node { number status currency startsOn endsOn autoRenews mrr { amount }"
        " totalValue { amount } items { product { sku } quantity unitPrice { amount } } amendments { edges { node {"
        " reference effectiveOn sku quantityFrom quantityTo mrrChange { amount } reason } } } } } } }"
    )
    prices = {price.reference: price for price in company.prices}
    agreed = [contract for contract in company.contracts if contract.customer in in_billing(company)]
    expected = []
    for contract in sorted(agreed, key=lambda c: c.number):
        items = [item for item in contract.items if prices[item.price].interval != "ONCE"]
        quantities = [item.quantity if item.sku not in {"API-CALLS", "STORAGE"} else None for item in items]
        expected.append({
            "number": contract.number,
            "status": contract.status.value,
            "currency": contract.currency,
            "startsOn": contract.starts_on.isoformat(),
            "endsOn": contract.ends_on.isoformat(),
            "autoRenews": contract.auto_renew,
            "mrr": {"amount": str(contract.mrr)},
            "totalValue": {"amount": str(contract.total_value)},
            "items": [
                {"product": {"sku": item.sku}, "quantity": quantity, "unitPrice": {"amount": str(item.unit_amount)}}
                for item, quantity in zip(items, quantities, strict=True)
            ],
            "amendments": {"edges": [
                {"node": {
                    "reference": change.reference, "effectiveOn": change.effective_on.isoformat(), "sku": change.sku,
                    "quantityFrom": change.quantity_from, "quantityTo": change.quantity_to,
                    "mrrChange": {"amount": str(change.mrr_change)}, "reason": change.reason,
                }}
                for change in company.amendments if change.contract == contract.number
            ]},
        })  # fmt: skip
    assert answer.get("errors") is None
    assert [edge["node"] for edge in answer["data"]["contracts"]["edges"]] == expected
    assert answer["data"]["contracts"]["totalCount"] == len(expected)


async def test_entitlements_follow_from_contracts_and_use(pair: Pair, company: Company) -> None:
    records = {record["reference"]: key for key, record in pair.peers.records.items() if "reference" in record}
    for contract in company.contracts:
        held = [c for c in company.contracts if c.customer == contract.customer]
        if contract.customer not in records or len(held) > 1 or contract.status is ContractStatus.PAUSED:
            continue
        answer = await pair.subgraph.graphql(
            "query ($r: [_Any!]!) { _entities(representations: $r) { ... on Customer { entitlements { edges { node {"
            " feature limit used validFrom validUntil state contract { number } } } } } } }",
            {"r": [{"__typename": "Customer", "billingRef": records[contract.customer]}]},
        )
        found = {e["node"]["feature"]: e["node"] for e in answer["data"]["_entities"][0]["entitlements"]["edges"]}
        expected = {
            entitlement.feature: {
                "feature": entitlement.feature,
                "limit": entitlement.limit,
                "used": str(entitlement.used if contract.status is ContractStatus.ACTIVE else 0),
                "validFrom": entitlement.valid_from.isoformat(),
                "validUntil": (
                    contract.cancelled_on - dt.timedelta(days=1) if contract.cancelled_on else contract.ends_on
                ).isoformat(),
                "state": entitlement.state.value,
                "contract": {"number": contract.number},
            }
            for entitlement in company.entitlements
            if entitlement.contract == contract.number and contract.status is not ContractStatus.DRAFT
        }
        assert found == expected


async def test_billed_lines_and_documents_carry_the_business_keys(pair: Pair, company: Company) -> None:
    line = next(line for line in company.billed_lines if line.invoice and line.customer in in_billing(company))
    invoice = next(invoice for invoice in company.invoices if invoice.number == line.invoice)
    lost = next(line for line in company.billed_lines if line.invoice is None and line.customer in in_billing(company))
    answer = await pair.subgraph.graphql(
        "query ($r: [_Any!]!) { _entities(representations: $r) { ... on BilledLine { ref amount { amount currency } quantity"
        " period { startsOn endsOn } product { sku name } contract { number } invoice { number } }"
        " ... on Invoice { number billingDocument { total { amount } subtotal { amount } tax { amount } } }"
        " ... on Product { sku name prices { reference } } } }",
        {
            "r": [
                {"__typename": "BilledLine", "ref": line.ref},
                {"__typename": "Invoice", "number": line.invoice},
                {"__typename": "BilledLine", "ref": lost.ref},
                {"__typename": "Product", "sku": "SSO"},
                {"__typename": "BilledLine", "ref": "BL-none"},
                {"__typename": "Invoice", "number": "INV-none"},
                {"__typename": "Product", "sku": "NONE"},
            ]
        },
    )
    found_line, document, found_lost, product, *absent = answer["data"]["_entities"]
    assert answer.get("errors") is None
    assert found_line == {
        "ref": line.ref,
        "amount": {"amount": str(line.amount), "currency": line.currency},
        "quantity": line.quantity,
        "period": {"startsOn": line.period_start.isoformat(), "endsOn": line.period_end.isoformat()},
        "product": {"sku": line.sku, "name": next(p.name for p in company.products if p.sku == line.sku)},
        "contract": {"number": line.contract},
        "invoice": {"number": line.invoice},
    }
    charged = [
        entry for entry in company.billed_lines if entry.contract == line.contract and entry.billed_on == line.billed_on
    ]
    net = sum((entry.amount for entry in charged), Decimal(0))
    assert document["billingDocument"] == {
        "subtotal": {"amount": str(net)},
        "tax": {"amount": str(invoice.tax)},
        "total": {"amount": str(net + invoice.tax)},
    }
    assert (found_lost["ref"], product["name"], len(product["prices"])) == (lost.ref, "Single sign-on", 6)
    assert absent == [None, None, None]


async def test_a_page_of_customers_costs_no_vendor_request(pair: Pair) -> None:
    refs = sorted(pair.peers.records)
    answer = await pair.subgraph.graphql(
        "query ($r: [_Any!]!) { _entities(representations: $r) { ... on Customer { mrr { amount } arr { amount } paymentMethod { kind }"
        " billingRecord { externalId name readAt } contracts { totalCount edges { node { number usage(first: 3) { totalCount }"
        " billedLines(first: 5) { totalCount } } } } entitlements { edges { node { id decision { allowed } } } } } } }",
        {"r": [{"__typename": "Customer", "billingRef": ref} for ref in refs]},
    )
    assert answer.get("errors") is None
    assert answer["extensions"]["concord"]["vendorRequests"] == {}
    assert [customer["billingRecord"]["externalId"] for customer in answer["data"]["_entities"]] == refs


async def test_a_merged_customer_is_the_union_of_its_records(pair: Pair) -> None:
    one, two = sorted(pair.peers.records)[:2]
    answer = await pair.subgraph.graphql(
        "query ($r: [_Any!]!) { _entities(representations: $r) { ... on Customer { contracts { edges { node { number } } } } } }",
        {
            "r": [
                {"__typename": "Customer", "billingRef": ref}
                for ref in (one, two, f"{one}+{two}", "cus_gone", f"cus_gone+{one}")
            ]
        },
    )
    first, second, both, gone, half = (
        None if c is None else {e["node"]["number"] for e in c["contracts"]["edges"]}
        for c in answer["data"]["_entities"]
    )
    assert (both, gone, half) == (first | second, None, first)


@pytest.mark.parametrize(
    ("hold", "feature", "reason", "checked"),
    [(True, None, "CREDIT_HOLD", True), (False, None, "ALLOWED", True), (None, None, "ALLOWED", False)],
)
async def test_a_decision_weighs_the_credit_it_requires(
    pair: Pair, company: Company, hold: bool | None, feature: str | None, reason: str, checked: bool
) -> None:
    entitlement = next(
        e for e in company.entitlements if e.limit is None and e.state == "ACTIVE" and e.customer in in_billing(company)
        and any(c.number == e.contract and c.status is ContractStatus.ACTIVE for c in company.contracts)
    )  # fmt: skip
    records, wanted = pair.peers.records, entitlement.customer
    owner = await until(lambda: next((key for key, r in records.items() if r.get("reference") == wanted), None))
    representation = {
        "__typename": "Entitlement",
        "id": encode_global_id("Entitlement", f"{owner}.{entitlement.feature}"),
        "customer": {"creditHold": hold},
    }
    answer = await pair.subgraph.graphql(
        "query ($r: [_Any!]!) { _entities(representations: $r) { ... on Entitlement { feature decision { allowed reason creditChecked explanation } } } }",
        {"r": [representation, {**representation, "id": encode_global_id("Entitlement", f"{owner}.none")}]},
    )
    found, absent = answer["data"]["_entities"]
    assert found["decision"].pop("explanation").endswith(".")
    assert found == {
        "feature": entitlement.feature,
        "decision": {"allowed": reason == "ALLOWED", "reason": reason, "creditChecked": checked},
    }
    assert absent is None


async def test_what_no_contract_gives_is_explained_too(pair: Pair, company: Company) -> None:
    reference = next(
        c.reference for c in company.customers
        if c.reference in in_billing(company)
        and not any(e.customer == c.reference and e.feature == "sso" for e in company.entitlements)
    )  # fmt: skip
    records = pair.peers.records
    owner = await until(lambda: next((key for key, r in records.items() if r.get("reference") == reference), None))
    answer = await pair.subgraph.graphql(
        'query ($r: [_Any!]!) { _entities(representations: $r) { ... on Customer { sso: entitlement(feature: "sso") { state limit'
        ' decision { allowed reason explanation } } none: entitlement(feature: "time_travel") { id } } } }',
        {"r": [{"__typename": "Customer", "billingRef": owner}]},
    )
    assert answer["data"]["_entities"][0] == {
        "sso": {
            "state": "NOT_GRANTED",
            "limit": 0,
            "decision": {
                "allowed": False,
                "reason": "NOT_ENTITLED",
                "explanation": "No contract of the customer includes Single sign-on.",
            },
        },
        "none": None,
    }


async def test_contracts_are_filtered_ordered_and_paged(pair: Pair) -> None:
    query = (
        "query ($f: ContractFilter, $o: ContractOrder, $n: Int, $a: String) { contracts(filter: $f, orderBy: $o, first: $n, after: $a)"
        " { totalCount pageInfo { hasNextPage endCursor } edges { node { number status mrr { amount } renewal { dueOn } } } } }"
    )

    async def ask(**variables: Any) -> dict[str, Any]:
        return (await pair.subgraph.graphql(query, variables))["data"]["contracts"]

    everything = [e["node"] for e in (await ask(n=200))["edges"]]
    active = await ask(f={"status": ["ACTIVE"]}, o={"field": "MRR", "direction": "DESC"}, n=200)
    amounts = [Decimal(e["node"]["mrr"]["amount"]) for e in active["edges"]]
    walked, after = [], None
    while True:
        page = await ask(n=4, a=after)
        walked += [e["node"]["number"] for e in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    until_day = (TODAY + dt.timedelta(days=180)).isoformat()
    due = await ask(
        f={"renewalDueFrom": TODAY.isoformat(), "renewalDueUntil": until_day}, o={"field": "RENEWAL_DUE_ON"}
    )
    dates = [e["node"]["renewal"]["dueOn"] for e in due["edges"]]
    one = await ask(f={"numberContains": everything[0]["number"][4:].lower()})
    assert {e["node"]["status"] for e in active["edges"]} == {"ACTIVE"}
    assert amounts == sorted(amounts, reverse=True)
    assert walked == [node["number"] for node in everything]
    assert dates == sorted(
        d for n in everything if n["renewal"] and TODAY.isoformat() <= (d := n["renewal"]["dueOn"]) <= until_day
    )
    assert [e["node"]["number"] for e in one["edges"]] == [everything[0]["number"]]


async def test_below_a_customer_contracts_are_not_filtered_by_another_one(pair: Pair) -> None:
    ref = min(pair.peers.records)
    answer = await pair.subgraph.graphql(
        "query ($r: [_Any!]!, $f: ContractFilter) {"
        " _entities(representations: $r) { ... on Customer { contracts(filter: $f) { totalCount } } } }",
        {
            "r": [{"__typename": "Customer", "billingRef": ref}],
            "f": {"customerId": encode_global_id("Customer", "another")},
        },
    )
    assert answer["data"] == {"_entities": [{"contracts": None}]}
    assert [(e["message"], e["extensions"]["code"]) for e in answer["errors"]] == [
        ("`customerId` filters the list of all contracts only.", "BAD_USER_INPUT")
    ]


async def test_contracts_are_found_by_their_customer(pair: Pair, company: Company) -> None:
    contract = next(c for c in company.contracts if c.customer in in_billing(company))
    records, wanted = pair.peers.records, contract.customer
    owner = await until(lambda: next((key for key, r in records.items() if r.get("reference") == wanted), None))
    query = "query ($f: ContractFilter) { contracts(filter: $f) { edges { node { number } } } }"
    found = await pair.subgraph.graphql(query, {"f": {"customerId": pair.peers.links[owner]}})
    nobody = await pair.subgraph.graphql(query, {"f": {"customerId": encode_global_id("Customer", "nobody")}})
    numbers = {edge["node"]["number"] for edge in found["data"]["contracts"]["edges"]}
    assert {c.number for c in company.contracts if c.customer == contract.customer} <= numbers
    assert nobody["data"]["contracts"]["edges"] == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ('{ contract(id: "nonsense") { number } }', "BAD_USER_INPUT"),
        (f'{{ contract(id: "{encode_global_id("Customer", "1")}") {{ number }} }}', "BAD_USER_INPUT"),
        ("{ contracts(first: 201) { totalCount } }", "BAD_USER_INPUT"),
        ("{ contracts(first: 1, last: 1) { totalCount } }", "BAD_USER_INPUT"),
        ('{ contracts(after: "xx") { totalCount } }', "BAD_USER_INPUT"),
        (
            '{ contracts(filter: {renewalDueFrom: "2026-02-01", renewalDueUntil: "2026-01-01"}) { totalCount } }',
            "BAD_USER_INPUT",
        ),
    ],
)
async def test_bad_arguments_have_a_code(pair: Pair, query: str, code: str) -> None:
    answer = await pair.subgraph.graphql(query)
    assert [(e["extensions"]["code"], e["extensions"]["system"]) for e in answer["errors"]] == [(code, "billing")]
    assert (await pair.subgraph.graphql(f'{{ contract(id: "{gid("CON-NONE")}") {{ number }} }}'))["data"] == {
        "contract": None
    }


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        ({"mode": "down"}, "SYSTEM_UNAVAILABLE"),
        ({"mode": "reset"}, "SYSTEM_UNAVAILABLE"),
        ({"mode": "blackhole"}, "SYSTEM_TIMEOUT"),
        ({"mode": "garbage"}, "SYSTEM_BAD_RESPONSE"),
        ({"mode": "html"}, "SYSTEM_BAD_RESPONSE"),
        ({"errorRate": 1.0}, "SYSTEM_ERROR"),
        ({"errorRate": 1.0, "errorStatus": 401}, "SYSTEM_AUTH_FAILED"),
    ],
)
async def test_a_vendor_that_fails_costs_its_fields_within_the_deadline(
    stale: Pair, faults: dict[str, Any], code: str
) -> None:
    """The copy may be no older than asked for here (0 s), so each read asks the vendor for news first."""
    await stale.sandbox.faults(**faults)
    deadline_ms = "1500" if code == "SYSTEM_TIMEOUT" else "30000"

    async def failed() -> Any:
        # A poll that was on its way before the fault still answers whoever joins it.
        asked = "{ contracts(first: 1) { totalCount } }"
        answer = await stale.subgraph.graphql(asked, x_concord_deadline_ms=deadline_ms)
        return answer if "errors" in answer else None

    answer = await until(failed)
    await stale.sandbox.faults()
    healed = await until(lambda: _answers(stale))
    assert [(e["extensions"]["code"], e["extensions"]["system"], e["path"]) for e in answer["errors"]] == [
        (code, "billing", ["contracts"])
    ]
    assert healed


async def _answers(pair: Pair) -> bool:
    return "errors" not in await pair.subgraph.graphql("{ contracts(first: 1) { totalCount } }")


@pytest.fixture(scope="module")
async def stale(tmp_path_factory: pytest.TempPathFactory, peers: Peers) -> Any:
    state = tmp_path_factory.mktemp("stale")
    async with (
        sandbox_process(state / "sandbox", CUSTOMERS=2) as sandbox,
        subgraph_process(state / "subgraph", sandbox.url, peers, MAX_STALENESS_S=0, POLL_INTERVAL_S=600) as subgraph,
    ):
        await until(lambda: _answers(Pair(subgraph, sandbox, peers)))
        yield Pair(subgraph, sandbox, peers)


async def test_what_was_written_is_told_though_the_vendor_may_not_be_read(stale: Pair) -> None:
    """The same key again, while the vendor limits whatever is read before a write: the write was applied."""
    query = "{ contracts(filter: {status: [ACTIVE]}, first: 20) { edges { node { id version autoRenews cancellation { effectiveOn } } } } }"
    found = (await until(lambda: _answer(stale, query)))["contracts"]["edges"]
    contract = next(edge["node"] for edge in found if edge["node"]["cancellation"] is None)
    given = {"contractId": contract["id"], "version": contract["version"], "autoRenews": not contract["autoRenews"]}
    done, refused = await change(stale, "setAutoRenew", given, idempotency_key="told-1")
    assert (done["contract"]["autoRenews"], refused) == (given["autoRenews"], None)
    await stale.sandbox.faults(errorRate=1.0, errorStatus=429)
    again, told = await change(stale, "setAutoRenew", given, idempotency_key="told-1")
    await stale.sandbox.faults()
    assert again == done or told["outcome"] == "APPLIED", told


async def _answer(pair: Pair, query: str) -> Any:
    answer = await pair.subgraph.graphql(query)
    return None if "errors" in answer else answer["data"]


async def test_a_vendor_that_is_down_can_be_answered_for_by_policy(tmp_path: Path, peers: Peers) -> None:
    """The copy stands in for the set time, over a restart too; what can't be asked is refused."""
    policy = {"MAX_STALENESS_S": 0, "SERVE_STALE_FOR_S": 60}
    async with sandbox_process(tmp_path / "sandbox", CUSTOMERS=2) as sandbox:
        async with subgraph_process(tmp_path / "subgraph", sandbox.url, peers, **policy) as subgraph:
            await until(lambda: _answers(Pair(subgraph, sandbox, peers)))
            await asyncio.sleep(0.5)
        await sandbox.faults(mode="down")
        async with subgraph_process(tmp_path / "subgraph", sandbox.url, peers, **policy) as subgraph:
            found = Pair(subgraph, sandbox, peers)
            assert await until(lambda: _answers(found))
            assert "errors" in await subgraph.graphql(
                'mutation { setAutoRenew(input: {contractId: "Q29udHJhY3Q6Q09OLVg", version: "", autoRenews: true}) { clientMutationId } }'
            )
