"""Every way to hear events from a running gateway, as one shape: what was heard, and how it ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

QUERY = """subscription ($cursor: String) { contractEvents(cursor: $cursor) {
  id cursor customer { id identities { externalId } } } }"""


class Refused(Exception):  # noqa: N818 - reads as what it is
    """The gateway did not let the listener in."""


@dataclass
class Heard:
    """What one listener has heard, in the order of arrival."""

    events: list[dict[str, Any]] = field(default_factory=list)
    """Each with `id`, `cursor` and, but for the feed, `customer`."""
    ending: Any = None
    """What the transport said last, as it said it; None while it goes on."""

    @property
    def ids(self) -> list[str]:
        return [event["id"] for event in self.events]

    def take(self, payload: dict[str, Any]) -> None:
        assert "errors" not in payload, payload
        event = payload["data"]["contractEvents"]
        assert payload["extensions"]["concord"]["cursor"] == event["cursor"]
        self.events.append(event)


@dataclass(frozen=True)
class Address:
    """Where to listen, as whom, and after which event."""

    door: Any
    token: str
    """Empty where the gateway lets everybody in."""
    cursor: str
    """Empty for what comes from now on."""
    serve: Any
    query: str = QUERY

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"} if self.token else {}

    def stream(self, accept: str, cursor: str | None = None, **headers: str) -> Any:
        """A request for a subscription whose answer is a stream."""
        body = {"query": self.query, "variables": {"cursor": cursor} if cursor else {}}
        heads = {**self.headers, "accept": accept, **headers}
        return self.door.client.stream("POST", f"{self.door.url}/graphql", json=body, headers=heads)

    def feed(self, accept: str, **more: str) -> Any:
        """A request for the feed."""
        heads = {**self.headers, "accept": accept, **more}
        query = {} if "last-event-id" in more else {"after": self.cursor}
        query["types"] = "concord.contract.activated.v1"
        return self.door.client.stream("GET", f"{self.door.url}/events/feed", params=query, headers=heads)


Opened = Callable[[], None]


def _let_in(reply: Any, opened: Opened) -> None:
    if reply.status_code == 401:
        raise Refused
    assert reply.status_code == 200
    opened()


async def _sse_fields(reply: Any) -> AsyncIterator[dict[str, str]]:
    fields: dict[str, str] = {}
    async for line in reply.aiter_lines():
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif not line and fields:
            yield fields
            fields = {}


async def websocket(address: Address, heard: Heard, opened: Opened) -> None:
    """graphql-transport-ws."""
    url = address.door.url.replace("http", "ws") + "/graphql"
    async with connect(url, subprotocols=["graphql-transport-ws"], proxy=None) as connection:
        try:
            await connection.send(json.dumps({"type": "connection_init", "payload": address.headers}))
            message = json.loads(await connection.recv())
        except ConnectionClosed as closed:
            raise Refused from closed
        assert message == {"type": "connection_ack"}
        payload = {"query": address.query, "variables": {"cursor": address.cursor or None}}
        await connection.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        opened()
        try:
            while True:
                message = json.loads(await connection.recv())
                if message["type"] == "error":
                    heard.ending = message
                    continue
                assert (message["type"], message["id"]) == ("next", "1"), message
                heard.take(message["payload"])
        except ConnectionClosed as closed:
            assert closed.rcvd is not None
            heard.ending = (closed.rcvd.code, closed.rcvd.reason)


async def sse(address: Address, heard: Heard, opened: Opened) -> None:
    """graphql-sse in distinct connections mode, resumed as a browser does."""
    told: list[Any] = []
    async with address.stream("text/event-stream", **{"last-event-id": address.cursor}) as reply:
        _let_in(reply, opened)
        async for fields in _sse_fields(reply):
            if "id" in fields:
                assert not told
                heard.take(json.loads(fields["data"]))
                assert (fields["event"], fields["id"]) == ("next", heard.events[-1]["cursor"])
            else:
                told.append((fields["event"], json.loads(fields["data"]) if fields["data"] else None))
    heard.ending = told


async def single_connection(address: Address, heard: Heard, opened: Opened) -> None:
    """graphql-sse in single connection mode: the stream is read by one request, and the operation begun by another."""
    client, url = address.door.client, f"{address.door.url}/graphql"
    told: list[Any] = []
    reserved = await client.put(url, headers=address.headers)
    if reserved.status_code == 401:
        raise Refused
    token = {"x-graphql-event-stream-token": reserved.text}
    heads = {**address.headers, **token, "accept": "text/event-stream"}
    async with client.stream("GET", url, headers=heads) as reply:
        if reply.status_code == 401:
            raise Refused
        body = {"query": address.query, "extensions": {"operationId": "op"}}
        resumed = {"last-event-id": address.cursor} if address.cursor else {}
        begun = await client.post(url, json=body, headers={**address.headers, **token, **resumed})
        if begun.status_code in (401, 404):  # the token ended in between
            raise Refused
        assert begun.status_code == 202, begun.text
        opened()
        async for fields in _sse_fields(reply):
            data = json.loads(fields["data"])
            assert data["id"] == "op"
            if fields["event"] == "next" and "data" in data["payload"]:
                assert not told
                heard.take(data["payload"])
            else:
                told.append((fields["event"], data.get("payload")))
                heard.ending = told if fields["event"] == "complete" else None
    heard.ending = told


async def multipart(address: Address, heard: Heard, opened: Opened) -> None:
    """Apollo Client's multipart protocol."""
    told: list[Any] = []
    accept = "multipart/mixed;subscriptionSpec=1.0, application/json"
    async with address.stream(accept, address.cursor) as reply:
        _let_in(reply, opened)
        assert reply.headers["content-type"] == 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0'
        async for line in reply.aiter_lines():
            match json.loads(line) if line.startswith("{") else line:
                case "" | "--graphql" | "content-type: application/json":
                    pass
                case {"payload": {"data": _, **_rest} as payload, **more}:
                    assert not told
                    assert not more
                    heard.take(payload)
                case heartbeat if heartbeat == {}:
                    pass
                case last:
                    told.append(last)
    heard.ending = told


