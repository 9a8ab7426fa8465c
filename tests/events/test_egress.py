"""Where events may go: hosts that are named, at addresses that are public or named too, whatever a name's owner makes of it."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from gateway.events.egress import Egress, EgressRefused
from gateway.events.outbound import outbound_client

NAMES = {
    "hooks.example": ["203.0.113.9"],
    "metadata.example": ["169.254.169.254"],
    "inner.example": ["10.1.2.3"],
    "loop.example": ["127.0.0.1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "translated.example": ["64:ff9b::a9fe:a9fe"],
    "local6.example": ["fe80::1"],
    "unique6.example": ["fd00::7"],
    "nothing.example": ["0.0.0.0"],
}


@pytest.mark.parametrize("host", sorted(NAMES.keys() - {"hooks.example"}))
async def test_a_name_that_leads_inside_is_not_called(host):
    """The receiver listens on this machine: a name that is resolved to it, in whatever spelling, must not reach it."""
    egress = Egress({f"{host}:*", host, *NAMES})
    async with outbound_client(egress, resolver=_resolved) as http:
        egress.check(f"http://{host}/hook")
        with pytest.raises(httpx2.ConnectError, match="not a public one"):
            await http.post(f"http://{host}/hook", json={})


async def _resolved(host, _port):
    return NAMES[host]


async def test_what_is_looked_at_is_what_is_connected_to():
    """A name that leads elsewhere when it is asked for the second time is asked once."""
    asked = []

    async def rebinding(host, port):
        asked.append(host)
        return ["127.0.0.2"] if len(asked) == 1 else ["169.254.169.254"]

    server = await asyncio.start_server(_answer, "127.0.0.2", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, outbound_client(Egress({"hooks.example"}, ["127.0.0.0/8"]), resolver=rebinding) as http:
        response = await http.post(f"http://hooks.example:{port}/hook", json={})
        assert (response.status_code, response.text, asked) == (200, "taken", ["hooks.example"])


async def _answer(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\ntaken")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example@evil.example/",
        "http://hooks.example\\.evil.example/",
        "http://evil.example/?hooks.example",
        "http://evil.example#@hooks.example",
        "http://hooks.example.evil.example/",
        "http://hooks.exаmple/",  # noqa: RUF001 - a Cyrillic letter, on purpose
        "http://2130706433/",
        "http://0x7f.1/",
        "file:///etc/passwd",
        "gopher://hooks.example/",
        "http://hooks.example:x/",
        "http://hooks.example/\r\nx: y",
        "//hooks.example/",
        "",
    ],
)
def test_urls_that_only_look_allowed_are_refused(url):
    with pytest.raises(EgressRefused):
        Egress({"hooks.example"}).check(url)


def test_what_is_allowed_by_name_or_number():
    egress = Egress({"hooks.example", "*.partner.example", "127.0.0.1:9000", "localhost"}, ["10.0.0.0/8"])
    for url in (
        "https://hooks.example/x?y=z",
        "http://a.b.partner.example:8443/",
        "http://127.0.0.1:9000/",
        "http://localhost:1/",
    ):
        egress.check(url)
    for host, address in (
        ("hooks.example", "93.184.216.34"),
        ("hooks.example", "10.9.8.7"),
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("localhost", "::1"),
    ):
        egress.check_address(host, address)
    with pytest.raises(EgressRefused):
        egress.check_address("hooks.example", "127.0.0.1")
