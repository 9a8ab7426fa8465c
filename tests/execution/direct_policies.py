"""A subgraph's client with its policies, for tests of the short way through them."""

from __future__ import annotations

from gateway.execution.ports import SubgraphClient
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
from gateway.upstream.retry import Retried


def policies(
    client: HttpSubgraph,
    *,
    most: int = 64,
    most_waiting: int = 1_000,
    patient: int = 125,
    least: int = 3,
    timeout_s: float = 10.0,
    is_direct: bool = True,
) -> SubgraphClient:
    """Return a client with its policies: those that `Direct` goes through in one step, or each by itself.

    `patient` may wait until their deadlines; the breaker opens after `least` fetches.
    """
    crowd = Crowd(most=patient)
    measured = Measured(client)
    deadlined = Deadlined(measured, timeout_s=timeout_s)
    bulkhead = Bulkhead(deadlined, most=most, most_waiting=most_waiting, crowd=crowd)
    breaker = CircuitBreaker(bulkhead, BreakerLimits(least=least), opened=bulkhead.turn_away)
    retried = Retried(breaker, backoff_s=0.001)
    coalesced = Coalesced(retried, crowd=crowd)
    headered = Headered(coalesced, fixed={}, forwarded=["x-name"])
    if not is_direct:
        return headered
    assert isinstance(client.transport, LeanTransport)
    return Direct(
        client,
        client.transport,
        measured=measured,
        deadlined=deadlined,
        bulkhead=bulkhead,
        breaker=breaker,
        retried=retried,
        coalesced=coalesced,
        headered=headered,
    )
