"""What the vendor client makes of every way a system of record can answer or not answer."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator

import pytest
from kit_server import ScriptedVendor, cut_short, hang_up, silence
from starlette.responses import Response

from subgraphs.kit.current_request import CurrentRequest, serving
from subgraphs.kit.system_error import NotFoundError, VendorBadResponseError, VendorError
from subgraphs.kit.vendor_client import VendorClient, items, monotonic_deadline, pages

SECRET = "sk_canary_1234567890"


def client(url: str, **options: object) -> VendorClient:
    defaults: dict[str, object] = {"timeout_s": 0.4, "retries": 0}
    headers = {"authorization": f"Bearer {SECRET}"}
    return VendorClient(vendor="acme", system="erp", base_url=url, headers=headers, **(defaults | options))  # type: ignore[arg-type]


@pytest.fixture
async def acme(vendor: ScriptedVendor, vendor_url: str) -> AsyncIterator[VendorClient]:
    async with client(vendor_url) as http:
        yield http


def answer(status: int, body: bytes = b'{"message": "canary"}', **headers: str) -> Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(body, status, headers=names, media_type="application/json")


TABLE = [
    # what the vendor does, code, then (retryable, outcome) of a read, a write, and a write with a client's key
    (answer(400), "SYSTEM_REJECTED", (False, None), (False, "NOT_APPLIED"), (False, "NOT_APPLIED")),
    (answer(422), "SYSTEM_REJECTED", (False, None), (False, "NOT_APPLIED"), (False, "NOT_APPLIED")),
    (answer(401), "SYSTEM_AUTH_FAILED", (False, None), (False, "NOT_APPLIED"), (False, "NOT_APPLIED")),
    (answer(403), "SYSTEM_AUTH_FAILED", (False, None), (False, "NOT_APPLIED"), (False, "NOT_APPLIED")),
    (answer(404), "NOT_FOUND", (False, None), (False, "NOT_APPLIED"), (False, "NOT_APPLIED")),
    (answer(409), "CONFLICT", (False, None), (False, "NOT_APPLIED"), (False, "NOT_APPLIED")),
    (answer(412), "CONFLICT", (False, None), (False, "NOT_APPLIED"), (False, "NOT_APPLIED")),
    (answer(429), "SYSTEM_RATE_LIMITED", (True, None), (True, "NOT_APPLIED"), (True, "NOT_APPLIED")),
    (answer(500), "SYSTEM_ERROR", (True, None), (False, "UNKNOWN"), (True, "UNKNOWN")),
    (answer(502), "SYSTEM_UNAVAILABLE", (True, None), (False, "UNKNOWN"), (True, "UNKNOWN")),
    (answer(503), "SYSTEM_UNAVAILABLE", (True, None), (False, "UNKNOWN"), (True, "UNKNOWN")),
    (answer(503, retry_after="7"), "SYSTEM_UNAVAILABLE", (True, None), (True, "NOT_APPLIED"), (True, "NOT_APPLIED")),
    (answer(504), "SYSTEM_TIMEOUT", (True, None), (False, "UNKNOWN"), (True, "UNKNOWN")),
    (answer(302, location="http://elsewhere.example"), "SYSTEM_BAD_RESPONSE", (True, None), (False, "UNKNOWN"), (False, "UNKNOWN")),
    (answer(200, b"<html>"), "SYSTEM_BAD_RESPONSE", (True, None), (False, "UNKNOWN"), (False, "UNKNOWN")),
    (answer(200, b'"' + b"x" * 2000 + b'"'), "SYSTEM_BAD_RESPONSE", (True, None), (False, "UNKNOWN"), (False, "UNKNOWN")),
    (hang_up, "SYSTEM_UNAVAILABLE", (True, None), (False, "UNKNOWN"), (True, "UNKNOWN")),
    (cut_short, "SYSTEM_UNAVAILABLE", (True, None), (False, "UNKNOWN"), (True, "UNKNOWN")),
    (silence, "SYSTEM_TIMEOUT", (True, None), (False, "UNKNOWN"), (True, "UNKNOWN")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("does", "code", "read", "write", "keyed"), TABLE, ids=[f"{n}-{row[1]}" for n, row in enumerate(TABLE)]
)
async def test_every_failure_has_its_code_and_says_what_became_of_a_write(
    vendor: ScriptedVendor, vendor_url: str, does: object, code: str, read: object, write: object, keyed: object
) -> None:
    vendor.script.extend([does] * 3)
    seen = []
    async with client(vendor_url, max_bytes=1000) as http:
        for method, key in (("GET", None), ("POST", None), ("POST", "a-key")):
            with serving(CurrentRequest(idempotency_key=key)), pytest.raises(VendorError) as failed:
                await (http.read(method, "/x") if method == "GET" else http.write(method, "/x", json={}))
            error = failed.value
            assert (error.code, error.system) == (code, "erp")
            assert SECRET not in error.message
            assert "canary" not in error.message
            assert "127.0.0.1" not in error.message
            seen.append((error.retryable, error.outcome))
    assert seen == [read, write, keyed]
    assert len(vendor.asked) == 3


async def test_what_was_never_sent_was_not_applied() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with client(f"http://127.0.0.1:{taken.getsockname()[1]}") as http:
            with pytest.raises(VendorError) as failed:
                await http.write("POST", "/x", json={})
    assert failed.value.extensions == {
        "code": "SYSTEM_UNAVAILABLE",
        "retryable": True,
        "system": "erp",
        "outcome": "NOT_APPLIED",
    }


async def test_reads_are_repeated_and_writes_are_not(vendor: ScriptedVendor, vendor_url: str) -> None:
    async with client(vendor_url, retries=2) as http:
        vendor.script.extend([answer(503), hang_up, answer(200, b'{"ok": 1}')])
        with serving(CurrentRequest()) as request:
            assert (await http.read("GET", "/x")).body == {"ok": 1}
        assert dict(request.vendor_requests) == {"acme": 3}
        vendor.script.extend([answer(500)])
        with pytest.raises(VendorError):
            await http.write("POST", "/x", json={})
        assert len(vendor.asked) == 4
        assert http.requests_total == {"GET 503": 1, "GET no answer": 1, "GET 200": 1, "POST 500": 1}


async def test_a_write_is_repeated_under_a_key_that_the_vendor_honours(vendor: ScriptedVendor, vendor_url: str) -> None:
    vendor.script.extend([cut_short, answer(200, b"{}")])
    async with client(vendor_url, retries=2, idempotency_header="Idempotency-Key") as http:
        await http.write("POST", "/x", json={}, idempotency_key="k")
    assert [asked.headers.get("idempotency-key") for asked in vendor.asked] == ["k", "k"]


async def test_retry_after_is_waited_for_and_said_if_it_does_not_fit(vendor: ScriptedVendor, vendor_url: str) -> None:
    async with client(vendor_url, retries=1) as http:
        vendor.script.extend([answer(429, retry_after="0.3"), answer(200)])
        start = time.monotonic()
        with serving(CurrentRequest(deadline=monotonic_deadline(30_000))):
            await http.read("GET", "/x")
        assert time.monotonic() - start >= 0.3
        vendor.script.extend([answer(429, retry_after="60")])
        deadline = monotonic_deadline(30_000)
        with serving(CurrentRequest(deadline=deadline)), pytest.raises(VendorError) as limited:
            await http.read("GET", "/x")
        assert limited.value.retry_after_ms == 60_000
        assert time.monotonic() < deadline


async def test_the_requests_deadline_shrinks_over_attempts(vendor: ScriptedVendor, vendor_url: str) -> None:
    vendor.script.extend([silence] * 5)
    async with client(vendor_url, timeout_s=0.2, retries=9) as http:
        with serving(CurrentRequest(deadline=monotonic_deadline(500))), pytest.raises(VendorError) as late:
            await http.read("GET", "/x")
        assert late.value.code == "SYSTEM_TIMEOUT"
        assert len(vendor.asked) < 5


async def test_requests_of_one_caller_are_not_counted_for_another(vendor: ScriptedVendor, acme: VendorClient) -> None:
    async def ask(times: int) -> int:
        with serving(CurrentRequest()) as request:
            for _ in range(times):
                await acme.read("GET", "/x")
            return request.vendor_requests["acme"]

    assert await asyncio.gather(ask(1), ask(2), ask(3)) == [1, 2, 3]


async def test_pages_are_followed_to_the_end_and_never_in_circles() -> None:
    found = {None: ([1, 2], "a"), "a": ([3], "b"), "b": ([], None)}

    async def fetch(cursor: str | None) -> tuple[list[int], str | None]:
        return found[cursor]

    async def circle(cursor: str | None) -> tuple[list[int], str | None]:
        return [1], "a" if cursor == "b" else "b"

    assert await items(pages(fetch)) == [1, 2, 3]
    with pytest.raises(VendorBadResponseError):
        await items(pages(circle, max_pages=50))


@pytest.mark.parametrize("object_id", ["../secrets", "..", "%2e%2e/secrets", ".%2E/x", "..\\secrets", "a\r\nb"])
async def test_an_id_leads_nowhere_but_below_its_path(
    vendor: ScriptedVendor, acme: VendorClient, object_id: str
) -> None:
    for method in (acme.read, acme.write):
        with pytest.raises(NotFoundError):
            await method("GET", f"/v1/objects/{object_id}")
    assert vendor.asked == []
