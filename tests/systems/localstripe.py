"""PyPI's `localstripe`: a stateful Stripe API that others wrote, run on loopback.

    async with localstripe(webhook_url, webhook_secret) as url: ...

It is GPL-3 and therefore only ever a separate process, used in tests. What it leaves out is declared in `LOCALSTRIPE`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import third_party
from served_process import free_port

from subgraphs.billing.vendors.stripe_dialect import StripeDialect

LOCALSTRIPE = StripeDialect(
    name=third_party.LOCALSTRIPE.requirements[0].replace("==", " "),
    has_prices=False,
    has_schedules=False,
    has_entitlements=False,
    has_meters=False,
    expands_payment_method=False,
    honours_idempotency_key=False,
    writes=frozenset(),
)
"""It takes plans only, answers 500 to `pause_collection` and `cancellation_details`, can't unset `cancel_at`, forgets a
changed subscription's metadata and ignores Idempotency-Key; so no mutation is offered on it, though a `cancel_at` can be set."""

# It listens on every interface by itself; this runs it with each such bind turned to loopback.
_ON_LOOPBACK = """
import runpy, socket, sys
bind = socket.socket.bind
def bind_loopback(self, address):
    if isinstance(address, tuple) and address[0] in ("", "0.0.0.0", "::"):
        address = ("::ffff:127.0.0.1" if self.family == socket.AF_INET6 else "127.0.0.1", *address[1:])
    return bind(self, address)
socket.socket.bind = bind_loopback
sys.argv = ["localstripe", *sys.argv[1:]]
runpy.run_module("localstripe", run_name="__main__", alter_sys=True)
"""


@asynccontextmanager
async def localstripe(webhook_url: str | None = None, webhook_secret: str = "whsec_local") -> AsyncIterator[str]:
    """Run it on a free port with no data; yields its address."""
    # Isolated (-I): on our path, this very file would be taken for the package of the same name.
    home, port = third_party.required(third_party.LOCALSTRIPE), free_port()
    process = await asyncio.create_subprocess_exec(
        home / "bin" / "python", "-I", "-c", _ON_LOOPBACK, "--port", str(port), "--from-scratch",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, cwd=home,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx2.AsyncClient(trust_env=False) as client, asyncio.timeout(30):
            while True:
                try:
                    await client.get(f"{url}/v1/customers", auth=("sk_test_x", ""))
                    break
                except httpx2.TransportError:
                    await asyncio.sleep(0.05)
            if webhook_url is not None:
                await client.post(f"{url}/_config/webhooks/w1", json={"url": webhook_url, "secret": webhook_secret})
        yield url
    finally:
        process.terminate()
        await process.wait()
