"""Deliver events to webhooks, each by one process at a time: no webhook waits for another one; replays beside what is new."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from gateway.errors import GatewayError
from gateway.events.consumers import Consumers, ServedElsewhere
from gateway.events.egress import Egress
from gateway.events.event import RecordedEvent
from gateway.events.log import EventLog, StoreUnavailable
from gateway.events.notes import Notes
from gateway.events.replay_job import ReplayJob, ReplayJobs, events_of
from gateway.events.sight import Sights
from gateway.events.webhook import (
    Delivery,
    Parked,
    Webhook,
    WebhookState,
    parse_delivery,
    parse_parked,
    parse_state,
    print_state,
)
from gateway.events.webhook_delivery import LOOK_S, STATES, Deliverer, parked_shelf
from gateway.events.webhook_lanes import Lanes

if TYPE_CHECKING:
    import httpx2

_LOG = logging.getLogger("concord.events")
_BATCH = 50


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
        kept = await self._notes.all(STATES)
        return {name: parse_state(kept[name]) if name in kept else WebhookState() for name in self.webhooks}

    async def deliveries(self, name: str, limit: int) -> Sequence[Delivery]:
        """Return the last attempts of a webhook, newest first. Raises `StoreUnavailable`."""
        return [parse_delivery(entry) for entry in await self._notes.last(f"webhook:{name}", limit)]

    async def parked(self, name: str) -> Sequence[Parked]:
        """Return the events that a webhook could not take, oldest first. Raises `StoreUnavailable`."""
        kept = await self._notes.all(parked_shelf(name))
        return sorted(map(parse_parked, kept.values()), key=lambda parked: parked.position)

    async def enable(self, name: str) -> None:
        """Go on with a webhook that was disabled, where it stopped. Raises `StoreUnavailable`."""
        state = (await self.states())[name]
        await self._notes.put(STATES, name, print_state(WebhookState(delivered=state.delivered)))

    async def _serve_for_ever(self, webhook: Webhook, http: httpx2.AsyncClient) -> None:
        while True:
            try:
                async with self._consumers.serving(webhook.name) as consumer, asyncio.TaskGroup() as group:
                    deliverer = Deliverer(webhook, http, self._notes, self._egress)
                    group.create_task(self._replay_for_ever(webhook, deliverer))
                    lanes = Lanes(consumer, deliverer.deliver, group)
                    while True:
                        await lanes.room()
                        for recorded in await consumer.take(_BATCH):
                            if await self._is_for(webhook, recorded):
                                lanes.add(recorded)
                            else:
                                await lanes.pass_by(recorded)
            except* (ServedElsewhere, StoreUnavailable) as error:
                _LOG.info("webhook_paused", extra={"webhook": webhook.name, "reason": repr(error.exceptions[0])})
                await asyncio.sleep(LOOK_S)

    async def _replay_for_ever(self, webhook: Webhook, deliverer: Deliverer) -> None:
        while True:
            for job in await self.jobs.all(webhook.name):
                await self._replay(webhook, job, deliverer)
            await asyncio.sleep(LOOK_S)

    async def _replay(self, webhook: Webhook, job: ReplayJob, deliverer: Deliverer) -> None:
        async for recorded, done in events_of(job, self._log):
            began = time.monotonic()
            if await self._is_for(webhook, recorded):
                await deliverer.deliver(recorded, job.id)
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
                await asyncio.sleep(LOOK_S)
