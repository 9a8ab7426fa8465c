"""The HTTP client of one system of record: authenticated, counted, within the deadline, and typed in its failures.

    async with VendorClient(vendor="hubspot", system="crm", base_url=url, headers={"authorization": f"Bearer {token}"}) as client:
        reply = await client.read("POST", "/crm/v3/objects/companies/batch/read", json={"inputs": [{"id": "1"}]})
        reply = await client.write("PATCH", "/crm/v3/objects/companies/1", json={"properties": {"name": "Acme"}})

`read` is repeated on failures that may pass; `write` is sent once, unless `idempotency_header` lets the vendor tell repeats.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2
import orjson

from subgraphs.kit.api_budget import ApiBudget
from subgraphs.kit.credential import Credential, is_of_tls
from subgraphs.kit.current_request import current_request
from subgraphs.kit.system_error import (
    NotFoundError,
    Outcome,
    VendorAuthError,
    VendorBadResponseError,
    VendorError,
    VendorRateLimitedError,
    VendorTimeoutError,
    VendorUnavailableError,
)
from subgraphs.kit.vendor_reply import VendorReply, vendor_error
from subgraphs.kit.write_effects import note_effect

ItemT = TypeVar("ItemT")
CursorT = TypeVar("CursorT")

Params = Mapping[str, str | int | Sequence[str]]
_BACKOFF_S = (0.1, 0.4, 1.0)
_PASSING = {"SYSTEM_UNAVAILABLE", "SYSTEM_TIMEOUT", "SYSTEM_RATE_LIMITED", "SYSTEM_ERROR"}


class VendorClient:
    """One vendor's connection pool. Enter it once per process; safe for concurrent requests."""

    def __init__(
        self,
        *,
        vendor: str,
        system: str,
        base_url: str,
        headers: Mapping[str, str] | None = None,
        auth: httpx2.Auth | None = None,
        credential: Credential | None = None,
        budget: ApiBudget | None = None,
        timeout_s: float = 10.0,
        retries: int = 2,
        max_bytes: int = 16 * 1024 * 1024,
        max_connections: int = 16,
        idempotency_header: str | None = None,
        words: Callable[[VendorReply], str | None] | None = None,
        meaning: Callable[[VendorReply], int] | None = None,
    ) -> None:
        """`vendor` names the counter (`hubspot`), `system` the errors (`crm`); `timeout_s` bounds one attempt.

        `credential` gives the headers of a token that may run out; `budget` is asked before each request. `words` picks the part of a refusal that may be shown
        to a client; by default none is. `meaning` gives the status that HTTP has for a refusal, where the vendor answers
        with another: Salesforce says 403 when its rate is exceeded.
        """
        self.vendor = vendor
        self.system = system
        self.requests_total: Counter[str] = Counter()
        """Requests sent since start, by method and outcome: `{"GET 200": 12, "POST 429": 1}`."""
        self._timeout_s = timeout_s
        self._retries = retries
        self._max_bytes = max_bytes
        self._idempotency_header = idempotency_header
        self._words = words or (lambda _reply: None)
        self._meaning = meaning or (lambda reply: reply.status)
        self.credential = credential
        self.budget = budget
        self._http = httpx2.AsyncClient(
            base_url=base_url,
            headers={"accept": "application/json", "user-agent": "concord", **(headers or {})},
            auth=auth,
            timeout=None,  # the whole attempt is bounded instead: `asyncio.timeout` below
            follow_redirects=False,
            trust_env=False,
            limits=httpx2.Limits(max_connections=max_connections, max_keepalive_connections=max_connections),
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def read(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> VendorReply:
        """Return a 2xx reply to a request without effects, whatever its method. Raises VendorError.

        Repeated after failures that may pass, while the deadline allows. `content` is an already encoded body (a form;
        name its type in `headers`).
        """
        if content is None:
            content = None if json is None else orjson.dumps(json)
            headers = _json_headers(headers, content)
        return await self._request(method, path, params, content, headers or {}, is_write=False, keyed=False)

    async def write(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        refused: Callable[[VendorReply], VendorError | None] | None = None,
    ) -> VendorReply:
        """Return a 2xx reply to a request with effects. Raises VendorError, whose `outcome` says what became of it.

        `content` is an already encoded body (a form; name its type in `headers`). Repeated only if the vendor
        honours `idempotency_key`. `refused` gives what a 2xx reply of a vendor that refuses in the body amounts to.
        """
        if json is not None:
            content = orjson.dumps(json)
            headers = _json_headers(headers, content)
        keyed = self._idempotency_header is not None and idempotency_key is not None
        if self._idempotency_header is not None and idempotency_key is not None:
            headers = {**(headers or {}), self._idempotency_header: idempotency_key}
        reply = await self._request(method, path, params, content, headers or {}, is_write=True, keyed=keyed)
        error = refused(reply) if refused is not None else None
        if error is None or error.outcome is not Outcome.NOT_APPLIED:
            note_effect()
        if error is not None:
            raise error
        return reply

    async def _request(
        self,
        method: str,
        path: str,
        params: Params | None,
        content: bytes | None,
        headers: Mapping[str, str],
        *,
        is_write: bool,
        keyed: bool,
    ) -> VendorReply:
        if not _stays(path):
            # Whatever a client made of an id, it names nothing there, and leads nowhere else.
            raise NotFoundError("There is no such object.", outcome=Outcome.NOT_APPLIED if is_write else None)
        request = self._http.build_request(method, path, params=params, content=content, headers=headers)
        attempt = 0
        is_renewed = False
        in_doubt = False
        while True:
            try:
                return await self._attempt(request, is_write=is_write, keyed=keyed)
            except VendorAuthError as error:
                error.outcome = Outcome.UNKNOWN if in_doubt else error.outcome
                # A token that ran out did nothing, so a write may follow with the next one.
                is_ours = error.reply is not None and error.reply.status == 401
                if self.credential is None or is_renewed or not is_ours:
                    raise
                is_renewed = self.credential.refused(request.headers)
                if not is_renewed:
                    raise
                continue
            except VendorError as error:
                never_applied = error.outcome is Outcome.NOT_APPLIED and error.retryable
                if is_write and error.outcome is not Outcome.NOT_APPLIED and not in_doubt:
                    in_doubt = True
                    note_effect()
                if in_doubt:
                    error.outcome = Outcome.UNKNOWN  # of the attempts together
                may_repeat = error.code in _PASSING and (not is_write or keyed or never_applied)
                pause_s = _pause_s(error, attempt)
                if not may_repeat or attempt >= self._retries or not _fits(pause_s):
                    raise
            attempt += 1
            await asyncio.sleep(pause_s)

    async def _attempt(self, request: httpx2.Request, *, is_write: bool, keyed: bool) -> VendorReply:
        current = current_request()
        remaining_s = current.remaining_s() if current else None
        limit_s = self._timeout_s if remaining_s is None else min(self._timeout_s, remaining_s)
        sent = False

        async def notice_sending(event: str, _info: Mapping[str, Any]) -> None:
            nonlocal sent
            sent = sent or event.endswith("send_request_headers.started")

        def outcome() -> Outcome | None:
            if not is_write:
                return None
            return Outcome.UNKNOWN if sent else Outcome.NOT_APPLIED

        def repeatable() -> bool:
            # The client may repeat a write with its own key even if the vendor has none: the kit remembers the key.
            return not is_write or not sent or keyed or bool(current and current.idempotency_key)

        request.extensions = {**request.extensions, "trace": notice_sending}
        label = "no answer"
        try:
            async with asyncio.timeout(limit_s):
                if self.budget is not None:
                    label = "not sent"
                    await self.budget.spend(self.system)
                    label = "no answer"
                if current:
                    current.vendor_requests[self.vendor] += 1
                if self.credential is not None:
                    request.headers.update(await self.credential.headers(self._http))
                response = await self._http.send(request, stream=True)
                try:
                    raw = await self._receive(response, is_write=is_write)
                finally:
                    await response.aclose()
            label = str(response.status_code)
        except TimeoutError as error:
            raise VendorTimeoutError(
                f"The {self.system} system did not answer in time.",
                system=self.system,
                retryable=repeatable(),
                outcome=outcome(),
            ) from error
        except VendorError as error:
            if error.outcome is None:
                error.outcome = outcome()  # no token, nothing sent
            raise
        except httpx2.DecodingError as error:
            raise self._bad_response("its encoding can't be read", is_write=is_write) from error
        except httpx2.TransportError as error:
            raise VendorUnavailableError(
                f"The {self.system} system can't be reached.",
                system=self.system,
                retryable=repeatable() and not is_of_tls(error),
                outcome=outcome(),
            ) from error
        finally:
            self.requests_total[f"{request.method} {label}"] += 1
        try:
            return self._parse(response, raw, is_write=is_write, has_key=repeatable())
        except VendorRateLimitedError as error:
            if self.budget is not None:
                await self.budget.heed(error.retry_after_ms)
            raise

    async def _receive(self, response: httpx2.Response, *, is_write: bool) -> bytes:
        received = bytearray()
        async for piece in response.aiter_bytes():
            received += piece
            if len(received) > self._max_bytes:
                raise self._bad_response("it is too large", is_write=is_write)
        return bytes(received)

    def _parse(self, response: httpx2.Response, raw: bytes, *, is_write: bool, has_key: bool) -> VendorReply:
        headers = {name.lower(): value for name, value in response.headers.items()}
        is_success = 200 <= response.status_code < 300
        body: Any = None
        if raw:
            try:
                body = orjson.loads(raw)
            except orjson.JSONDecodeError as error:
                if is_success:
                    raise self._bad_response("it is not JSON", is_write=is_write) from error
                body = raw[:2000].decode(errors="replace")
        reply = VendorReply(status=response.status_code, headers=headers, body=body)
        if is_success:
            return reply
        said = self._words(reply) if 400 <= reply.status < 500 else None
        means = self._meaning(reply)
        raise vendor_error(
            reply if means == reply.status else replace(reply, status=means),
            system=self.system,
            is_write=is_write,
            has_key=has_key,
            said=said[:240] if said else None,
        )

    def _bad_response(self, why: str, *, is_write: bool) -> VendorBadResponseError:
        return VendorBadResponseError(
            f"The {self.system} system's answer can't be used: {why}.",
            system=self.system,
            retryable=not is_write,
            outcome=Outcome.UNKNOWN if is_write else None,
        )


async def pages(
    fetch: Callable[[CursorT | None], Awaitable[tuple[Sequence[ItemT], CursorT | None]]], *, max_pages: int = 10_000
) -> AsyncIterator[Sequence[ItemT]]:
    """Yield page after page. `fetch(cursor)` returns one page and the next cursor; None ends it, as does a cursor that repeats.

    Raises VendorBadResponseError after `max_pages`, so that a vendor that never ends can't hold us.
    """
    cursor: CursorT | None = None
    for _ in range(max_pages):
        items, following = await fetch(cursor)
        yield items
        if following is None or following == cursor:
            return
        cursor = following
    raise VendorBadResponseError("The list of the system does not end.")


async def items(page_iterator: AsyncIterator[Sequence[ItemT]]) -> list[ItemT]:
    """Return the items of all pages."""
    return [item async for page in page_iterator for item in page]


def _stays(path: str) -> bool:
    """Whether a path leads where it seems to: no step up or back, in whatever spelling."""
    steps = path.partition("?")[0].lower().replace("%2e", ".").split("/")
    return path.isprintable() and "\\" not in path and not {".", ".."}.intersection(steps)


def _json_headers(headers: Mapping[str, str] | None, content: bytes | None) -> Mapping[str, str]:
    return {**({} if content is None else {"content-type": "application/json"}), **(headers or {})}


def _pause_s(error: VendorError, attempt: int) -> float:
    if error.retry_after_ms is not None:
        return error.retry_after_ms / 1000
    return _BACKOFF_S[min(attempt, len(_BACKOFF_S) - 1)] * (0.5 + random.random())  # noqa: S311 - jitter


def _fits(pause_s: float) -> bool:
    """Whether a pause leaves time for another attempt: within the deadline, or within 30 s in the background."""
    current = current_request()
    remaining_s = current.remaining_s() if current else None
    return pause_s < (30.0 if remaining_s is None else remaining_s)


def monotonic_deadline(milliseconds: int) -> float:
    """Return the instant of `time.monotonic()` that is `milliseconds` away."""
    return time.monotonic() + milliseconds / 1000
