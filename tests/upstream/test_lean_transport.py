"""What the lean transport promises beyond a single request: kept connections, and never another request's answer."""

import asyncio

import pytest
from scripted_subgraph import hangs, reply, sends

from gateway.upstream.lean_transport import LeanTransport
from gateway.upstream.transport import NoAnswer, NotSent, TooLarge

HEADERS = [("content-type", "application/json")]
BODY = b'{"query":"{a}"}'


@pytest.fixture
async def lean(subgraphs):
    transports = []

    def make(**options):
        transports.append(LeanTransport(subgraphs["a"].url, **options))
        return transports[-1]

    yield make
    for transport in transports:
        await transport.aclose()


async def test_a_connection_is_kept_and_shared_out(lean, subgraphs):
    transport = lean()
    subgraphs["a"].say = lambda request: {"data": 1}
    for _ in range(3):
        reply_ = await transport.post(HEADERS, BODY, 30)
        assert (reply_.status, reply_.headers["content-type"], reply_.body) == (200, "application/json", b'{"data": 1}')
    assert (subgraphs["a"].connections, len(subgraphs["a"].requests)) == (1, 3)
    await asyncio.gather(*(transport.post(HEADERS, BODY, 30) for _ in range(4)))
    assert subgraphs["a"].connections == 4


async def test_no_more_connections_than_allowed_and_everybody_gets_a_turn(lean, subgraphs):
    transport = lean(max_connections=2)
    subgraphs["a"].say = lambda request: {"data": 1}
    replies = await asyncio.gather(*(transport.post(HEADERS, BODY, 30) for _ in range(30)))
    assert {each.status for each in replies} == {200}
    assert subgraphs["a"].connections == 2

    subgraphs["a"].behave = hangs
    holding = [asyncio.create_task(transport.post(HEADERS, BODY, 30)) for _ in range(2)]
    await subgraphs["a"].got(32)
    with pytest.raises(NotSent) as late:
        await transport.post(HEADERS, BODY, 0.05)
    assert late.value.is_timeout
    waiting = asyncio.create_task(transport.post(HEADERS, BODY, 30))
    await asyncio.sleep(0)
    subgraphs["a"].behave = None
    for task in holding:
        task.cancel()
    assert (await waiting).status == 200


async def test_a_cancelled_requests_answer_is_nobody_elses(lean, subgraphs):
    transport = lean(max_connections=1)

    async def late(writer, request):
        await asyncio.sleep(0.1)
        writer.write(reply(b'"late"', connection="keep-alive"))
        await writer.drain()

    subgraphs["a"].behave = late
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.03):
            await transport.post(HEADERS, BODY, 30)
    subgraphs["a"].behave, subgraphs["a"].say = None, lambda request: "right"
    for _ in range(3):
        assert (await transport.post(HEADERS, BODY, 30)).body == b'"right"'


async def test_bytes_that_nobody_asked_for_end_the_connection(lean, subgraphs):
    transport = lean()
    twice = reply(b'"one"', connection="keep-alive") + reply(b'"injected"', connection="keep-alive")
    subgraphs["a"].behave = sends(twice)
    assert (await transport.post(HEADERS, BODY, 30)).body == b'"one"'
    subgraphs["a"].behave, subgraphs["a"].say = None, lambda request: "two"
    assert (await transport.post(HEADERS, BODY, 30)).body == b'"two"'
    assert subgraphs["a"].connections == 2


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"3\r\n", b'"ab\r\n', b'2\r\nc"\r\n0\r\n\r\n'],
        [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", b'"a', b'bc"'],
        [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-", b"length: 5\r\n\r\n", b'"abc"'],
        [b"HTTP/1.0 200 OK\r\n\r\n", b'"abc"'],
    ],
)
async def test_every_framing_of_a_body_is_read(lean, subgraphs, pieces):
    async def behave(writer, _):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.005)

    subgraphs["a"].behave = behave
    assert (await lean().post(HEADERS, BODY, 30)).body == b'"abc"'


