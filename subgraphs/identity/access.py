"""Who may see and do what with customers and the crosswalk."""

from __future__ import annotations

from subgraphs.kit.consumers import Consumers
from subgraphs.kit.guard import Access, scopes

ACCESS: Access = {
    "Customer": scopes("customers:read"),
    "UnmatchedRecord": scopes("identity:read"),
    "Query.hierarchyDifferences": scopes("identity:read"),
    "Mutation.linkIdentity": scopes("identity:write"),
    "Mutation.mergeCustomers": scopes("identity:write"),
    "Mutation.splitCustomer": scopes("identity:write"),
}

CONSUMERS: Consumers = {
    "portal": "Query.customer Query.customers Customer",
    "support": "Query.customer Query.customers Customer.id",
    "analytics": "Query.customer Query.customers Customer",
    "partner": "Query.customer Customer.id",
}
"""Whose variants of the graph have what; see `contracts` of the gateway's configuration."""
