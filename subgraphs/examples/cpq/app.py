"""A CPQ service that answers as `schema/cpq` says: `python -m subgraphs.examples.cpq.app --port 4110`.

It gives a discount by quantity on its own list, and prorates by days. Faults can be set as on any sandbox.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
from pydantic_settings import SettingsConfigDict
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from subgraphs.kit.minor_unit import to_minor_unit
from subgraphs.kit.sandbox.process import Sandbox, run_sandbox
from subgraphs.kit.sandbox.settings import SandboxSettings

_LIST = {
    "CORE-SEAT": "25.00", "PRO-SEAT": "60.00", "PLATFORM": "500.00", "ANALYTICS": "300.00", "SSO": "125.00",
    "SUPPORT-PREMIUM": "350.00",
}  # fmt: skip
"""What a unit costs a month, in any currency."""
_DISCOUNTS = ((100, "0.20"), (50, "0.10"), (0, "0"))
"""From so many units on, so much off."""
_MONTHS = {"MONTH": 1, "YEAR": 12}


class CpqSettings(SandboxSettings):
    """Settings of the process."""

    model_config = SettingsConfigDict(env_prefix="CONCORD_EXAMPLES_CPQ_")

    port: int = 4110
    state_dir: Path = Path(".concord/cpq")


class UnpricedError(Exception):
    """A product that is not sold, or not like this."""


def quoted(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the quote for a request. Raises UnpricedError, KeyError, ValueError."""
    contract, currency = asked["contract"], asked["contract"]["currency"]
    held = {item["sku"]: item for item in contract["items"]}
    today = dt.date.fromisoformat(asked["effectiveOn"])
    starts, ends = (dt.date.fromisoformat(contract[name]) for name in ("periodStartsOn", "periodEndsOn"))
    share = Decimal((ends - today).days + 1) / Decimal((ends - starts).days + 1)
    items, charges = [], []
    for change in asked["changes"]:
        sku, quantity, old = change["sku"], change["quantity"], held.get(change["sku"])
        interval = old["interval"] if old is not None else change["interval"] or "MONTH"
        if sku not in _LIST or interval not in _MONTHS:
            raise UnpricedError(sku)
        off = next(Decimal(off) for least, off in _DISCOUNTS if quantity >= least)
        price = to_minor_unit(Decimal(_LIST[sku]) * (1 - off) * _MONTHS[interval], currency)
        if quantity:
            items.append({"sku": sku, "quantity": quantity, "unitPrice": str(price), "interval": interval})
        spans = {"startsOn": today.isoformat(), "endsOn": ends.isoformat()}
        if old is not None:
            back = to_minor_unit(Decimal(old["unitPrice"]) * old["quantity"] * share, currency)
            told = f"Credit for {old['quantity']} x {sku}"
            charges.append(
                {"sku": sku, "description": told, "quantity": old["quantity"], "amount": str(-back), **spans}
            )
        if quantity:
            amount = to_minor_unit(price * quantity * share, currency)
            told = f"{quantity} x {sku}"
            charges.append({"sku": sku, "description": told, "quantity": quantity, "amount": str(amount), **spans})
    return {"reference": asked["reference"], "currency": currency, "items": items, "charges": charges}


async def _quote(request: Request) -> Response:
    try:
        return JSONResponse(quoted(orjson.loads(await request.body())))
    except UnpricedError as error:
        return JSONResponse({"message": f"{error} is not sold."}, 422)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, ArithmeticError) as error:
        return JSONResponse({"message": f"This is no request for a quote: {error!r}"}, 400)


@asynccontextmanager
async def start(_settings: CpqSettings) -> AsyncIterator[Sandbox]:
    """Yield the service; it keeps nothing."""
    yield Sandbox(app=Starlette(routes=[Route("/quote", _quote, methods=["POST"])]))


def main() -> None:
    """Serve it."""
    run_sandbox("examples.cpq", CpqSettings, start)


if __name__ == "__main__":
    main()
