"""How Stripe writes things: forms, amounts, times, errors, signatures.

https://docs.stripe.com/api · https://docs.stripe.com/currencies#zero-decimal · https://docs.stripe.com/webhooks
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import time
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeAlias
from urllib.parse import urlencode

import orjson

from subgraphs.kit.signature import SignatureInvalidError
from subgraphs.kit.vendor_reply import VendorReply
from subgraphs.kit.webhook import VendorEvent, WebhookRequest

FormValue: TypeAlias = "str | int | bool | Sequence[FormValue] | Mapping[str, FormValue] | None"

_ZERO_DECIMAL = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"]
)
_THREE_DECIMAL = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])
_SHOWN_TYPES = frozenset({"card_error", "invalid_request_error", "idempotency_error"})


def encode_form(values: Mapping[str, FormValue]) -> bytes:
    """Return a request body: {"items": [{"price": "p", "quantity": 2}], "cancel_at": None} →
    `items[0][price]=p&items[0][quantity]=2&cancel_at=` (None is sent empty, which unsets).
    """
    return urlencode([pair for name, value in values.items() for pair in _pairs(name, value)]).encode()


def form_params(values: Mapping[str, FormValue]) -> dict[str, str]:
    """Return query parameters in the same notation."""
    return dict(pair for name, value in values.items() for pair in _pairs(name, value))


def _pairs(name: str, value: FormValue) -> Iterator[tuple[str, str]]:
    match value:
        case None:
            yield name, ""
        case bool():
            yield name, "true" if value else "false"
        case str() | int():
            yield name, str(value)
        case Mapping():
            for key, below in value.items():
                yield from _pairs(f"{name}[{key}]", below)
        case _:
            for index, below in enumerate(value):
                yield from _pairs(f"{name}[{index}]", below)


def minor_digits(currency: str) -> int:
    """How many decimal places Stripe's integer amounts have in a currency."""
    code = currency.upper()
    return 0 if code in _ZERO_DECIMAL else 3 if code in _THREE_DECIMAL else 2


def major_amount(minor: int | str, currency: str) -> Decimal:
    """Return the amount in major units: (1250, "eur") → 12.50; (500, "jpy") → 500; ("0.5", "eur") → 0.005."""
    return Decimal(minor).scaleb(-minor_digits(currency))


def minor_amount(amount: Decimal, currency: str) -> int:
    """Return the amount in minor units, as Stripe takes it: (12.50, "eur") → 1250."""
    return int(amount.scaleb(minor_digits(currency)).quantize(Decimal(1), ROUND_HALF_UP))


def instant(seconds: int) -> dt.datetime:
    """Return unix seconds as an instant in UTC."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def day(seconds: int) -> dt.date:
    """Return the UTC day of unix seconds."""
    return instant(seconds).date()


def start_of(on: dt.date) -> int:
    """Return the unix seconds at which a UTC day begins."""
    return int(dt.datetime(on.year, on.month, on.day, tzinfo=dt.UTC).timestamp())


def shown_words(reply: VendorReply) -> str | None:
    """Return Stripe's own sentence where it is about the request, not about our account."""
    match reply.body:
        case {"error": {"type": str() as kind, "message": str() as message}} if kind in _SHOWN_TYPES:
            return message
        case _:
            return None


def refused_param(reply: VendorReply | None) -> str | None:
    """Return the name of the parameter Stripe refused, such as `cancel_at`."""
    match reply.body if reply else None:
        case {"error": {"param": str() as param}}:
            return param
        case _:
            return None


class StripeSignature:
    """Checks `Stripe-Signature: t=…,v1=…[,v1=…]`; one event a request."""

    def __init__(self, secret: str, *, tolerance_s: int = 300) -> None:
        self._secret = secret.encode()
        self._tolerance_s = tolerance_s

    def verify(self, request: WebhookRequest) -> None:
        """Return if Stripe signed this body within the tolerance. Raises SignatureInvalidError."""
        header = request.headers.get("stripe-signature")
        if not header:
            raise SignatureInvalidError("The signature header is missing.")
        stamp, digests = "", []
        for part in header.split(","):
            name, _, value = part.strip().partition("=")
            if name == "t":
                stamp = value
            elif name == "v1":
                digests.append(value)
        if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12):
            raise SignatureInvalidError("The signature header is malformed.")
        if abs(time.time() - int(stamp)) > self._tolerance_s:
            raise SignatureInvalidError("The signature is too old or from the future.")
        wanted = hmac.new(self._secret, stamp.encode() + b"." + request.body, hashlib.sha256).hexdigest().encode()
        if not any(hmac.compare_digest(wanted, digest.encode()) for digest in digests):
            raise SignatureInvalidError("The signature does not match the body and the shared secret.")

    def parse(self, body: bytes) -> Sequence[VendorEvent]:
        """Return the one event of a verified body. Raises ValueError if it is no Stripe event."""
        return (parse_event(orjson.loads(body)),)


def parse_event(document: Any) -> VendorEvent:
    """Return a Stripe event object as the kit's. Raises ValueError for another shape."""
    match document:
        case {"object": "event", "id": str() as event_id, "type": str(), "created": int(), "data": {"object": dict()}}:
            return VendorEvent(id=event_id, payload=document)
        case _:
            raise ValueError("not a Stripe event")
