"""HubSpot's webhooks: signature v3, and batches of events that say what changed but not to be trusted with values.

https://developers.hubspot.com/docs/api/webhooks/validating-requests
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Sequence

import orjson

from subgraphs.kit.signature import SignatureInvalidError
from subgraphs.kit.webhook import VendorEvent, WebhookRequest

_TOLERANCE_MS = 300_000
_MAX_EVENTS = 1000


class HubSpotWebhooks:
    """Checks and unpacks webhooks that are signed with the application's secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def verify(self, request: WebhookRequest) -> None:
        """Return if HubSpot signed this within the last five minutes. Raises SignatureInvalidError."""
        given = request.headers.get("x-hubspot-signature-v3")
        timestamp = request.headers.get("x-hubspot-request-timestamp", "")
        if not given or not timestamp:
            raise SignatureInvalidError("The signature or its timestamp is missing.")
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 15):
            raise SignatureInvalidError("The signature's timestamp is malformed.")
        if abs(time.time() * 1000 - int(timestamp)) > _TOLERANCE_MS:
            raise SignatureInvalidError("The signature is too old or from the future.")
        text = request.method.encode() + request.url.encode() + request.body + timestamp.encode()
        expected = base64.b64encode(hmac.new(self._secret, text, hashlib.sha256).digest())
        if not hmac.compare_digest(expected, given.encode()):
            raise SignatureInvalidError("The signature does not match the body and the shared secret.")

    def parse(self, body: bytes) -> Sequence[VendorEvent]:
        """Return the events of a body. Raises ValueError if it is not a list of HubSpot's events."""
        events = orjson.loads(body)
        if not isinstance(events, list) or len(events) > _MAX_EVENTS:
            raise ValueError("not a list of events")
        return [_event(event) for event in events]


def _event(event: object) -> VendorEvent:
    match event:
        case {
            "eventId": int() as event_id,
            "subscriptionType": str() as kind,
            "occurredAt": int() as occurred_at,
            **rest,
        }:
            # HubSpot's event ids are unique per subscription only, and `attemptNumber` differs between copies.
            object_id = rest.get("objectId", rest.get("fromObjectId"))
            return VendorEvent(id=f"{kind}:{object_id}:{event_id}:{occurred_at}", payload=event)
        case _:
            raise ValueError("not an event of HubSpot's")


def changed_ids(events: Sequence[VendorEvent]) -> tuple[list[str], list[str]]:
    """Return the ids of companies and of deals that the events speak of, each once."""
    companies: dict[str, None] = {}
    deals: dict[str, None] = {}
    for event in events:
        kind = str(event.payload.get("subscriptionType", "")).partition(".")[0]
        for name in ("objectId", "fromObjectId"):
            object_id = event.payload.get(name)
            if isinstance(object_id, int):
                match kind:
                    case "company":
                        companies[str(object_id)] = None
                    case "deal":
                        deals[str(object_id)] = None
                    case _:
                        pass
    return list(companies), list(deals)
