"""Who may see and do what in the CRM."""

from __future__ import annotations

from subgraphs.kit.consumers import Consumers
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

CONSUMERS: Consumers = {
    "portal": (
        "Query.opportunity Query.opportunities Query.accountOwners Customer Contract Opportunity Contact "
        "AccountOwner Product Mutation.updateCustomerProfile Mutation.updateOpportunity Mutation.setRenewalStage"
    ),
    "support": ("Customer.name Customer.segment Customer.status Customer.owner Customer.contacts Contact AccountOwner"),
    "analytics": (
        "Query.opportunity Query.opportunities Customer.name Customer.segment Customer.status "
        "Customer.industry Customer.employees Customer.opportunities Customer.parent Customer.children "
        "Contract Opportunity Product"
    ),
    "partner": (
        "Query.opportunity Query.opportunities Customer.name Opportunity.id Opportunity.name "
        "Opportunity.stage Opportunity.closeOn Opportunity.version Opportunity.customer "
        "Mutation.updateOpportunity"
    ),
}
"""Whose variants of the graph have what; see `contracts` of the gateway's configuration."""
