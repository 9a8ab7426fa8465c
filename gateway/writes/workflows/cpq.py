"""Asks a CPQ service what a change of a contract costs: one POST, its shapes in `schema/cpq`.

A service that is down, slow or answers something else than a quote for this very change is a failure of the step that
asks: nothing was written before it, so nothing is left.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.upstream.transport import HttpReply, HttpTransport, NoAnswer, NotSent, TooLarge
from gateway.writes.minor_unit import is_payable
from gateway.writes.workflows.definition import CallFailed
from gateway.writes.workflows.model import Json, StepError

_SYSTEM = "cpq"
_MOST = Decimal(10) ** 12

Interval = Literal["DAY", "WEEK", "MONTH", "YEAR"]
Sku = Annotated[str, Meta(min_length=1, max_length=100)]


class HeldItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A product of the contract as it is; metered ones have no quantity, tiered ones no unit price."""

    sku: str
    quantity: int | None
    unit_price: str | None
    interval: str | None
    interval_count: int


class HeldContract(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The contract as billing has it. Days are inclusive."""

    number: str
    currency: str
    term_starts_on: str
    ends_on: str | None
    period_starts_on: str
    period_ends_on: str
    mrr: str
    items: list[HeldItem]


class WantedChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A product as it is to be; a quantity of 0 drops it."""

    sku: str
    quantity: int
    interval: str | None


class QuoteRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is asked. A repeated `reference` asks for the same change again."""

    reference: str
    effective_on: str
    contract: HeldContract
    changes: list[WantedChange]


class QuotedItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The price of a changed product, per unit and cycle."""

    sku: Sku
    quantity: Annotated[int, Meta(gt=0)]
    unit_price: Annotated[Decimal, Meta(description="A decimal, as a string; 0 or more.")]
    interval: Interval


class QuotedCharge(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is charged at once for days of the running cycle, or below 0 given back."""

    sku: Sku
    description: Annotated[str, Meta(min_length=1, max_length=250)]
    quantity: Annotated[int, Meta(gt=0)]
    amount: Annotated[
        Decimal,
        Meta(description="A decimal with at most the places of the currency, two of EUR and none of JPY, as a string."),
    ]
    starts_on: dt.date
    ends_on: dt.date


class QuoteAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is answered: a price for each changed product that stays, and the charges of the change."""

    reference: str
    currency: str
    items: Annotated[list[QuotedItem], Meta(max_length=50)]
    charges: Annotated[list[QuotedCharge], Meta(max_length=100)]


class CpqService:
    """The `PriceService` behind a URL."""

    def __init__(self, transport: HttpTransport, *, token: str | None = None, timeout_s: float = 5.0) -> None:
        self._transport = transport
        self._headers = (
            ("content-type", "application/json"),
            ("accept", "application/json"),
            *((("authorization", f"Bearer {token}"),) if token else ()),
        )
        self._timeout_s = timeout_s

    async def quote(self, reference: str, terms: Json, wanted: Sequence[Json]) -> Json:
        """Return the quote as billing's has it. Raises `CallFailed` with a SYSTEM_… code."""
        at = int(time.time())
        question = QuoteRequest(
            reference=reference,
            effective_on=dt.datetime.fromtimestamp(at, dt.UTC).date().isoformat(),
            contract=msgspec.convert(_shown(terms), HeldContract),
            changes=[
                WantedChange(sku=item["sku"], quantity=item["quantity"], interval=item["interval"]) for item in wanted
            ],
        )
        try:
            reply = await self._transport.post(self._headers, msgspec.json.encode(question), self._timeout_s)
        except (NotSent, NoAnswer) as error:
            raise _failed("SYSTEM_TIMEOUT" if error.is_timeout else "SYSTEM_UNAVAILABLE", str(error)) from error
        except TooLarge as error:
            raise _failed("SYSTEM_BAD_RESPONSE", "its answer is too large") from error
        answer = _read(reply)
        _check(answer, question)
        return {"at": at, **msgspec.to_builtins({"items": answer.items, "charges": answer.charges})}


def _shown(terms: Json) -> Json:
    kept = {name: terms[name] for name in HeldContract.__struct_encode_fields__ if name != "items"}
    items = [{name: item[name] for name in HeldItem.__struct_encode_fields__} for item in terms["items"]]
    as_text = [{**item, "unitPrice": None if item["unitPrice"] is None else str(item["unitPrice"])} for item in items]
    return {**kept, "mrr": str(kept["mrr"]), "items": as_text}


def _read(reply: HttpReply) -> QuoteAnswer:
    match reply.status:
        case 200:
            pass
        case 400 | 409 | 422:
            raise _failed("SYSTEM_REJECTED", "it does not price this change")
        case 401 | 403:
            raise _failed("SYSTEM_AUTH_FAILED", "it refuses our credential")
        case 429:
            raise _failed("SYSTEM_RATE_LIMITED", "it limits our rate")
        case 500 | 502 | 503 | 504:
            raise _failed("SYSTEM_UNAVAILABLE", f"it answered {reply.status}")
        case _:
            raise _failed("SYSTEM_BAD_RESPONSE", f"it answered {reply.status}")
    try:
        return msgspec.json.decode(reply.body, type=QuoteAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _failed("SYSTEM_BAD_RESPONSE", f"its answer is no quote: {error}"[:200]) from error


def _check(answer: QuoteAnswer, asked: QuoteRequest) -> None:
    """Refuse a quote that is not for what was asked; what it says would be charged to a customer."""
    wanted = {change.sku: change.quantity for change in asked.changes}
    kept = {sku: quantity for sku, quantity in wanted.items() if quantity}
    intervals = {item.sku: item.interval for item in asked.contract.items}
    if answer.reference != asked.reference or answer.currency != asked.contract.currency:
        raise _failed("SYSTEM_BAD_RESPONSE", "its quote is for another request or currency")
    if sorted((item.sku, item.quantity) for item in answer.items) != sorted(kept.items()):
        raise _failed("SYSTEM_BAD_RESPONSE", "its quote does not price exactly what was asked")
    for item in answer.items:
        if not item.unit_price.is_finite() or not 0 <= item.unit_price <= _MOST:
            raise _failed("SYSTEM_BAD_RESPONSE", f"its price of {item.sku} is none")
        if intervals.get(item.sku) not in (None, item.interval):
            raise _failed("SYSTEM_BAD_RESPONSE", f"its price of {item.sku} is for another interval")
    for charge in answer.charges:
        if (
            not charge.amount.is_finite()
            or abs(charge.amount) > _MOST
            or not is_payable(charge.amount, answer.currency)
        ):
            raise _failed("SYSTEM_BAD_RESPONSE", "a charge is no amount of money")
        if charge.sku not in wanted or charge.starts_on > charge.ends_on:
            raise _failed("SYSTEM_BAD_RESPONSE", "a charge is for something else")


def _failed(code: str, why: str) -> CallFailed:
    told = f"The pricing service gave no quote: {why}."
    passes = code in {"SYSTEM_TIMEOUT", "SYSTEM_UNAVAILABLE", "SYSTEM_RATE_LIMITED"}
    return CallFailed(StepError(code=code, message=told, system=_SYSTEM, retryable=passes))
