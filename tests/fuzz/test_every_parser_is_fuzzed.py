"""No parser of outside bytes is left out: what parses is found in the code, and each module of it is given bent input by a test."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import fuzz_vendor_readers  # noqa: F401 - it adds to the readers
from fuzz_readers import READERS, ROOT

PARSES = {
    "loads", "b64decode", "urlsafe_b64decode", "fromisoformat", "parse_qs", "parse_qsl", "deserialize_compact", "decompressobj",
    "Decompressor", "unpack_from", "HttpResponseParser", "HttpRequestParser", "parsedate_to_datetime", "urlsplit", "Decoder",
}  # fmt: skip

ELSEWHERE = {
    "gateway/transport/http_protocol.py": "tests/fuzz/test_http_bytes.py",
    "gateway/transport/fast_post.py": "tests/fuzz/test_http_bytes.py",
    "gateway/upstream/reading.py": "tests/fuzz/test_http_bytes.py",
    "gateway/upstream/websocket_stream.py": "tests/fuzz/test_messages_of_subgraphs.py",
    "gateway/federation/operation/prepare.py": "tests/fuzz/test_documents.py",
    "gateway/federation/composition/model/link.py": "tests/fuzz/test_readers.py",
    "gateway/cache/cached_entities.py": "tests/execution/test_rubbish_never_crashes.py",
    "gateway/execution/typed_fetch.py": "tests/execution/test_typed_equals.py",
    "gateway/execution/typed_plan.py": "tests/execution/test_typed_equals.py",
    "gateway/execution/typed_plain.py": "tests/execution/test_typed_equals.py",
    "gateway/execution/typed_slices.py": "tests/execution/test_typed_equals.py",
    "gateway/execution/message.py": "tests/execution/test_typed_equals.py",
    "gateway/transport/single_connection.py": "tests/transport/test_hostile_http.py",
}
"""Module → the tests that give it bad input in another way than the readers."""

OWN = {
    "gateway/access/settings.py": "URLs of the configuration: `gateway/settings.py` reads it",
    "gateway/upstream/settings.py": "as above",
    "gateway/upstream/lean_transport.py": "as above",
    "subgraphs/identity/": "rows of our own database; what comes in is read by `crosswalk_routes.py`",
    "gateway/telemetry/siblings.py": "what another process of this gateway counts",
    "gateway/upstream/shared_streams.py": "events that `websocket_stream.py` and `sse_stream.py` have read",
    "gateway/events/redis_": "rows of our own Redis, written by `event.py`",
    "gateway/events/sqlite_log.py": "rows of our own database",
    "gateway/events/replay_job.py": "as above",
    "gateway/events/source_watch.py": "as above",
    "gateway/events/event.py": "instants that `contracts.py` has checked",
    "gateway/execution/merge.py": "what it has written itself a moment before",
    "gateway/events/broken_contract.py": "asks of `contracts.py` only",
    "gateway/events/contract_changes.py": "files of this repository, for `concord events check`",
    "gateway/graph/dead_letter": "what `ingest.py` kept",
    "gateway/writes/reconciliation/": "rows of our own database, and answers that the executor has checked",
    "gateway/writes/workflows/": "as above",
    "subgraphs/billing/agreements.py": "input that the schema's scalars have checked",
    "subgraphs/billing/drafts.py": "rows of our own database",
    "subgraphs/billing/vendors/stripe_": "metadata that we wrote ourselves, and rows of the mirror; objects are read by `stripe_mapping.py`",
    "subgraphs/crm/lifecycle.py": "rows of the projection",
    "subgraphs/crm/vendors/salesforce_changes.py": "a mark that we kept ourselves",
    "subgraphs/erp/events/": "rows of our own database",
    "subgraphs/erp/vendors/tryton_": "months and days that we wrote ourselves; rows are read by `tryton_mapping.py`",
    "subgraphs/kit/crosswalk.py": "the identity subgraph's answer, of this product",
    "subgraphs/kit/outbox.py": "the gateway's answer to events",
    "subgraphs/kit/idempotent_write.py": "rows of our own database",
    "subgraphs/kit/projection.py": "as above",
    "subgraphs/kit/webhook.py": "as above",
    "subgraphs/kit/conformance/": "a tool for those who write adaptors",
}
"""Beginnings of modules' names → why what they parse does not come from outside."""


def parsers() -> Iterator[str]:
    for folder in ("gateway", "subgraphs"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if "/sandbox/" in name or "/examples/" in name or "/company/" in name or name.startswith("gateway/cli/"):
                continue  # what plays a vendor, shows how, makes up data or is typed by whoever runs it
            tree = ast.parse(path.read_text())
            for node in ast.walk(tree):
                if isinstance(node, ast.Call):
                    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                    if called in PARSES:
                        yield name
                        break


def test_each_module_that_parses_what_comes_from_outside_is_given_bent_input() -> None:
    covered = {each.covers for each in READERS.values()} | ELSEWHERE.keys()
    found = set(parsers())
    left = {name for name in found - covered if not name.startswith(tuple(OWN))}
    assert left == set(), "add a reader to fuzz_readers.py, or say whose the bytes are"
    assert {name for name in covered if not (ROOT / name).exists()} == set()
    assert {name for name in ELSEWHERE.values() if not (ROOT / name).exists()} == set()
    assert {name for name in OWN if not any(each.startswith(name) for each in found)} == set(), "nothing there parses"
