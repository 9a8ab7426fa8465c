"""What every transport shares: the engine of the moment, the policies, and whether the process is stopping."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from gateway.access.authenticate import Authenticate
from gateway.access.load import Load
from gateway.access.rate import TakesTurns
from gateway.telemetry.requests import RequestMeter
from gateway.transport.asgi import ASGIApp
from gateway.transport.callback import Callbacks
from gateway.transport.drain import Drain
from gateway.transport.outlet import Heartbeats
from gateway.transport.reservations import Reservations
from gateway.transport.settings import TransportSettings
from gateway.transport.unsent import UnsentAnswers

if TYPE_CHECKING:  # the door's types name the engine; its code does not need it
    from gateway.engine import Engine

EngineRef: TypeAlias = "Callable[[], Engine]"
"""Returns the engine to use for a new operation; after a reload, another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """The door of one process."""

    engine: EngineRef
    settings: TransportSettings
    authenticate: Authenticate
    drain: Drain
    beats: Heartbeats
    reservations: Reservations
    unsent: UnsentAnswers
    callbacks: Callbacks | None
    """Posts the events of subscriptions that ask for it; None refuses them."""
    load: Load
    meter: RequestMeter
    """Counts the answers that the engine does not see; the others it counts itself."""
    rates: TakesTurns | None
    """A limit on each caller's requests; None: no limit."""
    page: ASGIApp | None
    """Answers browsers that open the endpoint; None answers them as any client."""
