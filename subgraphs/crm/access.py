"""Who may see and do what in the CRM."""

from __future__ import annotations

from subgraphs.kit.guard import Access, classified, scopes

ACCESS: Access = {
    "Query.crmSystems": scopes("operations:read"),
    "Opportunity": scopes("pipeline:read"),
    "Contact": scopes("contacts:read"),
    "Contact.email": classified("PII"),
    "Contact.phone": classified("PII"),
    "Mutation.updateCustomerProfile": scopes("customers:write"),
    "Mutation.updateOpportunity": scopes("pipeline:write"),
    "Mutation.setRenewalStage": scopes("pipeline:write"),
}
