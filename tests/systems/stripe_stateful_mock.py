"""npm's stripe-stateful-mock (MIT): a Stripe that honours Idempotency-Key, which nobody here wrote."""

from __future__ import annotations

import json
from pathlib import Path

import third_party
from served_process import ServedProcess, free_port, serve_program
from third_party import required

from subgraphs.billing.vendors.stripe_dialect import StripeDialect

_MANIFEST = json.loads((third_party.STATEFUL_MOCK.source / "package.json").read_text())

STATEFUL_MOCK = StripeDialect(
    name=f"stripe-stateful-mock {_MANIFEST['dependencies']['stripe-stateful-mock']}",
    has_schedules=False,
    has_entitlements=False,
    has_meters=False,
    expands_payment_method=False,
    writes=frozenset(),
)
"""Customers, products, prices and subscriptions with idempotency keys; no invoices and no events."""


def serve_stripe_stateful_mock(folder: Path) -> ServedProcess:
    """Serve it without data; any key that begins with `sk_` is taken."""
    home = required(third_party.STATEFUL_MOCK)
    port = free_port()
    # By itself it listens on every interface.
    module = home / "node_modules" / "stripe-stateful-mock"
    script = f"require({str(module)!r}).createExpressApp().listen({port}, '127.0.0.1')"
    return serve_program(["node", "-e", script], folder, f"http://127.0.0.1:{port}", "/v1/customers", {})
