"""Fills the org with the CRM's part of the believable company: the same facts that the HubSpot sandbox has."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from subgraphs.crm.sandbox.salesforce.org import Org
from subgraphs.crm.sandbox.salesforce.schema import OBJECTS
from subgraphs.kit.company.model import (
    Company,
    Contract,
    Customer,
    CustomerStatus,
    Opportunity,
    OpportunityKind,
    OpportunityStage,
    Source,
)
from subgraphs.kit.sandbox.state import State

_FOUNDED = dt.date(2020, 1, 1)
_TYPES = {
    CustomerStatus.PROSPECT: "Prospect",
    CustomerStatus.ACTIVE: "Customer",
    CustomerStatus.CHURNED: "Former Customer",
}
_STAGES = {
    OpportunityStage.QUALIFICATION: "Qualification",
    OpportunityStage.DISCOVERY: "Needs Analysis",
    OpportunityStage.PROPOSAL: "Proposal/Price Quote",
    OpportunityStage.NEGOTIATION: "Negotiation/Review",
    OpportunityStage.WON: "Closed Won",
    OpportunityStage.LOST: "Closed Lost",
}
_KINDS = {OpportunityKind.NEW_BUSINESS: "New Business", OpportunityKind.EXPANSION: "Existing Business"}
_SEGMENTS = {"ENTERPRISE": "Enterprise", "MID_MARKET": "Mid-Market", "SMB": "SMB", "STARTUP": "Startup"}


def fill(state: State, org: Org, company: Company) -> None:
    """Store the company's users, accounts, contacts and opportunities; call it within a transaction."""
    users: dict[str, str] = {}
    accounts: dict[str, str] = {}
    for number, owner in enumerate(company.owners, 1):
        name = f"{owner.first_name} {owner.last_name}"
        values = {"FirstName": owner.first_name, "LastName": owner.last_name, "Name": name, "Email": owner.email}
        users[owner.reference] = org.put(OBJECTS["User"], number, {**values, "IsActive": True}, _FOUNDED)
    known = [customer for customer in company.customers if Source.CRM not in customer.missing_in]
    for number, customer in enumerate(known, 1):
        values = account_values(customer, users)
        accounts[customer.reference] = org.put(OBJECTS["Account"], number, values, customer.created_on)
    for customer in known:
        if customer.parent in accounts:
            collection = state.collection("Account")
            held = collection.get(accounts[customer.reference])
            assert held is not None
            collection.put(held["Id"], {**held, "ParentId": accounts[customer.parent]})
    for number, contact in enumerate(company.contacts, 1):
        values = {
            "FirstName": contact.first_name,
            "LastName": contact.last_name,
            "Email": contact.email,
            "Phone": contact.phone,
            "Title": contact.job_title,
            "AccountId": accounts[contact.customer],
        }
        org.put(OBJECTS["Contact"], number, values, contact.created_on)
    contracts = {contract.number: contract for contract in company.contracts}
    for number, deal in enumerate(company.opportunities, 1):
        values = opportunity_values(deal, users, accounts, contracts.get(deal.contract or ""))
        org.put(OBJECTS["Opportunity"], number, values, deal.created_on)
    for kind in OBJECTS:
        state.set_fact(f"next:id:{kind}", str(len(state.collection(kind)) + 1))


def account_values(customer: Customer, users: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of a customer's account; `users` are owners' references to user ids."""
    return {
        "Name": customer.name_in(Source.CRM),
        "Website": f"https://www.{customer.domain}",
        "Industry": customer.industry,
        "NumberOfEmployees": customer.employees,
        "BillingStreet": customer.address.street,
        "BillingCity": customer.city_in(Source.CRM),
        "BillingPostalCode": customer.address.postal_code,
        "BillingCountry": customer.address.country,
        "Type": _TYPES[customer.status],
        "Customer_Segment__c": _SEGMENTS[customer.segment],
        "Customer_Reference__c": customer.reference,
        "OwnerId": users[customer.owner],
    }


def opportunity_values(
    deal: Opportunity, users: Mapping[str, str], accounts: Mapping[str, str], contract: Contract | None
) -> dict[str, Any]:
    """Return the fields of an opportunity; `accounts` are customers' references to account ids."""
    values: dict[str, Any] = {
        "Name": deal.name,
        "Amount": float(deal.amount),
        "CurrencyIsoCode": deal.currency,
        "StageName": _STAGES[deal.stage],
        "Type": _KINDS[deal.kind],
        "CloseDate": deal.close_on.isoformat(),
        "OwnerId": users[deal.owner],
        "AccountId": accounts[deal.customer],
    }
    if contract is not None:
        values["Contract_Number__c"] = contract.number
        if deal.kind is OpportunityKind.NEW_BUSINESS:
            # The renewal of a contract is worked on the deal that the contract came from.
            values["Renewal_Stage__c"] = contract.renewal_stage.replace("_", " ").title()
            values["Renewal_Risk__c"] = contract.renewal_risk.title()
    return values
