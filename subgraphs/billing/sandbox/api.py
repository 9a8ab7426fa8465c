"""Stripe's API over HTTP: key, route, idempotency, transaction, expansion, error object."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Callable, Mapping

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from subgraphs.billing.sandbox.account import API_VERSION, Account, Cause
from subgraphs.billing.sandbox.errors import CardDeclined, StripeError
from subgraphs.billing.sandbox.expansion import expand_into
from subgraphs.billing.sandbox.form import parse_form
from subgraphs.billing.sandbox.params import Params
from subgraphs.billing.sandbox.routes import Match, match
from subgraphs.billing.sandbox.store import StripeObject

_MAX_KEY_LENGTH = 255
_KEPT_STATUSES = frozenset({200, 402})
"""Refused parameters are not kept under an idempotency key, so that they can be mended and sent again."""


class StripeApi:
    """The ASGI application. One request is one transaction; requests don't overlap, as nothing here awaits in between."""

    def __init__(self, account: Account, secret_key: str, announce: Callable[[StripeObject], None]) -> None:
        """`announce` gets every event once the request that caused it is committed."""
        self._account = account
        self._secret_key = secret_key
        self._announce = announce

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body = (await request.body()).decode("utf-8", "replace")
        response = self._answer(request.method, request.url.path, request.url.query, body, request.headers)
        await response(scope, receive, send)

    def _answer(self, method: str, path: str, query: str, body: str, headers: Mapping[str, str]) -> Response:
        request_id = f"req_{secrets.token_hex(7)}"
        key = headers.get("idempotency-key") if method in {"POST", "DELETE"} else None
        extra = {"request-id": request_id, "stripe-version": headers.get("stripe-version", API_VERSION)}
        try:
            self._authenticate(headers.get("authorization", ""))
            found = match(method, path)
            if found is None:
                raise StripeError.unknown_url(method, path)
            if key is not None and not 0 < len(key) <= _MAX_KEY_LENGTH:
                raise StripeError.invalid("Idempotency keys must be between 1 and 255 characters.")
            # Stripe takes parameters from the query of a GET or DELETE and from the body of a POST.
            text = body if method == "POST" or (method == "DELETE" and body) else query
            if key is None:
                status, content = self._carry_out(found, text, Cause(request_id))
            else:
                fingerprint = hashlib.sha256(f"{method} {path}?{text}".encode()).hexdigest()
                remembered = self._account.store.remembered_answer(key)
                if remembered is None:
                    status, content = self._carry_out(found, text, Cause(request_id, key))
                    if status in _KEPT_STATUSES:
                        self._account.store.remember_answer(key, fingerprint, status, content, self._account.now())
                elif remembered[0] != fingerprint:
                    raise StripeError.key_reused(key)
                else:
                    _, status, content = remembered
                    extra["idempotent-replayed"] = "true"
                extra["idempotency-key"] = key
        except StripeError as error:
            status, content = error.status, orjson.dumps(error.body())
        return Response(content, status_code=status, headers=extra, media_type="application/json")

    def _carry_out(self, found: Match, text: str, cause: Cause) -> tuple[int, bytes]:
        account = self._account.caused_by(cause)
        try:
            params = Params(parse_form(text))
            expand = params.strings("expand")
            with account.store.transaction():
                try:
                    answer = found.endpoint(account, params, *found.ids)
                    params.finish()
                    status, answer = 200, expand_into(account.store, answer, expand)
                except CardDeclined as declined:
                    status, answer = declined.status, declined.body()
        except StripeError as error:
            return error.status, orjson.dumps(error.body())
        for event in account.emitted:
            self._announce(event)
        return status, orjson.dumps(answer)

    def _authenticate(self, authorization: str) -> None:
        scheme, _, credentials = authorization.strip().partition(" ")
        match scheme.lower():
            case "bearer":
                key: str | None = credentials.strip()
            case "basic":
                try:
                    key = base64.b64decode(credentials, validate=True).decode().partition(":")[0]
                except (binascii.Error, UnicodeDecodeError):
                    key = None
            case _:
                key = None
        if key is None or not secrets.compare_digest(key.encode(), self._secret_key.encode()):
            raise StripeError.unauthorized(key)
