"""What a list costs the vendors: counted where they are asked, and told to whoever wants to know."""

HUNDRED = """
query Hundred {
  customers(first: 100) {
    edges {
      node {
        name
        contracts(first: 10) { edges { node { number status } } }
        entitlements(first: 10) { edges { node { feature state } } }
        invoices(first: 10, filter: { status: [POSTED] }) { edges { node { number balance { amount } } } }
        opportunities(first: 10) { edges { node { name stage } } }
      }
    }
  }
}
"""
SYSTEMS = {"crm": "hubspot", "billing": "stripe", "erp": "tryton"}


def test_a_hundred_customers_with_everything_cost_at_most_fifteen_vendor_requests(product):
    product.forget_vendor_requests(*SYSTEMS)
    answer = product.ask(HUNDRED, X_Concord_Provenance="1")
    assert "errors" not in answer
    nodes = [edge["node"] for edge in answer["data"]["customers"]["edges"]]
    assert len(nodes) == 100
    for field in ("contracts", "entitlements", "invoices", "opportunities"):
        assert sum(len((node[field] or {"edges": []})["edges"]) for node in nodes) > 20, field
    told = answer["extensions"]["concord"]
    # Vendors are also polled for changes beside this request, so the sandboxes may have counted more.
    counted = {vendor: product.vendor_requests(system)["total"] for system, vendor in SYSTEMS.items()}
    assert sum(told["vendorRequests"].values()) <= 15
    for vendor, count in counted.items():
        assert told["vendorRequests"].get(vendor, 0) <= count


def test_whoever_asks_is_told_which_system_answered_each_path(product):
    answer = product.ask(HUNDRED, X_Concord_Provenance="1")
    systems = {tuple(entry["path"]): entry["system"] for entry in answer["extensions"]["concord"]["provenance"]}
    node = ("customers", "edges", "node")
    assert systems[("customers",)] == "identity"
    assert systems[(*node, "name")] == systems[(*node, "opportunities")] == "crm"
    assert systems[(*node, "contracts")] == systems[(*node, "entitlements")] == "billing"
    assert systems[(*node, "invoices")] == "erp"
    assert "extensions" not in product.ask(HUNDRED)
