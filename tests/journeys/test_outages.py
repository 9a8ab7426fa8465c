"""When a system is down, slow or talks rubbish, its fields are null and say why; the rest of the answer stands."""

import time

import pytest

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


@pytest.fixture(params=["crm", "erp"])
def system(request, product):
    """Vendors that are read live; billing answers from its mirror, see below."""
    yield request.param
    product.set_faults(request.param)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_system_in_trouble_costs_its_own_fields_only(product, overdue_customer, system, fault):
    whole = product.data(QUERY, {"id": overdue_customer["id"]})["customer"]
    product.set_faults(system, **FAULTS[fault])
    began = time.monotonic()
    answer = product.ask(QUERY, {"id": overdue_customer["id"]}, X_Request_Timeout_Ms="3000")
    took_s = time.monotonic() - began
    customer = answer["data"]["customer"]
    assert took_s < 3.6
    for other, fields in OWN.items():
        for name in fields:
            if other == system:
                assert customer[name] is None, name
            elif name != "contracts":
                assert customer[name] == whole[name], name
    assert [edge["node"]["number"] for edge in customer["contracts"]["edges"]] == [
        edge["node"]["number"] for edge in whole["contracts"]["edges"]
    ]
    located = {tuple(error["path"]) for error in answer["errors"]}
    assert {("customer", name) for name in OWN[system]} <= located
    for error in answer["errors"]:
        extensions = error["extensions"]
        assert extensions["system"] == system
        assert extensions["code"].startswith("SYSTEM_")
        assert isinstance(extensions["retryable"], bool)
        assert extensions["owner"]
        assert "Traceback" not in str(error)


@pytest.mark.parametrize("fault", ["down", "garbage"])
def test_billing_is_read_from_its_mirror_while_stripe_is_away(product, overdue_customer, fault):
    whole = product.data(QUERY, {"id": overdue_customer["id"]})
    product.set_faults("billing", **FAULTS[fault])
    try:
        assert product.data(QUERY, {"id": overdue_customer["id"]}) == whole
    finally:
        product.set_faults("billing")
