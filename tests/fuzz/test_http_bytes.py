"""Laws of the HTTP protocol's two ways to read a request, and of the client's two ways to read an answer.

A head that was seen before is known by its bytes and never parsed again. So the same bytes must be answered alike the first
time and the second, and however the network cuts them into pieces.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from fuzz_inputs import bent, fuzzed
from http_wire import Requests, Wire, token, wire
from hypothesis import assume, example, given
from hypothesis import strategies as st

from gateway.upstream.connection import Connection
from gateway.upstream.reading import KnownHeads
from gateway.upstream.transport import HttpReply, NoAnswer, TooLarge

FEW, MANY = token().encode(), token(scope="see").encode()
OPEN, GUARDED = b'{"query":"{ open who }"}', b'{"query":"{ open guarded who }"}'
VARIABLE = b'{"query":"query($t: String) { open(text: $t) }","variables":{"t":"x"}}'


def post(body: bytes, *lines: bytes) -> bytes:
    head = [b"POST /graphql HTTP/1.1", b"host: x", b"content-type: application/json", *lines]
    return b"\r\n".join([*head, b"content-length: %d" % len(body), b"", body])


def chunked(body: bytes) -> bytes:
    return (
        b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    )


SEEDS = [
    post(OPEN),
    post(GUARDED),
    post(GUARDED, b"authorization: Bearer " + FEW),
    post(GUARDED, b"Authorization: Bearer " + MANY),
    post(OPEN, b"AUTHORIZATION: Bearer " + FEW),
    post(OPEN, b"authorization:Bearer " + FEW),
    post(OPEN, b"authorization: Bearer " + FEW, b"authorization: Bearer " + MANY),
    post(VARIABLE, b"accept: application/json", b"x-correlation-id: a"),
    post(OPEN) + post(GUARDED, b"authorization: Bearer " + MANY),
    post(OPEN, b"connection: close") + post(OPEN),
    chunked(GUARDED) + post(OPEN),
    b"GET /graphql?query=%7Bopen%7D HTTP/1.1\r\nhost: x\r\n\r\n" + post(OPEN),
    b"OPTIONS /graphql HTTP/1.1\r\nhost: x\r\norigin: http://y\r\n\r\n" + b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n",
]
WORDS = [b"authorization: ", b"Authorization: Bearer " + FEW, b"AUTHORIZATION:Bearer " + MANY, b"\r\ntransfer-encoding: chunked", b" ",
         b"\r\ncontent-length: 5", b"\r\nhost: y", b"\r\ncontent-encoding: gzip", b"POST /graphql HTTP/1.1\r\n", b"\t", b"\r\n\r\n0\r\n\r\n",
         b"HTTP/1.0", b"\r\nx-api-key: k", b"\r\naccept: text/html", post(OPEN)]  # fmt: skip


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with wire(tmp_path_factory.mktemp("keys")) as opened:
        for each in SEEDS:
            opened.ask([each])
        yield opened


def pieces(text: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[begin:end] for begin, end in itertools.pairwise(places)] or [b""]


@fuzzed
@given(sent=bent(SEEDS, WORDS), cuts=st.lists(st.integers(0, 10_000), max_size=4))
@example(sent=SEEDS[4], cuts=[])
@example(sent=SEEDS[5], cuts=[])
@example(sent=SEEDS[6], cuts=[])
@example(sent=SEEDS[8], cuts=[70])
@example(sent=b"PUT /graphql HTTP/1.1\r\nhost: x\r\n\r\n", cuts=[3])
def test_the_same_bytes_are_answered_alike_however_often_and_in_whatever_pieces(
    gate: Wire, sent: bytes, cuts: list[int]
) -> None:
    asked = Requests(sent)
    assume(asked.can_be_compared)
    at_once = gate.ask([sent])
    assert gate.ask([sent]) == at_once
    in_pieces = gate.ask(pieces(sent, cuts))
    if asked.is_broken:
        # What isn't HTTP ends the connection at once, before what came with it is answered.
        assert all(a == b for a, b in zip(at_once[:-1], in_pieces[:-1], strict=False))
        assert not at_once or at_once[-1][0] == 400 or at_once == in_pieces[: len(at_once)]
    else:
        assert in_pieces == at_once
    for status, body in at_once:
        assert status < 500
        if status >= 400:
            assert body["errors"][0]["extensions"]["code"] != "INTERNAL_SERVER_ERROR"


def test_an_answer_under_credentials_is_never_given_without(gate: Wire) -> None:
    """Whatever the spelling of the header, who may see less is never taken for nobody, who may see all here."""
    for name in (b"authorization: ", b"Authorization: ", b"AUTHORIZATION: ", b"authorization:", b"authorizatioN:\t"):
        for _ in range(3):
            ((status, answer),) = gate.ask([post(OPEN, name + b"Bearer " + FEW)])
            assert (status, answer) == (200, {"data": {"open": "open None", "who": "ada"}}), name
            ((status, answer),) = gate.ask([post(GUARDED, name + b"Bearer " + FEW)])
            assert (status, answer["data"]) == (200, {"open": "open None", "guarded": None, "who": "ada"}), name


# ── Answers of subgraphs ────────────────────────────────────────────────────────────────────────────────────────


class Wanted:
    """Where an answer goes: it is told once how the request ended."""

    def __init__(self) -> None:
        self.outcome: HttpReply | NoAnswer | TooLarge | None = None

    def take(self, outcome: HttpReply | NoAnswer | TooLarge) -> None:
        assert self.outcome is None
        self.outcome = outcome

    fail = take_large = take


class Place:
    """Where connections are between requests."""

    waiting = ()

    def __init__(self) -> None:
        self.idle: list[Connection] = []

    def wake_one(self) -> None:
        """Nobody waits."""

    def lost(self, connection: Connection, /) -> None:
        if connection in self.idle:
            self.idle.remove(connection)


class Line(asyncio.Transport):
    def __init__(self) -> None:
        self.closed = False

    def write(self, data: Any) -> None:
        """Nobody reads it."""

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def known_heads() -> KnownHeads:
    return KnownHeads(4096)


def received(known: KnownHeads, text: Sequence[bytes]) -> tuple[HttpReply | str, bool]:
    """Return what a connection made of bytes that came in these pieces before the end; and whether it can be used again."""
    place = Place()
    connection = Connection(known, place)
    line, wanted = Line(), Wanted()
    connection.connection_made(line)
    connection.send(b"POST", wanted)
    for piece in text:
        if not line.closed:
            connection.data_received(piece)
    if wanted.outcome is None and not line.closed:
        connection.eof_received()
        line.closed = True
    is_usable = connection in place.idle and not line.closed
    if line.closed:
        connection.connection_lost(None)
    outcome = wanted.outcome
    assert isinstance(outcome, HttpReply | NoAnswer | TooLarge)
    return outcome if isinstance(outcome, HttpReply) else type(outcome).__name__, is_usable


def answer(body: bytes, *lines: bytes, status: bytes = b"200 OK") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 " + status, b"content-type: application/json", *lines, b"", body])


ANSWERS = [
    answer(b'{"data":1}', b"content-length: 10"),
    answer(b"4\r\n1234\r\n3;x=y\r\n567\r\n0\r\ntrailer: 1\r\n\r\n", b"transfer-encoding: chunked"),
    answer(b'{"data":1}', b"connection: close"),
    answer(b"", b"content-length: 0", status=b"204 No Content"),
    b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"{}", b"content-length: 2"),
    answer(b"{}", b"content-length: 2") + answer(b"[]", b"content-length: 2"),
    answer(b"{}", b"content-length: 2", b"transfer-encoding: chunked"),
    answer(b" " * 5000, b"content-length: 5000"),
]
ANSWER_WORDS = [b"\r\ncontent-length: 3", b"\r\ntransfer-encoding: chunked", b"0\r\n\r\n", b"HTTP/1.0 200", b"\r\nconnection: close",
                b"fffffffffffffffff\r\n", b"HTTP/1.1 199 X\r\n\r\n", b"\r\nupgrade: h2c"]  # fmt: skip
KNOWN = known_heads()


@fuzzed
@given(sent=bent(ANSWERS, ANSWER_WORDS), cuts=st.lists(st.integers(0, 10_000), max_size=4))
@example(sent=ANSWERS[0], cuts=[])
@example(sent=ANSWERS[5], cuts=[90])
@example(sent=b"\r\n\r\n" + ANSWERS[0], cuts=[])
@example(sent=ANSWERS[0] + b"\r\n", cuts=[])
def test_an_answer_is_read_alike_whether_its_head_is_known_and_in_whatever_pieces(sent: bytes, cuts: list[int]) -> None:
    fresh, is_usable = received(known_heads(), [sent])
    received(KNOWN, [sent])
    again = received(KNOWN, [sent])
    assert again == (fresh, is_usable)
    for known in (known_heads(), KNOWN):
        in_pieces, is_usable_after = received(known, pieces(sent, cuts))
        if fresh != in_pieces:
            # Which fault is seen first, or that too much came after an answer, depends on the pieces.
            failed = [each for each in (fresh, in_pieces) if isinstance(each, str)]
            assert len(failed) == 2 or (failed == ["TooLarge"] and len(sent) > 4096)
        # A connection over which more came than was asked for may be noticed late, but only while nobody waits on it.
        assert is_usable_after >= is_usable
