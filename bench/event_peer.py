"""Hive Gateway's subscriptions, measured like ours: a subgraph that streams events over SSE, and the gateway before it.

What differs is said, not hidden: Hive Gateway keeps no events. Each subscription of a client is one of its own at the
subgraph, which filters and sends; so an idle one holds two connections, and one that breaks misses what happens meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from bench.event_streams import Counts, Reader, arrived, open_readers
from bench.gateways import Gateway
from bench.processes import cpu, memory_mb
from bench.workplace import PLACE, is_installed
from gateway.federation.composition import SubgraphSource, compose

_SDL = """
extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
type Query { well: Boolean }
type Subscription { contractEvents(contract: String!): ContractEvent }
type ContractEvent { id: ID! type: String! sequence: Int! contract: String! changes: [Change!]! }
type Change { field: String! from: String to: String }
"""
WATCH = """subscription ($contract: String!) {
  contractEvents(contract: $contract) { id type sequence contract changes { field from to } } }"""
_CONFIGURATION = "export const gatewayConfig = {};\n"


class EventSubgraph(asyncio.Protocol):
    """A subgraph whose subscriptions are server-sent events; `streams` has their connections by contract."""

    streams: dict[str, asyncio.Transport]

    def __init__(self, streams: dict[str, asyncio.Transport]) -> None:
        self.streams = streams
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, body = self._data.partition(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        if not found or len(body) < length:
            return
        self._data = body[length:]
        # Hive Gateway subscribes by GET.
        target = urlsplit(head.split(b" ", 2)[1].decode())
        given = parse_qs(target.query).get("variables", ["{}"])[0] if target.query else body[:length]
        variables = json.loads(given or b"{}")
        contract = (variables if target.query else variables.get("variables") or {}).get("contract")
        if contract is None:
            self._transport.write(
                b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 24\r\n\r\n{"data":{"well":true}}  '
            )
            return
        self.streams[contract] = self._transport
        self._transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-store\r\n"
            b"transfer-encoding: chunked\r\n\r\n3\r\n:\n\n\r\n"
        )


def hive(port: int, subgraph_port: int) -> Gateway | None:
    """Return how Hive Gateway is started before the subgraph; None where it isn't installed."""
    if not is_installed("hive-gateway"):
        return None
    url = f"http://127.0.0.1:{subgraph_port}/graphql"
    composition = compose([SubgraphSource(name="events", url=url, sdl=_SDL)])
    assert composition.supergraph_sdl is not None, composition.errors
    folder = PLACE / "peers" / "hive-gateway"
    supergraph = PLACE / "events" / "hive-supergraph.graphql"
    supergraph.parent.mkdir(parents=True, exist_ok=True)
    supergraph.write_text(composition.supergraph_sdl)
    (folder / "events.config.mjs").write_text(_CONFIGURATION)
    return Gateway(
        name="hive-gateway",
        command=(
            *("node", "node_modules/.bin/hive-gateway", "supergraph", str(supergraph), "--jit"),
            *("-c", "events.config.mjs", "-h", "127.0.0.1", "-p", str(port), "--disable-websockets"),
        ),
        directory=folder,
        environment={"NODE_ENV": "production", "LOG_LEVEL": "error"},
    )


async def serve_subgraph(port: int) -> tuple[asyncio.Server, dict[str, asyncio.Transport]]:
    """Serve the subgraph in this process."""
    streams: dict[str, asyncio.Transport] = {}
    server = await asyncio.get_running_loop().create_server(
        lambda: EventSubgraph(streams), "127.0.0.1", port, backlog=2_048
    )
    return server, streams


async def measure_peer(
    pid: int, url: str, streams: dict[str, asyncio.Transport], count: int, rate: float, seconds: float
) -> str:
    """Open subscriptions, then send events to one of them each; returns what it cost, in a line."""
    counts = Counts()
    warm = await open_readers(url, _documents("WARM", 20), [None] * 20, counts)
    await _until(streams, 20)
    await _send(streams, [f"WARM-{number % 20}" for number in range(200)], counts, rate, first=1)
    await arrived(counts, 200, 30)
    for reader in warm:
        reader.transport.close()
    await asyncio.sleep(1)
    memory = memory_mb(pid)
    readers = await open_readers(url, _documents("CON", count), [None] * count, counts)
    await _until(streams, 20 + count)
    await asyncio.sleep(2)
    kib_each = (memory_mb(pid) - memory) * 1024 / count
    counts.arrived = 0
    counts.latencies.clear()
    many = int(rate * seconds)
    before = cpu(pid)
    await _send(streams, [f"CON-{number * 7919 % count}" for number in range(many)], counts, rate, first=1_001)
    await arrived(counts, many, 30)
    spent = (cpu(pid) - before).run
    _close(readers)
    latencies = sorted(counts.latencies) or [0.0]
    return (
        f"{'hive-gateway':<14} {count:>7,} idle  {kib_each:>6.1f} KiB each   {counts.arrived:>7,} delivered"
        f"  {many - counts.arrived} missed  {spent / max(counts.arrived, 1) * 1e6:>6.0f} us CPU each"
        f"  p50 {statistics.median(latencies) * 1000:.1f} ms  p99 {latencies[len(latencies) * 99 // 100] * 1000:.1f} ms"
        "   (keeps no events: the subgraph filters, and what happens while a client is away is lost)"
    )


def _documents(prefix: str, count: int) -> list[dict[str, object]]:
    return [{"query": WATCH, "variables": {"contract": f"{prefix}-{number}"}} for number in range(count)]


async def _until(streams: dict[str, asyncio.Transport], count: int) -> None:
    async with asyncio.timeout(120):
        while len(streams) < count:  # noqa: ASYNC110 - the subgraph has no event for it
            await asyncio.sleep(0.05)


async def _send(
    streams: dict[str, asyncio.Transport], contracts: Sequence[str], counts: Counts, rate: float, *, first: int
) -> None:
    began = time.perf_counter()
    for place, contract in enumerate(contracts):
        pause_s = began + place / rate - time.perf_counter()
        if pause_s > 0:
            await asyncio.sleep(pause_s)
        number = first + place
        told = {
            "id": f"bench:{number}",
            "type": "concord.contract.paused.v1",
            "sequence": number,
            "contract": contract,
            "changes": [{"field": "status", "from": "ACTIVE", "to": "PAUSED"}],
        }
        text = (
            f"event: next\ndata: {json.dumps({'data': {'contractEvents': told}}, separators=(',', ':'))}\n\n".encode()
        )
        counts.published[number] = time.perf_counter()
        streams[contract].write(b"%x\r\n%b\r\n" % (len(text), text))


def _close(readers: Sequence[Reader]) -> None:
    for reader in readers:
        reader.transport.abort()
