"""How late events are, per type: from the business to the log, and from the log to subscribers; and what was left out.

A process measures what it hears: of a shared log, the events that any process recorded.
"""

from __future__ import annotations

from collections import Counter as Counts
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import time

from prometheus_client.metrics import Counter, Gauge, Histogram
from prometheus_client.registry import CollectorRegistry

from gateway.events.event import RecordedEvent

_REMEMBERED = 512
"""Events per type whose lags the quantiles are of."""
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600, 86400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """Of the last events of a type, in seconds."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeLag:
    """How late one type's events are, as this process has seen since it started."""

    type: str
    recorded: int
    """Events."""
    delivered: int
    """Deliveries to subscribers that were up to date; a replay is not late."""
    last_recorded_at: datetime
    recording: Quantiles
    """From business time to the log."""
    delivery: Quantiles | None
    """From the log to the subscriber; None while there was none."""


@dataclass(slots=True)
class _Seen:
    last_recorded_at: datetime
    observe_recording: Callable[[float], None]
    observe_delivery: Callable[[float], None]
    recorded: int = 0
    delivered: int = 0
    recording: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    delivery: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))


class EventMeter:
    """Takes note of events as they pass. Used on one event loop only."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Without a registry the metrics are nobody's, and the graph's numbers are kept all the same."""
        registry = registry or CollectorRegistry()
        labels = ("type",)
        self._recording = Histogram(
            "concord_event_recording_lag_seconds",
            "From the business time of an event to its record in the log.",
            labels,
            buckets=_BUCKETS,
            registry=registry,
        )
        self._delivery = Histogram(
            "concord_event_delivery_lag_seconds",
            "From the record of an event to a subscriber that is up to date.",
            labels,
            buckets=_BUCKETS,
            registry=registry,
        )
        self._gaps = Counter(
            "concord_event_gaps_total", "Gaps that subscribers were told of.", ("reason",), registry=registry
        )
        self.subscriptions = Gauge("concord_event_streams", "Open streams of events.", registry=registry)
        self._seen: dict[str, _Seen] = {}
        self.gaps: Counts[str] = Counts()
        """How many subscribers were told of a gap, by its reason, since this process started."""

    def recorded(self, recorded: RecordedEvent) -> None:
        """Note that an event reached the log."""
        lag_s = max(0.0, (recorded.recorded_at - recorded.event.time).total_seconds())
        seen = self._of(recorded)
        seen.recorded += 1
        seen.last_recorded_at = recorded.recorded_at
        seen.recording.append(lag_s)
        seen.observe_recording(lag_s)

    def delivered(self, recorded: RecordedEvent) -> None:
        """Note that a subscriber that waits for events gets this one."""
        lag_s = max(0.0, time() - recorded.recorded_at.timestamp())
        seen = self._of(recorded)
        seen.delivered += 1
        seen.delivery.append(lag_s)
        seen.observe_delivery(lag_s)

    def _of(self, recorded: RecordedEvent) -> _Seen:
        name = recorded.event.type
        seen = self._seen.get(name)
        if seen is None:
            recording, delivery = self._recording.labels(name), self._delivery.labels(name)
            seen = self._seen[name] = _Seen(recorded.recorded_at, recording.observe, delivery.observe)
        return seen

    def gap(self, reason: str) -> None:
        """Note that a subscriber is told of a gap."""
        self.gaps[reason] += 1
        self._gaps.labels(reason).inc()

    def lags(self) -> Sequence[TypeLag]:
        """Return the lag of each type that was seen, by name."""
        return [
            TypeLag(
                type=name,
                recorded=seen.recorded,
                delivered=seen.delivered,
                last_recorded_at=seen.last_recorded_at,
                recording=_quantiles(seen.recording or (0.0,)),
                delivery=_quantiles(seen.delivery) if seen.delivery else None,
            )
            for name, seen in sorted(self._seen.items())
        ]


def _quantiles(lags: Sequence[float] | deque[float]) -> Quantiles:
    ordered = sorted(lags)
    return Quantiles(p50=ordered[len(ordered) // 2], p99=ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)])
