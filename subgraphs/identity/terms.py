"""The words that customers are found by, equal to their owner's: composition refuses it when they drift apart."""

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
