"""The CRM's terms: the enumerations that its records and the graph share."""

from __future__ import annotations

from enum import StrEnum

import strawberry


@strawberry.enum(description="How large a customer is.")
class Segment(StrEnum):
    """How large a customer is."""

    ENTERPRISE = "ENTERPRISE"
    MID_MARKET = "MID_MARKET"
    SMB = "SMB"
    STARTUP = "STARTUP"


@strawberry.enum(description="Where the relationship with a customer stands.")
class CustomerStatus(StrEnum):
    """Where the relationship with a customer stands."""

    PROSPECT = "PROSPECT"
    ACTIVE = "ACTIVE"
    CHURNED = "CHURNED"


@strawberry.enum(description="Why there is a deal.")
class OpportunityKind(StrEnum):
    """Why there is a deal."""

    NEW_BUSINESS = "NEW_BUSINESS"
    EXPANSION = "EXPANSION"


@strawberry.enum(description="How far a deal has come.")
class OpportunityStage(StrEnum):
    """How far a deal has come."""

    QUALIFICATION = "QUALIFICATION"
    DISCOVERY = "DISCOVERY"
    PROPOSAL = "PROPOSAL"
    NEGOTIATION = "NEGOTIATION"
    WON = "WON"
    LOST = "LOST"


@strawberry.enum(description="How far the renewal of a contract has come.")
class RenewalStage(StrEnum):
    """How far the renewal of a contract has come."""

    NOT_STARTED = "NOT_STARTED"
    IN_REVIEW = "IN_REVIEW"
    QUOTED = "QUOTED"
    COMMITTED = "COMMITTED"
    RENEWED = "RENEWED"
    LOST = "LOST"


@strawberry.enum(description="How likely the renewal is to fail.")
class RenewalRisk(StrEnum):
    """How likely the renewal is to fail."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


@strawberry.enum(name="OpportunityOrderField", description="What opportunities are ordered by.")
class DealOrder(StrEnum):
    """What deals are ordered by."""

    NAME = "NAME"
    AMOUNT = "AMOUNT"
    CLOSE_ON = "CLOSE_ON"
    CREATED = "CREATED"
