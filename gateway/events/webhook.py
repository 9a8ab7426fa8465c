"""An outgoing webhook: where it goes, how it is signed, what became of it lately.

Signed as Standard Webhooks say, so that receivers check it with any of that standard's libraries:
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson

from gateway.events.event import RecordedEvent, print_event, print_instant
from gateway.events.log import EventFilter
from gateway.execution.ports import CallerView

SECRET_PREFIX = "whsec_"  # noqa: S105 - how the standard marks a secret
MEDIA_TYPE = "application/cloudevents+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A receiver of events."""

    name: str
    url: str
    secret: bytes
    wanted: EventFilter
    reader: CallerView | None = None
    """For whom it is: it gets what this caller may see; None: everything."""
    timeout_s: float = 10.0
    first_pause_s: float = 1.0
    """Pause after the first failure; it doubles with each one."""
    longest_pause_s: float = 300.0
    park_after: int = 10
    """Attempts after which an event is parked that the receiver refuses, or fails at while it takes others."""
    disable_after_s: float = 3 * 24 * 3600.0
    """How long everything may fail before the webhook is switched off, until a person enables it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookState:
    """How a webhook does."""

    failing_since: datetime | None = None
    """Since when nothing got through; None while it works."""
    failures: int = 0
    """In a row."""
    disabled_at: datetime | None = None
    reason: str | None = None
    """Why it was disabled, or what went wrong last."""
    delivered: int = 0
    """Events that it took in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One attempt to deliver one event."""

    event_id: str
    event_type: str
    position: int
    at: datetime
    attempt: int
    """From 1."""
    status: int | None
    """HTTP status; None where there was no answer."""
    error: str | None
    """Why it failed, in a word or two; None for a success."""
    duration_ms: float
    replay_id: str | None
    """The replay that it belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """An event that a webhook could not take, put aside so that those after it go on."""

    event_id: str
    event_type: str
    subject: str
    position: int
    recorded_at: datetime
    at: datetime
    """When it was tried last."""
    attempts: int
    reason: str
    """Why the last attempt failed."""


def parse_secret(text: str) -> bytes:
    """Return the key in a secret, `whsec_` and base64. Raises ValueError unless it has 24 to 64 bytes."""
    key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    if not text.startswith(SECRET_PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError("a webhook's secret is whsec_ and the base64 of 24 to 64 bytes")
    return key


def print_delivered(recorded: RecordedEvent) -> bytes:
    """Return the body: the CloudEvent with what the log knows of it."""
    envelope: dict[str, Any] = {
        **print_event(recorded.event),
        "sequence": str(recorded.sequence),
        "recordedtime": print_instant(recorded.recorded_at),
    }
    return orjson.dumps(envelope)


def sign(webhook: Webhook, recorded: RecordedEvent, body: bytes, *, at: int, replay_id: str | None) -> dict[str, str]:
    """Return the request's headers. The id is the same for each attempt, and another for a replay."""
    event_id = recorded.event.id if replay_id is None else f"{recorded.event.id}:replay:{replay_id}"
    # The standard signs the parts with full stops between.
    digest = hmac.new(webhook.secret, f"{event_id}.{at}.".encode() + body, hashlib.sha256).digest()
    headers = {
        "content-type": MEDIA_TYPE,
        "user-agent": "concord-webhook",
        "webhook-id": event_id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
    return headers if replay_id is None else {**headers, "concord-replay": replay_id}


def print_state(state: WebhookState) -> bytes:
    """Return a state as text to keep."""
    return orjson.dumps(asdict(state))


def parse_state(body: bytes) -> WebhookState:
    """Return a kept state; the inverse of `print_state`."""
    fields = orjson.loads(body)
    for name in ("failing_since", "disabled_at"):
        fields[name] = None if fields[name] is None else datetime.fromisoformat(fields[name])
    return WebhookState(**fields)


def print_delivery(delivery: Delivery) -> bytes:
    """Return an attempt as text to keep."""
    return orjson.dumps(asdict(delivery))


def parse_delivery(body: bytes) -> Delivery:
    """Return a kept attempt; the inverse of `print_delivery`."""
    fields = orjson.loads(body)
    return Delivery(**{**fields, "at": datetime.fromisoformat(fields["at"])})


def print_parked(parked: Parked) -> bytes:
    """Return a parked event as text to keep."""
    return orjson.dumps(asdict(parked))


def parse_parked(body: bytes) -> Parked:
    """Return a kept parked event; the inverse of `print_parked`."""
    fields = orjson.loads(body)
    instants = {name: datetime.fromisoformat(fields[name]) for name in ("at", "recorded_at")}
    return Parked(**{**fields, **instants})
