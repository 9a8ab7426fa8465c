"""One subgraph's client: opened, with all its policies around it."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from gateway.access.identity import CallerSigner
from gateway.cache.cached_entities import CachedEntities
from gateway.entity_caching import EntityCaching
from gateway.execution.ports import SubgraphClient
from gateway.federation.supergraph import Supergraph
from gateway.settings import Settings, SettingsRefused
from gateway.telemetry.gateway_metrics import SubgraphState
from gateway.upstream.breaker import BreakerLimits, CircuitBreaker
from gateway.upstream.bulkhead import Bulkhead
from gateway.upstream.coalesce import Coalesced
from gateway.upstream.crowd import Crowd
from gateway.upstream.deadline import Deadlined
from gateway.upstream.direct import Direct
from gateway.upstream.headers import Headered
from gateway.upstream.http import HttpSubgraph
from gateway.upstream.lean_transport import LeanTransport
from gateway.upstream.measured import Measured
from gateway.upstream.read_budget import ReadBudget
from gateway.upstream.remote import remote_subgraph
from gateway.upstream.replicas import Replicas
from gateway.upstream.retry import Retried, RetryBudget
from gateway.upstream.settings import BreakerSettings, RetrySettings, SubgraphSettings
from gateway.upstream.shared_streams import SharedStreams
from gateway.upstream.stream_limits import StreamLimits
from gateway.upstream.tls import TlsFiles, TlsFilesRefused
from gateway.writes.doubt import Doubt
from gateway.writes.idempotent import IdempotentWrites
from gateway.writes.store import WriteStore

_WAITING = 0.25
"""Part of the requests in flight that may wait for one subgraph as long as their deadlines allow."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenSubgraph:
    """A subgraph's client, and what tells how it is."""

    client: SubgraphClient
    url: str
    """Its address in the supergraph, which the configuration may have another for."""
    measured: Measured
    bulkhead: Bulkhead | None = None
    """None where this process answers itself; so with the breaker."""
    breaker: CircuitBreaker | None = None
    cached: CachedEntities | None = None
    replicas: tuple[HttpSubgraph, ...] = ()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way: no fetch and no stream."""
        is_fetching = self.bulkhead is not None and self.bulkhead.free < self.bulkhead.most
        return not is_fetching and not any(each.is_streaming for each in self.replicas)

    @property
    def state(self) -> SubgraphState:
        """What it has done and is doing, for the metrics."""
        bulkhead, breaker, cached = self.bulkhead, self.breaker, self.cached
        return SubgraphState(
            answered=self.measured.answered,
            failed=self.measured.failed,
            under_way=0 if bulkhead is None else bulkhead.most - bulkhead.free,
            waiting=0 if bulkhead is None else len(bulkhead.waiting),
            is_refused=breaker is not None and breaker.is_open,
            entities={"cache": cached.kept, "stale": cached.stale, "owner": cached.read}
            if cached is not None and cached.keeps
            else {},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Opens the clients of subgraphs in other processes."""

    settings: Settings
    internal_secret: str
    """Signs for whom subgraphs are asked."""
    caching: EntityCaching | None
    writes: WriteStore
    settle: Callable[[Doubt], Awaitable[str | None]]
    """Takes a write in doubt, and returns whose it is now."""
    reading: ReadBudget
    """Bounds large answers that are being read, from all of them together."""

    def open(self, name: str, url: str) -> OpenSubgraph:
        """Open a subgraph's client; `url` is its address in the supergraph. Raises SettingsRefused."""
        settings = settings_of(self.settings, name, url)
        limits = StreamLimits(head_timeout_s=settings.timeout_s, silence_s=settings.stream_silence_s)
        if not settings.share_subscriptions:
            limits = replace(limits, operations_per_socket=1)
        # Outermost last: each policy is a client around the one before.
        replicas = tuple(
            remote_subgraph(
                each,
                max_connections=settings.max_connections,
                identify=CallerSigner(self.internal_secret, name) if settings.tell_caller else None,
                trust=trust_of(name, settings),
                limits=limits,
                budget=self.reading,
            )
            for each in settings.urls
        )
        http = replicas[0]
        is_alone = len(replicas) == 1
        crowd = Crowd(most=max(1, int(self.settings.limits.in_flight * _WAITING)))
        deadlined = [Deadlined(each, timeout_s=settings.timeout_s) for each in replicas]
        measured = Measured(deadlined[0] if is_alone else Replicas(deadlined))
        bulkhead = Bulkhead(measured, most=settings.max_connections, most_waiting=settings.max_waiting, crowd=crowd)
        breaker = CircuitBreaker(bulkhead, _breaker_limits(settings.breaker), opened=bulkhead.turn_away)
        retried = _retried(breaker, settings.retry)
        coalesced = Coalesced(
            IdempotentWrites(retried, self.writes, self.settle),
            crowd=crowd,
            room=self.reading.room,
            streams=SharedStreams() if settings.share_subscriptions else None,
        )
        cached = None if self.caching is None else self.caching.around(coalesced, name, crowd=crowd)
        headered = Headered(cached or coalesced, fixed=settings.headers, forwarded=settings.forward_headers)
        client: SubgraphClient = headered
        if is_alone and isinstance(http.transport, LeanTransport):
            client = Direct(
                http,
                http.transport,
                measured=measured,
                deadlined=deadlined[0],
                bulkhead=bulkhead,
                breaker=breaker,
                retried=retried,
                coalesced=coalesced,
                headered=headered,
                keeps=cached if cached is not None and cached.keeps else None,
            )
        return OpenSubgraph(
            client=client,
            url=url,
            measured=measured,
            bulkhead=bulkhead,
            breaker=breaker,
            cached=cached,
            replicas=replicas,
        )


