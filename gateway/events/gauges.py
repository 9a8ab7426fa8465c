"""Gauges of what waits in the stores: dead letters, consumers that lag, and the length of the log."""

from __future__ import annotations

from prometheus_client.metrics import Gauge
from prometheus_client.registry import CollectorRegistry

from gateway.events.dead_letters import DeadLetterFilter, DeadLetterState
from gateway.events.embedded import Events
from gateway.events.log import StoreUnavailable


class EventGauges:
    """Read from the stores when somebody asks for the metrics."""

    def __init__(self, events: Events, registry: CollectorRegistry) -> None:
        self._events = events
        self._up = Gauge("concord_event_store_up", "Whether the store of the events answers.", registry=registry)
        self._head = Gauge("concord_event_log_position", "Position of the newest event.", registry=registry)
        self._kept = Gauge("concord_event_log_kept", "Positions that are still kept.", registry=registry)
        self._letters = Gauge("concord_dead_letters", "Dead letters, by state.", ("state",), registry=registry)
        self._waiting = Gauge(
            "concord_event_consumer_lag",
            "Events that a named consumer has not dealt with.",
            ("consumer",),
            registry=registry,
        )
        self._missed = Gauge(
            "concord_event_consumer_missed",
            "Events that were no longer kept when a named consumer came to them.",
            ("consumer",),
            registry=registry,
        )

    async def refresh(self) -> None:
        """Set the gauges; while a store does not answer they keep what they were, and say so."""
        bounds = self._events.log.bounds()
        self._head.set(bounds.head)
        self._kept.set(bounds.head - bounds.trimmed)
        try:
            for state in DeadLetterState:
                count = await self._events.dead_letters.count(DeadLetterFilter(state=state))
                self._letters.labels(state.value).set(count)
            for consumer in await self._events.consumers.states():
                self._waiting.labels(consumer.name).set(consumer.waiting)
                self._missed.labels(consumer.name).set(consumer.missed)
        except StoreUnavailable:
            self._up.set(0)
        else:
            self._up.set(1)
