"""When a system is down, slow or talks rubbish, its fields are null and say why; the rest of the answer stands."""

import os
import signal
import time

import pytest
from running_processes import process_of

QUERY = """
query View($id: ID!) {
  customer(id: $id) {
    id
    name
    owner { name }
    contracts(first: 5) { edges { node { number status opportunity { name } billedToDate { amount } } } }
    legalName
    invoices(first: 3) { edges { node { number status } } }
  }
}
"""
OWN = {"crm": ["name", "owner"], "billing": ["contracts"], "erp": ["legalName", "invoices"]}
FAULTS = {
    "down": {"mode": "down"},
    "reset": {"mode": "reset"},
    "blackhole": {"mode": "blackhole"},
    "garbage": {"mode": "garbage"},
    "html": {"mode": "html"},
    "truncate": {"mode": "truncate"},
    "error": {"errorRate": 1.0, "errorStatus": 500},
    "limited": {"errorRate": 1.0, "errorStatus": 429},
    "slow": {"latencyMs": 30_000},
}


@pytest.fixture(params=["crm", "billing", "erp"])
def system(request, product, overdue_customer):
    yield request.param
    product.set_faults(request.param)
    healed(product, {"id": overdue_customer["id"]})


def healed(product, variables):
    """The whole answer, once the fault of an earlier test is over: a breaker may still be resting."""
    deadline = time.monotonic() + 60
    while "errors" in (answer := product.ask(QUERY, variables)):
        assert time.monotonic() < deadline, answer["errors"]
        time.sleep(0.2)
    return answer["data"]["customer"]


def troubled(product, variables, system, *, is_silent):
    """An answer given during the fault. Billing is read from a mirror, which may be two seconds old before it shows."""
    deadline = time.monotonic() + 60
    while True:
        answer = product.ask(QUERY, variables, X_Request_Timeout_Ms="4000" if is_silent else "30000")
        if "errors" in answer:
            return answer
        assert system == "billing"
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_system_in_trouble_costs_its_own_fields_only(product, overdue_customer, system, fault):
    variables = {"id": overdue_customer["id"]}
    whole = healed(product, variables)
    product.set_faults(system, **FAULTS[fault])
    answer = troubled(product, variables, system, is_silent=fault in {"blackhole", "slow"})
    customer = answer["data"]["customer"]
    for other, fields in OWN.items():
        for name in fields:
            if other == system:
                assert customer[name] is None, name
            elif name != "contracts":
                assert customer[name] == whole[name], name
    if system != "billing":
        numbers = [[edge["node"]["number"] for edge in each["contracts"]["edges"]] for each in (customer, whole)]
        assert numbers[0] == numbers[1]
    located = {tuple(error["path"]) for error in answer["errors"]}
    assert {("customer", name) for name in OWN[system]} <= located
    for error in answer["errors"]:
        extensions = error["extensions"]
        assert extensions["system"] == system
        assert extensions["code"].startswith("SYSTEM_")
        assert isinstance(extensions["retryable"], bool)
        assert extensions["owner"]
        assert "Traceback" not in str(error)


def test_the_front_desk_without_identity_still_reads_what_others_answer_alone(product):
    """Root fields of one system do not need another one."""
    # Past what is kept of identity, which would do for a while.
    query = "{ customers(first: 1) { totalCount } contracts(first: 1) { edges { node { number customer { name } } } } }"
    pid = process_of("subgraphs.identity.app", f"CONCORD_IDENTITY_PORT={product.ports['identity']}")
    os.kill(pid, signal.SIGSTOP)
    try:
        answer = product.ask(query, X_Request_Timeout_Ms="2000", Cache_Control="no-cache")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert answer["data"]["customers"] is None
    (contract,) = (edge["node"] for edge in answer["data"]["contracts"]["edges"])
    assert contract["number"]
    assert contract["customer"] is None or contract["customer"]["name"] is None
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"SYSTEM_TIMEOUT"}
    assert {error["extensions"]["system"] for error in answer["errors"]} == {"identity"}


AGREED = """query($id: ID!) { customer(id: $id) { invoices(first: 1) { edges { node { number
    contract { id number billedToDate { amount } status mrr { amount } items { quantity } version } } } } } }"""
CHARGED = """query($id: ID!) { customer(id: $id) { contracts(first: 1) { edges { node { number
    billedLines(last: 1) { edges { node { invoice { number billingDocument { total { amount } } status total { amount } } } } } } } } } }"""


@pytest.mark.parametrize(
    ("system", "query", "way", "kept", "lost"),
    [
        ("billing", AGREED, ["contract"], ["id", "number", "billedToDate"], ["status", "mrr", "items", "version"]),
        ("erp", CHARGED, ["billedLines", "invoice"], ["number", "billingDocument"], ["status", "total"]),
    ],
    ids=["a contract from an invoice", "an invoice from a charge"],
    indirect=["system"],
)
def test_what_another_system_leads_to_keeps_that_system_s_part(
    product, overdue_customer, system, query, way, kept, lost
):
    """An object of the system that is down is not null itself, where another one named it."""

    def found(answer):
        (value,) = [value for value in answer["data"]["customer"].values() if value is not None]
        for step in ["edges", 0, "node", *way]:
            value = value[step]
            if isinstance(value, dict) and "edges" in value:
                value = value["edges"][0]["node"]
        return value

    healed(product, {"id": overdue_customer["id"]})
    whole = found(product.ask(query, {"id": overdue_customer["id"]}))
    assert all(whole[name] is not None for name in (*kept, *lost)), whole
    product.set_faults(system, mode="down")
    deadline = time.monotonic() + 60
    while "errors" not in (answer := product.ask(query, {"id": overdue_customer["id"]})):
        assert system == "billing"  # read from a mirror, which may be two seconds old before it shows
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert found(answer) == {**{name: whole[name] for name in kept}, **dict.fromkeys(lost)}
    assert {error["path"][-1] for error in answer["errors"]} >= set(lost)
    assert {error["extensions"]["system"] for error in answer["errors"]} == {system}
