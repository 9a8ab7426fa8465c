"""What sales people do in Salesforce on request, through the same code as the API's writes."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence

from subgraphs.crm.sandbox.salesforce.org import Org
from subgraphs.crm.sandbox.salesforce.schema import OBJECTS
from subgraphs.kit.company.generate import generate
from subgraphs.kit.sandbox.changes import ChangeMaker, Made, one_of
from subgraphs.kit.sandbox.state import Document

_STAGES = ("Qualification", "Needs Analysis", "Proposal/Price Quote", "Negotiation/Review")
_RENEWALS = ("Not Started", "In Review", "Quoted", "Committed", "Renewed")
_SEGMENTS = ("Startup", "SMB", "Mid-Market", "Enterprise")
_ACCOUNT, _CONTACT, _OPPORTUNITY, _USER = (OBJECTS[name] for name in ("Account", "Contact", "Opportunity", "User"))
_NO_OPEN_DEAL = "There is no open deal left."


class CrmChanges:
    """The changes of one org: the kinds that the HubSpot sandbox has."""

    def __init__(self, org: Org) -> None:
        self._org = org

    def makers(self) -> Sequence[ChangeMaker]:
        """Return the kinds."""
        return (
            ChangeMaker("deal_stage", "A deal moves to its next stage.", self.deal_stage),
            ChangeMaker("deal_won", "A deal is won.", self.deal_won),
            ChangeMaker("company_owner", "A company gets another owner.", self.company_owner),
            ChangeMaker("company_segment", "A company grows or shrinks into another segment.", self.company_segment),
            ChangeMaker("renewal_stage", "The renewal of a contract moves to its next stage.", self.renewal_stage),
            ChangeMaker("new_company", "A company nobody knew is added, with a contact.", self.new_company),
        )

    async def deal_stage(self, dice: random.Random) -> Made:
        """Move an open deal on."""
        movable = [deal for deal in self._org.records(_OPPORTUNITY) if deal["StageName"] in _STAGES[:-1]]
        deal = one_of(dice, movable, _NO_OPEN_DEAL)
        stage = _STAGES[_STAGES.index(deal["StageName"]) + 1]
        self._org.update(_OPPORTUNITY, deal["Id"], {"StageName": stage})
        return Made(deal["Id"], f"{self._deal_name(deal)} moved to {stage}.")

    async def deal_won(self, dice: random.Random) -> Made:
        """Win an open deal, of those that are furthest."""
        deals = [deal for deal in self._org.records(_OPPORTUNITY) if deal["StageName"] in _STAGES]
        furthest = max((_STAGES.index(deal["StageName"]) for deal in deals), default=0)
        ripe = [deal for deal in deals if deal["StageName"] == _STAGES[furthest]]
        deal = one_of(dice, ripe, _NO_OPEN_DEAL)
        today = dt.datetime.now(dt.UTC).date().isoformat()
        self._org.update(_OPPORTUNITY, deal["Id"], {"StageName": "Closed Won", "CloseDate": today})
        return Made(deal["Id"], f"{self._deal_name(deal)} was won.")

    async def company_owner(self, dice: random.Random) -> Made:
        """Hand a company over to another owner."""
        company = self._company(dice)
        users = [user for user in self._org.records(_USER) if user["Id"] != company.get("OwnerId")]
        user = one_of(dice, users, "There is no other owner to take a company.")
        self._org.update(_ACCOUNT, company["Id"], {"OwnerId": user["Id"]})
        return Made(company["Id"], f"{company['Name']} is looked after by {user['Name']}.")

    async def company_segment(self, dice: random.Random) -> Made:
        """Put a company into a neighbouring segment."""
        company = self._company(dice)
        place = _SEGMENTS.index(company.get("Customer_Segment__c") or _SEGMENTS[0])
        segment = dice.choice([_SEGMENTS[i] for i in (place - 1, place + 1) if 0 <= i < len(_SEGMENTS)])
        self._org.update(_ACCOUNT, company["Id"], {"Customer_Segment__c": segment})
        return Made(company["Id"], f"{company['Name']} is now in the segment {segment}.")

    async def renewal_stage(self, dice: random.Random) -> Made:
        """Move the renewal of a won deal's contract on."""
        movable = [
            deal
            for deal in self._org.records(_OPPORTUNITY)
            if deal.get("Renewal_Stage__c") in _RENEWALS[:-1]
            and deal.get("Contract_Number__c")
            and deal["StageName"] == "Closed Won"
        ]
        deal = one_of(dice, movable, "Every renewal has come to its end.")
        stage = _RENEWALS[_RENEWALS.index(deal["Renewal_Stage__c"]) + 1]
        self._org.update(_OPPORTUNITY, deal["Id"], {"Renewal_Stage__c": stage})
        return Made(deal["Id"], f"The renewal of {deal['Contract_Number__c']} moved to {stage}.")

    async def new_company(self, dice: random.Random) -> Made:
        """Add a company that another generated world has, with its first contact."""
        numbers = [_number(account.get("Customer_Reference__c")) for account in self._org.records(_ACCOUNT)]
        number = max(numbers, default=0) + 1
        model = generate(dice.randrange(2**31), 1, dt.datetime.now(dt.UTC).date())
        found, person = model.customers[0], next(iter(model.contacts), None)
        domain = f"{found.domain.partition('.')[0]}-{number}.example"
        account = self._org.create(
            _ACCOUNT,
            {
                "Name": f"{found.name} {number}",
                "Website": f"https://www.{domain}",
                "Industry": found.industry,
                "NumberOfEmployees": found.employees,
                "BillingStreet": found.address.street,
                "BillingCity": found.address.city,
                "BillingPostalCode": found.address.postal_code,
                "BillingCountry": found.address.country,
                "Type": "Prospect",
                "Customer_Segment__c": {"MID_MARKET": "Mid-Market", "SMB": "SMB"}.get(
                    found.segment, found.segment.title()
                ),
                "Customer_Reference__c": f"CUST-{number:04}",
                "OwnerId": dice.choice(list(self._org.records(_USER)))["Id"],
            },
        )
        if person is not None:
            names = {"FirstName": person.first_name, "LastName": person.last_name, "Title": person.job_title}
            email = f"{person.email.partition('@')[0]}@{domain}"
            self._org.create(_CONTACT, {**names, "Email": email, "AccountId": account["Id"]})
        return Made(account["Id"], f"{account['Name']} was added as {account['Customer_Reference__c']}.")

    def _company(self, dice: random.Random) -> Document:
        return one_of(dice, list(self._org.records(_ACCOUNT)), "There is no company.")

    def _deal_name(self, deal: Document) -> str:
        company = self._org.find(_ACCOUNT, deal.get("AccountId") or "")
        return f"{company['Name']}'s deal “{deal['Name']}”" if company else f"The deal “{deal['Name']}”"


def _number(reference: str | None) -> int:
    is_one = reference is not None and reference.startswith("CUST-") and reference[5:].isdigit()
    return int(reference[5:]) if reference is not None and is_one else 0
