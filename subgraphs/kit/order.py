"""Which way a list is ordered: the `direction` of every `XOrder` input."""

from __future__ import annotations

from enum import StrEnum

from subgraphs.kit.described_enum import described_enum


@described_enum(
    "Which way a list is ordered.",
    ASC="From the smallest, the earliest, or A.",
    DESC="From the largest, the latest, or Z.",
)
class OrderDirection(StrEnum):
    """Which way a list is ordered."""

    ASC = "ASC"
    DESC = "DESC"