async def callback(address: Address, heard: Heard, opened: Opened) -> None:
    """Apollo's callback protocol: this is the router that events are posted to."""
    ended = asyncio.Event()
    told: list[Any] = []

    async def receive(request: Any) -> Response:
        message = await request.json()
        rest = {name: message.pop(name) for name in ("kind", "id", "verifier", "action")}
        assert (rest["kind"], rest["id"], rest["verifier"]) == ("subscription", "sub-1", "v-1")
        if told:
            told.append(("after the end", rest, message))
        elif rest["action"] == "next" and "data" not in message["payload"]:
            heard.ending = message["payload"]
        elif rest["action"] == "next":
            heard.take(message["payload"])
        elif rest["action"] == "complete":
            told.append(message)
            ended.set()
        return Response(status_code=204)

    routes = [Route("/callback", receive, methods=["POST"])]
    async with address.serve(Starlette(routes=routes)) as url:
        given = {"callbackUrl": f"{url}/callback", "subscriptionId": "sub-1", "verifier": "v-1"}
        subscription = {"subscription": {**given, "heartbeatIntervalMs": 1000}}
        body = {"query": address.query, "variables": {"cursor": address.cursor or None}, "extensions": subscription}
        accept = {"accept": "application/json;callbackSpec=1.0, application/json"}
        reply = await address.door.client.post(
            f"{address.door.url}/graphql", json=body, headers=address.headers | accept
        )
        _let_in(reply, opened)
        assert reply.json() == {"data": None}
        await ended.wait()
        heard.ending = heard.ending or told
        await asyncio.Event().wait()  # what came after the end would be told, until the listener leaves


async def feed_lines(address: Address, heard: Heard, opened: Opened) -> None:
    """The feed as lines."""
    told: list[Any] = []
    async with address.feed("application/x-ndjson") as reply:
        _let_in(reply, opened)
        async for line in reply.aiter_lines():
            match json.loads(line) if line else None:
                case None:
                    pass
                case {"id": _} as event:
                    assert not told
                    heard.events.append(event)
                case last:
                    told.append(last)
    heard.ending = told


async def feed_sse(address: Address, heard: Heard, opened: Opened) -> None:
    """The feed as server-sent events."""
    told: list[Any] = []
    async with address.feed("text/event-stream", **{"last-event-id": address.cursor}) as reply:
        _let_in(reply, opened)
        async for fields in _sse_fields(reply):
            data = json.loads(fields["data"])
            if "id" in fields:
                assert not told
                assert data["cursor"] == fields["id"]
                heard.events.append(data)
            else:
                told.append((fields["event"], data))
    heard.ending = told


Listen = Callable[[Address, Heard, Opened], Awaitable[None]]
TRANSPORTS: dict[str, Listen] = {
    "graphql-transport-ws": websocket,
    "graphql-sse": sse,
    "graphql-sse, one connection": single_connection,
    "multipart": multipart,
    "callback": callback,
    "feed as lines": feed_lines,
    "feed as server-sent events": feed_sse,
}


@dataclass(frozen=True)
class Listener:
    """A listener at work."""

    heard: Heard
    work: asyncio.Task[None]

    async def until(self, condition: Callable[[Heard], bool]) -> None:
        """Wait until what was heard is as it should be; a listener that fails says so at once."""
        async with asyncio.timeout(60):
            while not condition(self.heard):
                if self.work.done():
                    self.work.result()
                    assert condition(self.heard), self.heard
                await asyncio.sleep(0.02)


@asynccontextmanager
async def listening(transport: str, address: Address) -> AsyncIterator[Listener]:
    """Listen in the background, from when the gateway has let the listener in. Raises Refused if it does not."""
    heard, opened = Heard(), asyncio.Event()
    work = asyncio.ensure_future(TRANSPORTS[transport](address, heard, opened.set))
    entering = asyncio.create_task(opened.wait())
    try:
        async with asyncio.timeout(60):
            await asyncio.wait({work, entering}, return_when=asyncio.FIRST_COMPLETED)
        if not opened.is_set():
            work.result()
        yield Listener(heard, work)
    finally:
        entering.cancel()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
