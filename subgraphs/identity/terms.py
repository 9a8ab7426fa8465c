"""The words that customers are found by, equal to their owner's: composition refuses it when they drift apart."""

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
