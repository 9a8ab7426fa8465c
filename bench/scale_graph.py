"""The graph that the gateway is scaled over: up to 200 subgraphs, all answered by one small server in this process."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import orjson

from bench.workplace import ROOT
from gateway.federation.composition import SubgraphSource, compose

SUBGRAPHS = 200
FIELDS = 300
ROWS = 10_000
"""Of about 1 KB each: the most that can be asked for."""
_ROW = "x" * 960

_ROOT_SDL = f"""
type Query {{ rows(n: Int!): [Row] items(n: Int!): [Item] user: User wide: Wide }}
type Row {{ id: ID! text: String }}
type Item @key(fields: "id") {{ id: ID! }}
type User @key(fields: "id") {{ id: ID! }}
type Wide {{ {" ".join(f"f{number}: Int" for number in range(FIELDS))} }}
"""
_ITEMS_SDL = 'type Item @key(fields: "id") { id: ID! value: Int }'


def schemas() -> dict[str, str]:
    """Return each subgraph's SDL by name."""
    others = {
        f"s{number:03}": f'type User @key(fields: "id") {{ id: ID! f{number}: Int }}' for number in range(SUBGRAPHS)
    }
    return {"root": _ROOT_SDL, "items": _ITEMS_SDL, **others}


def write_graph(folder: Path, port: int) -> Path:
    """Compose the graph of subgraphs at a port, and write it with a gateway's configuration; return the latter's path."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = [
        SubgraphSource(name=name, url=f"http://127.0.0.1:{port}/{name}", sdl=sdl) for name, sdl in schemas().items()
    ]
    supergraph = compose(sources).supergraph_sdl
    assert supergraph is not None
    (folder / "supergraph.graphql").write_text(supergraph)
    config = folder / "concord.toml"
    lines = ["[server]", "port = 0", "[state]", f"directory = {json.dumps(str(folder / 'state'))}"]
    lines += ["[supergraph]", f"path = {json.dumps(str(folder / 'supergraph.graphql'))}", "[plans]", "remembered = 0"]
    lines += [
        "[access]",
        'policy = "development"',
        "[limits]",
        "in_flight = 10_000",  # more than there are connections: what is refused costs next to nothing
        "[events]",
        f"contracts = {json.dumps(str(ROOT / 'schema/events'))}",
    ]
    config.write_text("\n".join(lines) + "\n")
    return config


class Answers(asyncio.Protocol):
    """Answers fetches. Speaks as much HTTP/1.1 as the gateway's client does."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the line."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end]
            length = int(re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)[1])  # type: ignore[index]  # it has one
            if len(self._received) < end + 4 + length:
                return
            body = self._received[end + 4 : end + 4 + length]
            self._received = self._received[end + 4 + length :]
            answer = _answer(head.split(b" ", 2)[1][1:].decode(), orjson.loads(body))
            self._transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                % (len(answer), answer)
            )


@cache
def _written() -> tuple[bytes, Sequence[int]]:
    """Return the JSON of all rows, commas between, and where each row ends: answers of any length are parts of it."""
    rows = [orjson.dumps({"id": str(number), "text": _ROW}) for number in range(ROWS)]
    return b",".join(rows), list(accumulate(len(row) + 1 for row in rows))


def _rows(count: int) -> bytes:
    text, ends = _written()
    return b'{"data":{"rows":[%b]}}' % text[: ends[count - 1] - 1]


def _answer(subgraph: str, body: Mapping[str, Any]) -> bytes:
    variables, query = body["variables"], body["query"]
    if subgraph == "root":
        if "rows" in query:
            return _rows(variables["n"])
        if "items" in query:
            data: dict[str, Any] = {
                "items": [{"__typename": "Item", "id": str(number)} for number in range(variables["n"])]
            }
        elif "wide" in query:
            data = {"wide": dict.fromkeys(re.findall(r"\bf\d+\b", query), 1)}
        else:
            data = {"user": {"__typename": "User", "id": "1"}}
    else:
        name = "value" if subgraph == "items" else f"f{int(subgraph[1:])}"
        data = {"_entities": [{name: 1} for _ in variables["representations"]]}
    return orjson.dumps({"data": data})
