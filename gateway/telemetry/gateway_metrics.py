"""The gateway's own metrics: what it was asked, what the systems behind it took, and how full it is.

Made when somebody asks for them, of numbers that are counted anyway. The table in this folder's README says what each means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from gateway.telemetry.log_counts import LogCounts
from gateway.telemetry.requests import RequestMeter
from gateway.upstream.timing import BOUNDS_S, Timing

_LIMITS = [*(f"{bound:g}" for bound in BOUNDS_S), "+Inf"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubgraphState:
    """What one subgraph's client is doing."""

    answered: Timing
    failed: Mapping[str, int]
    under_way: int
    waiting: int
    is_refused: bool
    """Whether its breaker is open: it is not asked."""
    entities: Mapping[str, int]
    """Where entities that may be kept came from, and how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayState:
    """How full the gateway is."""

    requests: int
    most_requests: int
    plans: int
    plans_waiting: int
    reading_bytes: int
    """Of large answers that come from subgraphs."""
    most_reading_bytes: int
    reading_waiting: int
    """Answers among them that wait for room."""
    reading_pauses: int
    """How often one had to, ever."""
    unsent_bytes: int
    """Of large answers that clients read."""
    most_unsent_bytes: int


class GatewayMetrics:
    """A collector of Prometheus's registry."""

    def __init__(
        self,
        meter: RequestMeter,
        log: LogCounts,
        *,
        state: Callable[[], GatewayState],
        subgraphs: Callable[[], Mapping[str, SubgraphState]],
    ) -> None:
        """`state` and `subgraphs` are asked each time."""
        self._meter = meter
        self._log = log
        self._state = state
        self._subgraphs = subgraphs

    def describe(self) -> Sequence[Metric]:
        """Return nothing: names are not looked at before they are needed."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the families of metrics."""
        yield from self._requests()
        yield from self._fetches()
        yield from self._fullness()
        lines = CounterMetricFamily("concord_log_lines", "Lines of the log, by event.", labels=("level", "event"))
        for labels, count in self._log.lines.items():
            lines.add_metric(labels, count)
        yield lines

    def _requests(self) -> Iterator[Metric]:
        meter = self._meter
        took = HistogramMetricFamily(
            "concord_request_seconds",
            "From the start of an operation to its answer, or to the beginning of its stream.",
            labels=("kind", "outcome"),
        )
        for outcome, timings in (("ok", meter.whole), ("errors", meter.partial)):
            for kind, timing in timings.items():
                _add(took, (kind, outcome), timing)
        yield took
        refused = CounterMetricFamily(
            "concord_requests_refused", "Requests that were refused as a whole, by code.", labels=("code",)
        )
        for code, count in self._log.refused.items():
            refused.add_metric((code,), count)
        yield refused
        errors = CounterMetricFamily(
            "concord_answers_with_error",
            "Answers with an error of this code, by the system that it names.",
            labels=("system", "code"),
        )
        for names, count in self._log.failed.items():
            errors.add_metric(names, count)
        yield errors
        planning = HistogramMetricFamily("concord_planning_seconds", "Documents planned, or refused, anew.", labels=())
        _add(planning, (), meter.planning)
        yield planning

    def _fetches(self) -> Iterator[Metric]:
        took = HistogramMetricFamily(
            "concord_fetch_seconds", "Tries of fetches that a subgraph answered.", labels=("subgraph",)
        )
        failed = CounterMetricFamily(
            "concord_fetches_failed", "Tries of fetches without a usable answer.", labels=("subgraph", "code")
        )
        under_way = GaugeMetricFamily("concord_fetches_under_way", "Fetches that have a place.", labels=("subgraph",))
        waiting = GaugeMetricFamily("concord_fetches_waiting", "Fetches that wait for one.", labels=("subgraph",))
        opened = GaugeMetricFamily(
            "concord_breaker_open", "Whether a subgraph is not asked, since it failed too often.", labels=("subgraph",)
        )
        entities = CounterMetricFamily(
            "concord_entities", "Entities that may be kept, by where they came from.", labels=("subgraph", "source")
        )
        for name, each in self._subgraphs().items():
            _add(took, (name,), each.answered)
            for code, count in each.failed.items():
                failed.add_metric((name, code), count)
            under_way.add_metric((name,), each.under_way)
            waiting.add_metric((name,), each.waiting)
            opened.add_metric((name,), each.is_refused)
            for source, count in each.entities.items():
                entities.add_metric((name, source), count)
        yield from (took, failed, under_way, waiting, opened, entities)

    def _fullness(self) -> Iterator[Metric]:
        state = self._state()
        gauges = (
            ("concord_requests_under_way", "Requests that are worked on.", state.requests),
            ("concord_requests_most", "Requests that may be: what is beyond is refused.", state.most_requests),
            ("concord_plans_kept", "Plans of documents that are kept.", state.plans),
            ("concord_plans_waiting", "Documents that wait to be planned.", state.plans_waiting),
            ("concord_reading_bytes", "Bytes of large answers that are being read.", state.reading_bytes),
            ("concord_reading_most_bytes", "Bytes that may be: beyond, answers wait.", state.most_reading_bytes),
            ("concord_reading_waiting", "Large answers that wait for room.", state.reading_waiting),
            ("concord_unsent_bytes", "Bytes of large answers that clients are reading.", state.unsent_bytes),
            ("concord_unsent_most_bytes", "Bytes that may be: what is beyond is refused.", state.most_unsent_bytes),
        )
        for name, text, value in gauges:
            yield GaugeMetricFamily(name, text, value=value)
        yield CounterMetricFamily(
            "concord_reading_pauses", "How often a large answer had to wait for room.", value=state.reading_pauses
        )


def _add(family: HistogramMetricFamily, labels: Sequence[str], timing: Timing) -> None:
    counts = [float(each) for each in accumulate(timing.counts)]
    family.add_metric(labels, list(zip(_LIMITS, counts, strict=True)), sum_value=timing.total_s)
