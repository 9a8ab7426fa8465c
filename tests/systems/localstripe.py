"""PyPI's `localstripe`: a stateful Stripe API that others wrote, installed once into a cached environment and run on loopback.

    async with localstripe(webhook_url, webhook_secret) as url: ...

It is GPL-3 and therefore only ever a separate process, used in tests. What it leaves out is declared in `LOCALSTRIPE`.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
from install_lock import SYSTEMS, install_lock

from subgraphs.billing.vendors.stripe_dialect import StripeDialect

VERSION = "1.15.10"
ENVIRONMENT = SYSTEMS / f"localstripe-{VERSION}"

LOCALSTRIPE = StripeDialect(
    name=f"localstripe {VERSION}",
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


def _install() -> Path:
    """Return the Python of the environment, made on first use."""
    python = ENVIRONMENT / "bin" / "python"
    with install_lock():
        if not (ENVIRONMENT / "ready").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
            pip = [python, "-m", "pip", "install", "--quiet", f"localstripe=={VERSION}"]
            subprocess.run(pip, check=True, timeout=300)
            (ENVIRONMENT / "ready").touch()
    return python


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def localstripe(webhook_url: str | None = None, webhook_secret: str = "whsec_local") -> AsyncIterator[str]:
    """Run it on a free port with no data; yields its address."""
    # Isolated (-I): on our path, this very file would be taken for the package of the same name.
    python, port = await asyncio.to_thread(_install), _free_port()
    process = await asyncio.create_subprocess_exec(
        python, "-I", "-c", _ON_LOOPBACK, "--port", str(port), "--from-scratch",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, cwd=ENVIRONMENT,
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
