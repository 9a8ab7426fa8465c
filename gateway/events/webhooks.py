"""Deliver events to webhooks: in order, until each is taken, by one process at a time; replays beside what is new."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.errors import GatewayError
from gateway.events.consumers import Consumers, ServedElsewhere
from gateway.events.egress import Egress, EgressRefused
from gateway.events.event import RecordedEvent
from gateway.events.log import EventLog, StoreUnavailable
from gateway.events.notes import Notes
from gateway.events.replay_job import ReplayJob, ReplayJobs, events_of
from gateway.events.sight import Sights
from gateway.events.webhook import (
    Delivery,
    Webhook,
    WebhookState,
    parse_delivery,
    parse_state,
    print_delivered,
    print_delivery,
    print_state,
    sign,
)

if TYPE_CHECKING:
    import httpx2

_LOG = logging.getLogger("concord.events")
_BATCH = 50
_KEPT_ATTEMPTS = 1_000
_SHELF = "webhooks"
_LOOK_S = 1.0
"""How often a disabled webhook, and the list of replays, is looked at."""
_GONE = 410


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


class Webhooks:
    """All webhooks of the configuration, and what the graph can say and do about them."""

    def __init__(
        self, webhooks: Sequence[Webhook], log: EventLog, consumers: Consumers, notes: Notes, egress: Egress
    ) -> None:
        self.webhooks = {webhook.name: webhook for webhook in webhooks}
        self.jobs = ReplayJobs(notes)
        self._log = log
        self._consumers = consumers
        self._notes = notes
        self._egress = egress
        self.sights: Sights | None = None
        """Decide what a webhook gets that is for somebody who may not see everything; set before any is delivered to."""

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator[None]:
        """Deliver to all webhooks until the end of the block."""
        if not self.webhooks:
            yield
            return
        from gateway.events.outbound import outbound_client  # noqa: PLC0415 - httpx2 only for those who deliver

        async with outbound_client(self._egress) as http:
            tasks = [
                asyncio.create_task(self._serve_for_ever(webhook, http), name=f"webhook {webhook.name}")
                for webhook in self.webhooks.values()
            ]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def states(self) -> Mapping[str, WebhookState]:
        """Return how each configured webhook does. Raises `StoreUnavailable`."""
        kept = await self._notes.all(_SHELF)
        return {name: parse_state(kept[name]) if name in kept else WebhookState() for name in self.webhooks}

    async def deliveries(self, name: str, limit: int) -> Sequence[Delivery]:
        """Return the last attempts of a webhook, newest first. Raises `StoreUnavailable`."""
        return [parse_delivery(entry) for entry in await self._notes.last(f"webhook:{name}", limit)]

    async def enable(self, name: str) -> None:
        """Go on with a webhook that was disabled, where it stopped. Raises `StoreUnavailable`."""
        state = (await self.states())[name]
        await self._notes.put(_SHELF, name, print_state(WebhookState(delivered=state.delivered)))

    async def _serve_for_ever(self, webhook: Webhook, http: httpx2.AsyncClient) -> None:
        while True:
            try:
                async with self._consumers.serving(webhook.name) as consumer, asyncio.TaskGroup() as group:
                    group.create_task(self._replay_for_ever(webhook, http))
                    while True:
                        for recorded in await consumer.take(_BATCH):
                            if await self._is_for(webhook, recorded):
                                await self._deliver(webhook, recorded, http, None)
                            await consumer.acknowledge(recorded.position)
            except* (ServedElsewhere, StoreUnavailable) as error:
                _LOG.info("webhook_paused", extra={"webhook": webhook.name, "reason": repr(error.exceptions[0])})
                await asyncio.sleep(_LOOK_S)

    async def _replay_for_ever(self, webhook: Webhook, http: httpx2.AsyncClient) -> None:
        while True:
            for job in await self.jobs.all(webhook.name):
                await self._replay(webhook, job, http)
            await asyncio.sleep(_LOOK_S)

    async def _replay(self, webhook: Webhook, job: ReplayJob, http: httpx2.AsyncClient) -> None:
        async for recorded, done in events_of(job, self._log):
            began = time.monotonic()
            if await self._is_for(webhook, recorded):
                await self._deliver(webhook, recorded, http, job.id)
                await self.jobs.save(done)
                await asyncio.sleep(max(0.0, 1 / job.per_second - (time.monotonic() - began)))
        await self.jobs.finish(job)

    async def _is_for(self, webhook: Webhook, recorded: RecordedEvent) -> bool:
        """Say whether a webhook gets an event; waits while nobody can tell."""
        if not webhook.wanted.matches(recorded.event):
            return False
        if webhook.reader is None:
            return True
        assert self.sights is not None
        while True:
            try:
                sight = self.sights.of(webhook.reader)
                return sight is None or await sight.sees_event(recorded.event)
            except GatewayError as error:
                _LOG.info("webhook_waits", extra={"webhook": webhook.name, "reason": error.code})
                await asyncio.sleep(_LOOK_S)

    async def _deliver(
        self, webhook: Webhook, recorded: RecordedEvent, http: httpx2.AsyncClient, replay_id: str | None
    ) -> None:
        """Return once the receiver has taken the event; a disabled webhook waits until it is enabled."""
        pace = _Pace(webhook.first_pause_s, webhook.longest_pause_s)
        while True:
            state = (await self.states())[webhook.name]
            if state.disabled_at is not None:
                await asyncio.sleep(_LOOK_S)
                pace.failures = 0
                continue
            delivery, retry_after_s = await self._attempt(webhook, recorded, http, pace.failures + 1, replay_id)
            await self._notes.write_down(f"webhook:{webhook.name}", print_delivery(delivery), most=_KEPT_ATTEMPTS)
            state = _after(state, delivery, webhook)
            await self._notes.put(_SHELF, webhook.name, print_state(state))
            if delivery.error is None:
                return
            if state.disabled_at is not None:
                _LOG.error("webhook_disabled", extra={"webhook": webhook.name, "reason": state.reason})
                continue
            await asyncio.sleep(pace.pause_s(retry_after_s))

    async def _attempt(
        self, webhook: Webhook, recorded: RecordedEvent, http: httpx2.AsyncClient, attempt: int, replay_id: str | None
    ) -> tuple[Delivery, float | None]:
        import httpx2  # noqa: PLC0415 - as above

        body = print_delivered(recorded)
        now = datetime.now(UTC)
        headers = sign(webhook, recorded, body, at=int(now.timestamp()), replay_id=replay_id)
        began = time.monotonic()
        status, error, retry_after_s = None, None, None
        try:
            self._egress.check(webhook.url)
            async with asyncio.timeout(webhook.timeout_s):
                request = http.build_request("POST", webhook.url, content=body, headers=headers)
                # What it says is of no interest and may be endless: only its status is read.
                reply = await http.send(request, stream=True)
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