def _breaker_limits(settings: BreakerSettings) -> BreakerLimits:
    return BreakerLimits(ratio=settings.ratio, least=settings.least, window_s=settings.window_s, open_s=settings.open_s)


def _retried(client: SubgraphClient, settings: RetrySettings) -> Retried:
    budget = RetryBudget(ratio=settings.budget, most=settings.saved)
    return Retried(client, retries=settings.retries, backoff_s=settings.backoff_s, budget=budget)


def check_ways(settings: Settings, supergraph: Supergraph) -> None:
    """Raise SettingsRefused, with all that is wrong, where a subgraph has no address, or no certificates, to be asked with."""
    problems: list[str] = []
    for name, subgraph in supergraph.subgraphs.items():
        try:
            trust_of(name, settings_of(settings, name, subgraph.url))
        except SettingsRefused as refused:
            problems += refused.problems
    if problems:
        raise SettingsRefused(tuple(problems))


def settings_of(settings: Settings, name: str, url: str) -> SubgraphSettings:
    """Return a subgraph's settings: those by default, with its address in the supergraph, where none are configured.

    Raises SettingsRefused where nothing can be asked at that address.
    """
    configured = settings.subgraphs.get(name)
    if configured is not None:
        return configured
    try:
        return SubgraphSettings(url=url)
    except ValueError as error:
        mend = f"mend it in the supergraph, or say another in `[subgraphs.{name}]`"
        raise SettingsRefused((f"The supergraph's address of `{name}`: {error}; {mend}.",)) from error


def trust_of(name: str, settings: SubgraphSettings) -> ssl.SSLContext | None:
    """Return what connections to a subgraph are made with, where its table names certificates. Raises SettingsRefused."""
    files = TlsFiles(authority=settings.tls_authority, certificate=settings.tls_certificate, key=settings.tls_key)
    if files == TlsFiles():
        return None
    try:
        return files.context()
    except TlsFilesRefused as error:
        raise SettingsRefused((f"`subgraphs.{name}`: {error}.",)) from error
