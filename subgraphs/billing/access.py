"""Who may see and do what on the subscription platform."""

from __future__ import annotations

from subgraphs.kit.consumers import Consumers
from subgraphs.kit.guard import Access, scopes

ACCESS: Access = {
    "Query.billingSystem": scopes("operations:read"),
    "Contract": scopes("contracts:read"),
    "Entitlement": scopes("entitlements:read"),
    "EntitlementDecision": scopes("entitlements:read"),
    # It is decided with the customer's credit hold.
    "Entitlement.decision": scopes("customers:read"),
    "PaymentMethod": scopes("credit:read"),
    "Customer.mrr": scopes("revenue:read"),
    "Customer.arr": scopes("revenue:read"),
    "Mutation.recordUsage": scopes("usage:write"),
    "Mutation.grantEntitlement": scopes("entitlements:write"),
    "Mutation.pauseContract": scopes("contracts:write"),
    "Mutation.scheduleCancellation": scopes("contracts:write"),
    "Mutation.setAutoRenew": scopes("contracts:write"),
}

CONSUMERS: Consumers = {
    "portal": (
        "Query.contract Query.contracts Query.products Contract Customer Entitlement BilledLine Product "
        "Invoice Mutation.setAutoRenew Mutation.scheduleCancellation"
    ),
    "support": (
        "Query.contract Query.contracts Contract.id Contract.number Contract.status Contract.startsOn "
        "Contract.endsOn Contract.customer Contract.renewal Contract.usage Contract.version "
        "Customer.contracts Customer.entitlements Customer.entitlement Entitlement "
        "Mutation.grantEntitlement Mutation.pauseContract Mutation.resumeContract Mutation.recordUsage"
    ),
    "analytics": (
        "Query.contract Query.contracts Query.products Contract Customer Entitlement BilledLine Product Invoice"
    ),
    "partner": "Query.products Product",
}
"""Whose variants of the graph have what; see `contracts` of the gateway's configuration."""
