"""One webhook's deliveries: each event until it is taken, or parked when it is the event that the receiver can't take."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.events.egress import Egress, EgressRefused
from gateway.events.event import RecordedEvent
from gateway.events.notes import Notes
from gateway.events.webhook import (
    Delivery,
    Parked,
    Webhook,
    WebhookState,
    parse_state,
    print_delivered,
    print_delivery,
    print_parked,
    print_state,
    sign,
)

if TYPE_CHECKING:
    import httpx2

_LOG = logging.getLogger("concord.events")
STATES = "webhooks"
"""The shelf of webhooks' states."""
LOOK_S = 1.0
"""How often a disabled webhook is looked at."""
_KEPT_ATTEMPTS = 1_000
_AT_ONCE = 8
"""Requests under way to one receiver."""
_GONE = 410
_NOT_ABOUT_THE_EVENT = frozenset({401, 403, 404, 408, 410, 429})
"""Refusals that any event would have met."""


def parked_shelf(webhook: str) -> str:
    """Return the shelf of the events that a webhook could not take."""
    return f"parked:{webhook}"


@dataclass(slots=True)
class _Pace:
    """When the next attempt may be made, after failures."""

    first_s: float
    longest_s: float
    failures: int = 0

    def pause_s(self, retry_after_s: float | None) -> float:
        self.failures += 1
        grown: float = min(self.longest_s, self.first_s * 2.0 ** min(self.failures - 1, 30))
        # Spread, so that many receivers behind one door are not called at the same moment.
        return max(grown * random.uniform(0.75, 1.0), min(retry_after_s or 0.0, self.longest_s))  # noqa: S311 - no secret


@dataclass(slots=True)
class _Receiver:
    """How the receiver does, whatever it is sent: while it is away, all that waits for it counts as one."""

    pace: _Pace
    not_before: float = 0.0
    """Event loop's time."""
    last_success: float = field(default=float("-inf"))

    def note(self, now: float, *, is_success: bool, retry_after_s: float | None) -> None:
        if is_success:
            self.pace.failures, self.not_before, self.last_success = 0, 0.0, now
        elif now >= self.not_before:
            self.not_before = now + self.pace.pause_s(retry_after_s)


