"""Which way a list is ordered: the `direction` of every `XOrder` input."""

from __future__ import annotations

from enum import StrEnum

import strawberry


@strawberry.enum(description="Which way a list is ordered.")
class OrderDirection(StrEnum):
    """Which way a list is ordered."""

    ASC = "ASC"
    DESC = "DESC"
