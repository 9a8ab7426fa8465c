"""What sales people do in HubSpot on request: each change goes through the portal, and so tells its webhooks."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence

from subgraphs.crm.sandbox.clock import print_date
from subgraphs.crm.sandbox.portal import Portal
from subgraphs.kit.company.generate import generate
from subgraphs.kit.sandbox.changes import ChangeMaker, Made, one_of
from subgraphs.kit.sandbox.state import Document

_STAGES = ("appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "contractsent")
_RENEWALS = ("not_started", "in_review", "quoted", "committed", "renewed")
_SEGMENTS = ("startup", "smb", "mid_market", "enterprise")
_NO_OPEN_DEAL = "There is no open deal left."


class CrmChanges:
    """The changes of one portal."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

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
        movable = [deal for deal in self._deals() if deal["properties"].get("dealstage") in _STAGES[:-1]]
        deal = one_of(dice, movable, _NO_OPEN_DEAL)
        stage = _STAGES[_STAGES.index(deal["properties"]["dealstage"]) + 1]
        self._portal.update("deals", deal["id"], {"dealstage": stage})
        return Made(deal["id"], f"{self._deal_name(deal)} moved to {stage}.")

    async def deal_won(self, dice: random.Random) -> Made:
        """Win an open deal, of those that are furthest."""
        deals = [deal for deal in self._deals() if deal["properties"].get("dealstage") in _STAGES]
        furthest = max((_STAGES.index(deal["properties"]["dealstage"]) for deal in deals), default=0)
        ripe = [deal for deal in deals if deal["properties"]["dealstage"] == _STAGES[furthest]]
        deal = one_of(dice, ripe, _NO_OPEN_DEAL)
        today = print_date(dt.datetime.now(dt.UTC).date())
        self._portal.update("deals", deal["id"], {"dealstage": "closedwon", "closedate": today})
        return Made(deal["id"], f"{self._deal_name(deal)} was won.")

    async def company_owner(self, dice: random.Random) -> Made:
        """Hand a company over to another owner."""
        company = self._company(dice)
        owners = [o for o in self._portal.owners() if o["id"] != company["properties"].get("hubspot_owner_id")]
        owner = one_of(dice, owners, "There is no other owner to take a company.")
        self._portal.update("companies", company["id"], {"hubspot_owner_id": owner["id"]})
        name = f"{owner['firstName']} {owner['lastName']}"
        return Made(company["id"], f"{company['properties']['name']} is looked after by {name}.")

    async def company_segment(self, dice: random.Random) -> Made:
        """Put a company into a neighbouring segment."""
        company = self._company(dice)
        place = _SEGMENTS.index(company["properties"].get("customer_segment") or _SEGMENTS[0])
        segment = dice.choice([_SEGMENTS[i] for i in (place - 1, place + 1) if 0 <= i < len(_SEGMENTS)])
        self._portal.update("companies", company["id"], {"customer_segment": segment})
        return Made(company["id"], f"{company['properties']['name']} is now in the segment {segment}.")

    async def renewal_stage(self, dice: random.Random) -> Made:
        """Move the renewal of a won deal's contract on."""
        movable = [
            deal
            for deal in self._deals()
            if deal["properties"].get("renewal_stage") in _RENEWALS[:-1]
            and deal["properties"].get("contract_number")
            and deal["properties"]["dealstage"] == "closedwon"
        ]
        deal = one_of(dice, movable, "Every renewal has come to its end.")
        stage = _RENEWALS[_RENEWALS.index(deal["properties"]["renewal_stage"]) + 1]
        self._portal.update("deals", deal["id"], {"renewal_stage": stage})
        return Made(deal["id"], f"The renewal of {deal['properties']['contract_number']} moved to {stage}.")

    async def new_company(self, dice: random.Random) -> Made:
        """Add a company that another generated world has, with its first contact."""
        references = {company["properties"].get("customer_reference") for company in self._portal.objects("companies")}
        number = max((int(text[5:]) for text in references if _is_reference(text)), default=0) + 1
        model = generate(dice.randrange(2**31), 1, dt.datetime.now(dt.UTC).date())
        found, person = model.customers[0], next(iter(model.contacts), None)
        domain = f"{found.domain.partition('.')[0]}-{number}.example"
        values = {
            "name": f"{found.name} {number}",
            "domain": domain,
            "industry": found.industry,
            "numberofemployees": str(found.employees),
            "address": found.address.street,
            "city": found.address.city,
            "zip": found.address.postal_code,
            "country": found.address.country,
            "lifecyclestage": "opportunity",
            "customer_segment": found.segment.lower(),
            "customer_reference": f"CUST-{number:04}",
            "hubspot_owner_id": dice.choice(self._portal.owners())["id"],
        }
        company = self._portal.create("companies", values)
        if person is not None:
            names = {"firstname": person.first_name, "lastname": person.last_name, "jobtitle": person.job_title}
            email = f"{person.email.partition('@')[0]}@{domain}"
            contact = self._portal.create("contacts", {**names, "email": email})
            self._portal.associate("contacts", contact["id"], "companies", company["id"])
        return Made(company["id"], f"{values['name']} was added as {values['customer_reference']}.")

    def _deals(self) -> Sequence[Document]:
        return self._portal.objects("deals")

    def _company(self, dice: random.Random) -> Document:
        return one_of(dice, self._portal.objects("companies"), "There is no company.")

    def _deal_name(self, deal: Document) -> str:
        name = deal["properties"]["dealname"]
        buyers = self._portal.associated("deals", deal["id"], "companies")
        company = self._portal.find("companies", buyers[0][0]) if buyers else None
        return f"{company['properties']['name']}'s deal “{name}”" if company else f"The deal “{name}”"


def _is_reference(text: str | None) -> bool:
    return text is not None and text.startswith("CUST-") and text[5:].isdigit()