async def test_a_connection_that_the_server_closed_is_not_used(lean, subgraphs):
    transport = lean(keep_alive_s=0.05)
    subgraphs["a"].say = lambda request: 1
    await transport.post(HEADERS, BODY, 30)
    await asyncio.sleep(0.06)
    await transport.post(HEADERS, BODY, 30)
    assert subgraphs["a"].connections == 2


async def test_endless_headers_are_cut_off(lean, subgraphs):
    subgraphs["a"].behave = sends(b"HTTP/1.1 200 OK\r\n" + b"x-long: y\r\n" * 20_000)
    with pytest.raises(NoAnswer):
        await lean().post(HEADERS, BODY, 30)


async def test_a_header_can_not_start_another(lean, subgraphs):
    with pytest.raises(NotSent):
        await lean().post([("x", "1\r\nx-injected: 2")], BODY, 30)
    assert subgraphs["a"].requests == []


def in_pieces(*pieces):
    async def behave(writer, _):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.005)

    return behave


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\n"


async def test_an_answer_whose_head_is_known_is_read_like_any_other(lean, subgraphs):
    transport = lean()

    async def read(*pieces):
        subgraphs["a"].behave = in_pieces(*pieces)
        answer = await transport.post(HEADERS, BODY, 30)
        while transport._open:  # noqa: ASYNC110 - until the connection ends, which its head did not announce
            await asyncio.sleep(0.001)
        return answer.status, answer.headers["content-type"], answer.body

    assert await read(HEAD + b'"new"') == (200, "application/json", b'"new"')
    for pieces in ([HEAD, b'"abc"'], [HEAD + b'"a', b"b", b'c"'], [HEAD[:9], HEAD[9:] + b'"abc"']):
        assert await read(*pieces) == (200, "application/json", b'"abc"')
    assert await read(HEAD + b'"abc"rubbish') == (200, "application/json", b'"abc"')
    subgraphs["a"].behave = in_pieces(HEAD + b'"a')
    with pytest.raises(NoAnswer, match="closed"):
        await transport.post(HEADERS, BODY, 30)
    subgraphs["a"].behave, subgraphs["a"].say = None, lambda request: "right"
    assert (await transport.post(HEADERS, BODY, 30)).body == b'"right"'


async def test_a_known_head_that_announces_too_much_is_refused(lean, subgraphs):
    transport = lean(max_bytes=100)
    head = HEAD.replace(b"length: 5", b"length: 99")
    subgraphs["a"].behave = in_pieces(head + b"1" * 99)
    with pytest.raises(TooLarge):
        await transport.post(HEADERS, BODY, 30)  # with its head the answer is too large
    assert (await lean(max_bytes=1000).post(HEADERS, BODY, 30)).body == b"1" * 99


async def test_time_that_is_over_is_noticed_whatever_trickles_in(lean, subgraphs):
    async def trickles(writer, _):
        writer.write(HEAD.replace(b"length: 5", b"length: 500"))
        for _ in range(400):
            writer.write(b"1")
            await writer.drain()
            await asyncio.sleep(0.01)

    subgraphs["a"].behave = trickles
    with pytest.raises(NoAnswer) as late:
        await lean().post(HEADERS, BODY, 0.1)
    assert late.value.is_timeout
    await asyncio.wait_for(subgraphs["a"].closed_by_peer.wait(), 30)


async def test_ipv6_addresses_are_reached():
    hosts = []

    async def serve(reader, writer):
        hosts.append(b"host: [::1]:" in await reader.readuntil(b"\r\n\r\n"))
        writer.write(HEAD + b'"abc"')
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "::1", 0)
    transport = LeanTransport(f"http://[::1]:{server.sockets[0].getsockname()[1]}/")
    assert (await transport.post(HEADERS, BODY, 30)).body == b'"abc"'
    assert hosts == [True]
    await transport.aclose()
    server.close()
