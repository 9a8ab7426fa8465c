"""The Stripe account: its clock, its objects, and the event every change leaves behind."""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from subgraphs.billing.sandbox.errors import StripeError
from subgraphs.billing.sandbox.store import Store, StripeObject

API_VERSION = "2025-09-30.clover"
_ALPHABET = string.ascii_letters + string.digits
_EVENT_RETENTION_S = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Cause:
    """The API request that an event names as its cause; both None for what Stripe did by itself."""

    request_id: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """What an endpoint works on."""

    store: Store
    cause: Cause = Cause()
    emitted: list[StripeObject] = field(default_factory=list)
    """Events of this request, to be delivered once it is committed."""

    def caused_by(self, cause: Cause) -> Account:
        """Return the same account, its events attributed to one request."""
        return Account(self.store, cause)

    def now(self) -> int:
        """Unix seconds."""
        return int(time.time())

    def new_id(self, prefix: str, length: int = 24) -> str:
        """Return an unused id such as `sub_1…`."""
        separator = "" if "_" in prefix else "_"
        return f"{prefix}{separator}{''.join(secrets.choice(_ALPHABET) for _ in range(length))}"

    def find(self, kind: str, object_id: str, *, param: str = "id") -> StripeObject:
        """Return the object. Raises StripeError (404 in the path, 400 in a parameter) when there is none."""
        found = self.store.get(object_id, kind)
        if found is None:
            raise StripeError.no_such(kind.rpartition(".")[2], object_id, param=param)
        return found

    def create(self, body: StripeObject, event: str | None, *, parent: str | None = None) -> StripeObject:
        """Store a new object and record `event`."""
        self.store.put(body, parent=parent)
        if event is not None:
            self.emit(event, body)
        return body

    def change(self, before: StripeObject, after: StripeObject, event: str) -> StripeObject:
        """Store a changed object and record `event` with what it was before; nothing happens if nothing changed."""
        previous = changed_members(before, after)
        if previous:
            self.store.put(after)
            self.emit(event, after, previous)
        return after

    def emit(self, event_type: str, subject: Mapping[str, Any], previous: Mapping[str, Any] | None = None) -> None:
        """Record an event (https://docs.stripe.com/api/events/object)."""
        data: dict[str, Any] = {"object": subject}
        if previous is not None:
            data["previous_attributes"] = previous
        event: StripeObject = {
            "id": self.new_id("evt_1", 23),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now(),
            "data": data,
            "livemode": False,
            "pending_webhooks": len(self.store.all("webhook_endpoint")),
            "request": {"id": self.cause.request_id, "idempotency_key": self.cause.idempotency_key},
            "type": event_type,
        }
        self.store.put(event)
        self.emitted.append(event)

    def oldest_event(self) -> int:
        """Unix time before which events are no longer listed."""
        return self.now() - _EVENT_RETENTION_S


def changed_members(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members whose values differ, as they were before: objects member by member, lists whole.

    ({"a": 1, "m": {"x": "1", "y": "2"}}, {"a": 2, "m": {"x": "1"}}) → {"a": 1, "m": {"y": "2"}}
    """
    previous: dict[str, Any] = {}
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict) and old.get("object") != "list":
            previous[key] = changed_members(old, new)
        else:
            previous[key] = old
    return previous
