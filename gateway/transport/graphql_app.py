"""The GraphQL endpoint as one ASGI application for HTTP, streams and WebSockets."""

from __future__ import annotations

from gateway.access.authenticate import Authenticate, allow_anonymous
from gateway.access.load import Load
from gateway.access.rate import TakesTurns
from gateway.telemetry.requests import RequestMeter
from gateway.transport.asgi import ASGIApp, Receive, Scope, Send
from gateway.transport.callback import Callbacks
from gateway.transport.door import Door, EngineRef
from gateway.transport.drain import Drain
from gateway.transport.fast_post import FastPosts
from gateway.transport.http import serve_http
from gateway.transport.outlet import Heartbeats
from gateway.transport.reservations import Reservations
from gateway.transport.settings import TransportSettings
from gateway.transport.unsent import UnsentAnswers
from gateway.transport.websocket import serve_websocket

_MOST_IN_FLIGHT = 500


def graphql_app(
    engine: EngineRef,
    *,
    settings: TransportSettings | None = None,
    authenticate: Authenticate = allow_anonymous,
    drain: Drain | None = None,
    page: ASGIApp | None = None,
    callbacks: Callbacks | None = None,
    load: Load | None = None,
    meter: RequestMeter | None = None,
    rates: TakesTurns | None = None,
    unsent: UnsentAnswers | None = None,
) -> GraphQLApp:
    """Return the application that answers GraphQL requests on whatever path it is mounted at.

    `engine` is asked for the engine at the start of each operation, so a reload is a change of what it returns.
    `drain` is shared with whoever stops the process; `page` answers browsers that open the endpoint; `callbacks` post
    the events of subscriptions that name an address; `load` bounds what is
    worked on at once, `rates` what one caller may ask, `unsent` what waits for clients; `meter` is the engine's.
    """
    settings = settings or TransportSettings()
    door = Door(
        engine=engine,
        settings=settings,
        authenticate=authenticate,
        drain=drain or Drain(),
        beats=Heartbeats(settings.stream.heartbeat_s),
        reservations=Reservations(limit=settings.stream.max_reservations, unopened_s=settings.stream.unopened_s),
        unsent=unsent or UnsentAnswers(settings.max_unsent_bytes, settings.stream.send_timeout_s),
        callbacks=callbacks,
        page=page,
        load=load or Load(_MOST_IN_FLIGHT),
        meter=meter or RequestMeter(),
        rates=rates,
    )

    return GraphQLApp(door)


class GraphQLApp:
    """The application, and the way around it for common requests."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self.fast = FastPosts(door)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or serve one WebSocket."""
        if scope["type"] == "websocket":
            await serve_websocket(scope, receive, send, self._door)
        else:
            await serve_http(scope, receive, send, self._door)
