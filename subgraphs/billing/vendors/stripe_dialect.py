"""What a server that speaks Stripe's API leaves out: differences are declared here, never discovered by failing."""

from __future__ import annotations

from dataclasses import dataclass

WRITES = frozenset(
    {"recordUsage", "grantEntitlement", "pauseContract", "resumeContract", "scheduleCancellation", "setAutoRenew"}
)
STEPS = frozenset({"amendItems", "creditDocument", "renewTerm"})
"""Steps of workflows that need more of Stripe than any server that speaks it has: previews, credit notes, balances."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeDialect:
    """One server's way to speak Stripe."""

    name: str
    has_prices: bool = True
    """False: an older API with plans only."""
    has_schedules: bool = True
    has_entitlements: bool = True
    """Features, product features and active entitlements."""
    has_meters: bool = True
    expands_payment_method: bool = True
    """Whether `invoice_settings.default_payment_method` can be expanded."""
    honours_idempotency_key: bool = True
    writes: frozenset[str] = WRITES | STEPS
    """Names of the mutations that can be carried out."""


STRIPE = StripeDialect(name="stripe")
"""Stripe itself."""
