"""Who may see and do what with customers and the crosswalk."""

from __future__ import annotations

from subgraphs.kit.guard import Access, scopes

ACCESS: Access = {
    "Customer": scopes("customers:read"),
    "UnmatchedRecord": scopes("identity:read"),
    "Mutation.linkIdentity": scopes("identity:write"),
    "Mutation.mergeCustomers": scopes("identity:write"),
    "Mutation.splitCustomer": scopes("identity:write"),
}
