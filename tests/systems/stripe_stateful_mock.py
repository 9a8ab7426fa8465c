"""npm's stripe-stateful-mock (MIT): a Stripe that honours Idempotency-Key, which nobody here wrote. Into `.concord/npm`."""

from __future__ import annotations

import subprocess
from pathlib import Path

from install_lock import install_lock
from served_process import ROOT, ServedProcess, free_port, serve_program

from subgraphs.billing.vendors.stripe_dialect import StripeDialect

VERSION = "0.0.16"

STATEFUL_MOCK = StripeDialect(
    name=f"stripe-stateful-mock {VERSION}",
    has_schedules=False,
    has_entitlements=False,
    has_meters=False,
    expands_payment_method=False,
    writes=frozenset(),
)
"""Customers, products, prices and subscriptions with idempotency keys; no invoices and no events."""


def serve_stripe_stateful_mock(folder: Path) -> ServedProcess:
    """Serve it without data; any key that begins with `sk_` is taken."""
    home = ROOT / ".concord" / "npm" / "stripe-stateful-mock"
    with install_lock():
        if not (home / "ready").exists():
            home.mkdir(parents=True, exist_ok=True)
            (home / "package.json").write_text('{"private": true}')
            npm = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
            subprocess.run(
                [*npm, f"stripe-stateful-mock@{VERSION}"], cwd=home, check=True, timeout=300, stdout=subprocess.DEVNULL
            )
            (home / "ready").touch()
    port = free_port()
    # By itself it listens on every interface.
    module = home / "node_modules" / "stripe-stateful-mock"
    script = f"require({str(module)!r}).createExpressApp().listen({port}, '127.0.0.1')"
    return serve_program(["node", "-e", script], folder, f"http://127.0.0.1:{port}", "/v1/customers", {})
