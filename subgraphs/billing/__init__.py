"""Billing: the recurring contract, its price, usage and entitlements, owned by the subscription platform (Stripe)."""
