"""All kinds of workflows."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.writes.workflows.amendment import amendment
from gateway.writes.workflows.credit import CREDIT
from gateway.writes.workflows.customer_sync import CUSTOMER_SYNC
from gateway.writes.workflows.definition import Definition
from gateway.writes.workflows.onboarding import ONBOARDING
from gateway.writes.workflows.pricing import Pricing
from gateway.writes.workflows.product_distribution import PRODUCT_DISTRIBUTION
from gateway.writes.workflows.quote_to_cash import QUOTE_TO_CASH
from gateway.writes.workflows.renewal import RENEWAL
from gateway.writes.workflows.renewal_posting import RENEWAL_POSTING


def definitions(pricing: Pricing) -> Mapping[str, Definition]:
    """Return them by kind; `pricing` says who prices changes of contracts."""
    return {
        each.kind: each
        for each in (
            QUOTE_TO_CASH,
            amendment(pricing),
            RENEWAL,
            RENEWAL_POSTING,
            CREDIT,
            ONBOARDING,
            CUSTOMER_SYNC,
            PRODUCT_DISTRIBUTION,
        )
    }


KINDS = frozenset(definitions(Pricing()))
"""Names of all kinds."""
