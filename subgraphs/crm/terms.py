"""The CRM's terms: the enumerations that its records and the graph share."""

from __future__ import annotations

from enum import StrEnum

from subgraphs.kit.described_enum import described_enum


@described_enum(
    "How large a customer is, by the classes that sales works with.",
    ENTERPRISE="The largest companies, with an agreement of their own.",
    MID_MARKET="Between the small ones and the enterprises.",
    SMB="Small and medium-sized businesses.",
    STARTUP="Young companies that may grow fast.",
)
class Segment(StrEnum):
    """How large a customer is."""

    ENTERPRISE = "ENTERPRISE"
    MID_MARKET = "MID_MARKET"
    SMB = "SMB"
    STARTUP = "STARTUP"


@described_enum(
    "Where the relationship with a customer stands.",
    PROSPECT="Has bought nothing yet.",
    ACTIVE="Has bought and is a customer now.",
    CHURNED="Was a customer and has left.",
)
class CustomerStatus(StrEnum):
    """Where the relationship with a customer stands."""

    PROSPECT = "PROSPECT"
    ACTIVE = "ACTIVE"
    CHURNED = "CHURNED"


@described_enum(
    "Why there is a deal.",
    NEW_BUSINESS="The customer buys for the first time.",
    EXPANSION="An existing customer buys more.",
)
class OpportunityKind(StrEnum):
    """Why there is a deal."""

    NEW_BUSINESS = "NEW_BUSINESS"
    EXPANSION = "EXPANSION"


@described_enum(
    "How far a deal has come.",
    QUALIFICATION="Sales finds out whether there is a need and a budget.",
    DISCOVERY="There is; sales finds out what the customer wants.",
    PROPOSAL="The customer has an offer.",
    NEGOTIATION="Terms are being agreed on, or the contract is out for signature.",
    WON="Closed: the customer buys.",
    LOST="Closed: the customer does not buy.",
)
class OpportunityStage(StrEnum):
    """How far a deal has come."""

    QUALIFICATION = "QUALIFICATION"
    DISCOVERY = "DISCOVERY"
    PROPOSAL = "PROPOSAL"
    NEGOTIATION = "NEGOTIATION"
    WON = "WON"
    LOST = "LOST"


@described_enum(
    "How far the renewal of a contract has come.",
    NOT_STARTED="Nobody has begun.",
    IN_REVIEW="The account manager looks at use and terms.",
    QUOTED="The customer has an offer for the next term.",
    COMMITTED="The customer has agreed, the next term is not booked yet.",
    RENEWED="The next term is agreed and booked.",
    LOST="The customer will not renew.",
)
class RenewalStage(StrEnum):
    """How far the renewal of a contract has come."""

    NOT_STARTED = "NOT_STARTED"
    IN_REVIEW = "IN_REVIEW"
    QUOTED = "QUOTED"
    COMMITTED = "COMMITTED"
    RENEWED = "RENEWED"
    LOST = "LOST"


@described_enum(
    "How likely the renewal is to fail, as sales judges.",
    LOW="Nothing speaks against it.",
    MEDIUM="There are doubts to be dealt with.",
    HIGH="It is expected to fail unless something is done.",
)
class RenewalRisk(StrEnum):
    """How likely the renewal is to fail."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


@described_enum(
    "What opportunities can be ordered by; those without a value come first when ascending.",
    called="OpportunityOrderField",
    NAME="Name of the deal, in any case.",
    AMOUNT="What it is worth: the figure alone, whatever its currency.",
    CLOSE_ON="Day on which it closed or is expected to.",
    CREATED="When sales opened it.",
)
class DealOrder(StrEnum):
    """What deals are ordered by."""

    NAME = "NAME"
    AMOUNT = "AMOUNT"
    CLOSE_ON = "CLOSE_ON"
    CREATED = "CREATED"
