"""`python coverage_guided.py <target> …`: a fuzzer that is led by which of our code its inputs reach (atheris).

Targets: `requests` (the HTTP protocol), `answers` (the client's), `documents` (limits, parsing, validation), `readers` (every
parser that takes bytes or a text). The options of libFuzzer follow: `-max_total_time=60`.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / name) for name in ("access", "erp", "kit", "systems", "crm", "billing")]

import atheris  # noqa: E402 - finds what the tests share
from graphql import GraphQLSyntaxError, parse  # noqa: E402 - as above

with atheris.instrument_imports(include=["gateway", "subgraphs"]):
    import fuzz_vendor_readers  # noqa: F401 - it adds to the readers
    import test_http_bytes as http
    from fuzz_readers import READERS
    from http_wire import Requests, Wire

    from gateway.access.admit import admit, admit_text
    from gateway.access.limits import Limits
    from gateway.errors import GatewayError, RequestRefused

KNOWN = http.known_heads()


def answers(data: bytes) -> None:
    cut = data[0] if data else 0
    fresh = http.received(http.known_heads(), [data])
    http.received(KNOWN, [data])
    assert http.received(KNOWN, [data]) == fresh
    http.received(KNOWN, http.pieces(data, [cut]))


def documents(data: bytes) -> None:
    text = data.decode(errors="replace")
    try:
        admit_text(text, Limits())
        admit(parse(text, no_location=True), Limits())
    except (GatewayError, RequestRefused, GraphQLSyntaxError):
        return


def requests(wire: Wire) -> Callable[[bytes], None]:
    def one(data: bytes) -> None:
        if not Requests(data).can_be_compared:
            return
        at_once = wire.ask([data])
        assert wire.ask([data]) == at_once
        assert all(status < 500 for status, _ in at_once)

    return one


def readers(data: bytes) -> None:
    for name in TEXTS:
        reader = READERS[name]
        with contextlib.suppress(reader.refusals):
            reader.read(data if name in BYTES else data.decode("latin-1"))


BYTES = {"body of a POST", "query string", "key set", "manifest of trusted documents", "revocations", "batch of events",
         "documents of the last stop", "configuration", "supergraph", "HubSpot's webhook", "Stripe's webhook"}  # fmt: skip
TEXTS = sorted(BYTES | {"Accept", "content type", "token", "cursor of events", "cursor of a list", "global id", "caller's header",
                        "WebSocket message", "Stripe's signature", "signature between processes", "address to call",
                        "cursor of a subgraph's list"})  # fmt: skip


def main() -> None:
    target, options = sys.argv[1], sys.argv[2:]
    with tempfile.TemporaryDirectory() as place:
        corpus = Path(place, "corpus")
        corpus.mkdir()
        seeds = {"requests": http.SEEDS, "answers": http.ANSWERS}.get(
            target, [b"query Q($v: Int = 1) { a(b: $v) ...F } fragment F on T { b }"]
        )
        for number, seed in enumerate(seeds):
            (corpus / str(number)).write_bytes(seed)
        run = {"answers": answers, "documents": documents, "readers": readers}.get(target)
        if run is None:
            wire = Wire(Path(place))
            for each in http.SEEDS:
                wire.ask([each])
            run = requests(wire)
        atheris.Setup([sys.argv[0], f"-artifact_prefix={place}/", "-max_len=4096", *options, str(corpus)], run)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