class Deliverer:
    """Posts events to one receiver, several at once."""

    def __init__(self, webhook: Webhook, http: httpx2.AsyncClient, notes: Notes, egress: Egress) -> None:
        self._webhook = webhook
        self._http = http
        self._notes = notes
        self._egress = egress
        self._receiver = _Receiver(_Pace(webhook.first_pause_s, webhook.longest_pause_s))
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._noting = asyncio.Lock()

    async def deliver(self, recorded: RecordedEvent, replay_id: str | None = None) -> None:
        """Return once the receiver has taken the event, or it was parked. A disabled webhook waits until it is enabled.

        Raises `StoreUnavailable`.
        """
        pace = _Pace(self._webhook.first_pause_s, self._webhook.longest_pause_s)
        clock = asyncio.get_running_loop().time
        began = clock()
        while True:
            if (await self._state()).disabled_at is not None:
                await asyncio.sleep(LOOK_S)
                pace.failures, began = 0, clock()
                continue
            async with self._slots:
                pause_s = self._receiver.not_before - clock()
                if pause_s <= 0:
                    delivery, retry_after_s = await self._attempt(recorded, pace.failures + 1, replay_id)
                    self._receiver.note(clock(), is_success=delivery.error is None, retry_after_s=retry_after_s)
            if pause_s > 0:
                await asyncio.sleep(pause_s)
                continue
            state = await self._note(delivery)
            if delivery.error is None:
                if replay_id is not None:
                    await self._notes.remove(parked_shelf(self._webhook.name), recorded.event.id)
                return
            if state.disabled_at is not None:
                _LOG.error("webhook_disabled", extra={"webhook": self._webhook.name, "reason": state.reason})
                continue
            pause_s = pace.pause_s(retry_after_s)
            if pace.failures >= self._webhook.park_after and self._is_the_event_at_fault(delivery, began):
                await self._park(recorded, delivery)
                return
            await asyncio.sleep(pause_s)

    def _is_the_event_at_fault(self, delivery: Delivery, began: float) -> bool:
        """Whether the receiver refuses this event, or takes others meanwhile."""
        status = delivery.status
        is_refused = status is not None and 400 <= status < 500 and status not in _NOT_ABOUT_THE_EVENT
        return is_refused or self._receiver.last_success > began

    async def _park(self, recorded: RecordedEvent, delivery: Delivery) -> None:
        parked = Parked(
            event_id=recorded.event.id,
            event_type=recorded.event.type,
            subject=recorded.event.subject,
            position=recorded.position,
            recorded_at=recorded.recorded_at,
            at=delivery.at,
            attempts=delivery.attempt,
            reason=delivery.error or "",
        )
        await self._notes.put(parked_shelf(self._webhook.name), parked.event_id, print_parked(parked))
        _LOG.error("webhook_event_parked", extra={"webhook": self._webhook.name, "reason": parked.reason})

    async def _state(self) -> WebhookState:
        kept = (await self._notes.all(STATES)).get(self._webhook.name)
        return WebhookState() if kept is None else parse_state(kept)

    async def _note(self, delivery: Delivery) -> WebhookState:
        name = self._webhook.name
        await self._notes.write_down(f"webhook:{name}", print_delivery(delivery), most=_KEPT_ATTEMPTS)
        async with self._noting:  # read, changed and written by one at a time
            state = _after(await self._state(), delivery, self._webhook)
            await self._notes.put(STATES, name, print_state(state))
        return state

    async def _attempt(
        self, recorded: RecordedEvent, attempt: int, replay_id: str | None
    ) -> tuple[Delivery, float | None]:
        import httpx2  # noqa: PLC0415 - only for those who deliver

        webhook = self._webhook

        body = print_delivered(recorded)
        now = datetime.now(UTC)
        headers = sign(webhook, recorded, body, at=int(now.timestamp()), replay_id=replay_id)
        began = time.monotonic()
        status, error, retry_after_s = None, None, None
        try:
            self._egress.check(webhook.url)
            async with asyncio.timeout(webhook.timeout_s):
                request = self._http.build_request("POST", webhook.url, content=body, headers=headers)
                # What it says is of no interest and may be endless: only its status is read.
                reply = await self._http.send(request, stream=True)
                await reply.aclose()
            status = reply.status_code
            if not reply.is_success:
                error = f"status {status}"
                retry_after_s = _retry_after_s(reply.headers.get("retry-after"))
        except EgressRefused as refused:
            error = str(refused)
        except TimeoutError:
            error = "no answer in time"
        except httpx2.HTTPError as failed:
            error = type(failed).__name__
        delivery = Delivery(
            event_id=recorded.event.id,
            event_type=recorded.event.type,
            position=recorded.position,
            at=now,
            attempt=attempt,
            status=status,
            error=error,
            duration_ms=round((time.monotonic() - began) * 1000, 1),
            replay_id=replay_id,
        )
        return delivery, retry_after_s


def _after(state: WebhookState, delivery: Delivery, webhook: Webhook) -> WebhookState:
    """Return a webhook's state after an attempt."""
    if delivery.error is None:
        return WebhookState(delivered=state.delivered + 1)
    since = state.failing_since or delivery.at
    failed = replace(state, failing_since=since, failures=state.failures + 1, reason=delivery.error)
    if delivery.status == _GONE:
        return replace(failed, disabled_at=delivery.at, reason="the receiver says that it is gone")
    if (delivery.at - since).total_seconds() >= webhook.disable_after_s:
        return replace(failed, disabled_at=delivery.at, reason=f"failed for too long: {delivery.error}")
    return failed


def _retry_after_s(header: str | None) -> float | None:
    return float(header) if header is not None and header.isascii() and header.isdigit() and len(header) < 7 else None
