"""Fills the portal with the CRM's part of the believable company."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from subgraphs.crm.sandbox.clock import print_date
from subgraphs.crm.sandbox.portal import CHILD_TO_PARENT, Portal
from subgraphs.crm.sandbox.schema import DEAL_STAGES
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
from subgraphs.kit.sandbox.state import Document, State

_FIRST_IDS = {"companies": 9_100_001, "contacts": 30_001, "deals": 50_001, "products": 80_001, "owners": 701}
_CATALOGUE_SINCE = dt.date(2020, 1, 1)
_LIFECYCLE = {
    CustomerStatus.PROSPECT: "opportunity",
    CustomerStatus.ACTIVE: "customer",
    CustomerStatus.CHURNED: "churned",
}
_STAGES = {
    OpportunityStage.QUALIFICATION: "appointmentscheduled",
    OpportunityStage.DISCOVERY: "qualifiedtobuy",
    OpportunityStage.PROPOSAL: "presentationscheduled",
    OpportunityStage.NEGOTIATION: "contractsent",
    OpportunityStage.WON: "closedwon",
    OpportunityStage.LOST: "closedlost",
}
_DEAL_TYPES = {OpportunityKind.NEW_BUSINESS: "newbusiness", OpportunityKind.EXPANSION: "existingbusiness"}


def fill(state: State, portal: Portal, company: Company) -> None:
    """Store the company's owners, companies, contacts and deals; call it within a transaction."""
    owners = _ids("owners", [owner.reference for owner in company.owners])
    for owner in company.owners:
        owner_id = owners[owner.reference]
        state.collection("owners").put(
            owner_id,
            {
                "id": owner_id,
                "email": owner.email,
                "type": "PERSON",
                "firstName": owner.first_name,
                "lastName": owner.last_name,
                "userId": int(owner_id) + 4000,
                "createdAt": "2020-01-01T00:00:00.000Z",
                "updatedAt": "2020-01-01T00:00:00.000Z",
                "archived": False,
            },
        )
    known = [customer for customer in company.customers if Source.CRM not in customer.missing_in]
    companies = _ids("companies", [customer.reference for customer in known])
    for customer in known:
        parent = companies.get(customer.parent or "")
        _put(state, "companies", companies[customer.reference], _company(customer, owners, parent), customer.created_on)
    contacts = _ids("contacts", [contact.reference for contact in company.contacts])
    for contact in company.contacts:
        values = {
            "firstname": contact.first_name,
            "lastname": contact.last_name,
            "email": contact.email,
            "phone": contact.phone,
            "jobtitle": contact.job_title,
            "associatedcompanyid": companies[contact.customer],
        }
        _put(state, "contacts", contacts[contact.reference], values, contact.created_on)
    contracts = {contract.number: contract for contract in company.contracts}
    deals = _ids("deals", [deal.reference for deal in company.opportunities])
    for deal in company.opportunities:
        values = _deal(deal, owners, contracts.get(deal.contract or ""))
        _put(state, "deals", deals[deal.reference], values, deal.created_on)
    for customer in known:
        if customer.parent in companies:
            here, parent = companies[customer.reference], companies[customer.parent]
            portal.link("companies", here, "companies", parent, type_id=CHILD_TO_PARENT)
    for contact in company.contacts:
        portal.link("contacts", contacts[contact.reference], "companies", companies[contact.customer], type_id=None)
    for deal in company.opportunities:
        portal.link("deals", deals[deal.reference], "companies", companies[deal.customer], type_id=None)
    products = _ids("products", [product.sku for product in company.products])
    for product in company.products:
        values = {"hs_sku": product.sku, "name": product.name, **_prices(company, product.sku)}
        _put(state, "products", products[product.sku], values, _CATALOGUE_SINCE)
    for kind, ids in (("companies", companies), ("contacts", contacts), ("deals", deals), ("products", products)):
        state.set_fact(f"next:id:{kind}", str(_FIRST_IDS[kind] + len(ids)))


def _prices(company: Company, sku: str) -> dict[str, str]:
    """Return a price per currency: a month's, where there is one."""
    listed = [price for price in reversed(company.prices) if price.sku == sku]
    return {f"hs_price_{price.currency.lower()}": str(price.unit_amount) for price in listed}


def _ids(kind: str, references: Sequence[str]) -> dict[str, str]:
    return {reference: str(_FIRST_IDS[kind] + place) for place, reference in enumerate(references)}


def _company(customer: Customer, owners: Mapping[str, str], parent: str | None) -> dict[str, str]:
    return {
        "name": customer.name_in(Source.CRM),
        "domain": customer.domain,
        "industry": customer.industry,
        "numberofemployees": str(customer.employees),
        "address": customer.address.street,
        "city": customer.city_in(Source.CRM),
        "zip": customer.address.postal_code,
        "country": customer.address.country,
        "lifecyclestage": _LIFECYCLE[customer.status],
        "customer_segment": customer.segment.lower(),
        "customer_reference": customer.reference,
        "hubspot_owner_id": owners[customer.owner],
        "hs_parent_company_id": parent or "",
    }


def _deal(deal: Opportunity, owners: Mapping[str, str], contract: Contract | None) -> dict[str, str]:
    stage = _STAGES[deal.stage]
    values = {
        "dealname": deal.name,
        "amount": str(deal.amount),
        "deal_currency_code": deal.currency,
        "pipeline": "default",
        "dealstage": stage,
        "hs_deal_stage_probability": DEAL_STAGES[stage][1],
        "dealtype": _DEAL_TYPES[deal.kind],
        "closedate": print_date(deal.close_on),
        "hubspot_owner_id": owners[deal.owner],
    }
    if contract is not None:
        values["contract_number"] = contract.number
        if deal.kind is OpportunityKind.NEW_BUSINESS:
            # The renewal of a contract is worked on the deal that the contract came from.
            values |= {
                "renewal_stage": contract.renewal_stage.lower(),
                "renewal_risk": contract.renewal_risk.lower(),
            }
    return values


def _put(state: State, kind: str, object_id: str, values: Mapping[str, str], created_on: dt.date) -> None:
    at = print_date(created_on)
    modified = "lastmodifieddate" if kind == "contacts" else "hs_lastmodifieddate"
    properties = {**values, "createdate": at, modified: at, "hs_object_id": object_id}
    document: Document = {
        "id": object_id,
        "properties": {name: value for name, value in properties.items() if value},
        "createdAt": at,
        "updatedAt": at,
        "archived": False,
    }
    state.collection(kind).put(object_id, document)
