"""OAuth of the org: client credentials for a session that ends without telling, and the check of its token."""

from __future__ import annotations

import hmac
import secrets
import time
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from subgraphs.crm.sandbox.salesforce.refusal import Refusal

TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - a path


class Sessions:
    """The sessions of one connected app."""

    def __init__(self, client_id: str, secret: str, *, lasts_s: float) -> None:
        self._client_id = client_id
        self._secret = secret
        self._lasts_s = lasts_s
        self._ends: dict[str, float] = {}

    def route(self) -> Route:
        """Return the token endpoint."""
        return Route(TOKEN_PATH, self._exchange, methods=["POST"])

    async def _exchange(self, request: Request) -> Response:
        form = {name: values[-1] for name, values in parse_qs((await request.body()).decode(errors="replace")).items()}
        if form.get("grant_type") != "client_credentials":
            return JSONResponse(
                {"error": "unsupported_grant_type", "error_description": "grant type not supported"}, 400
            )
        is_ours = hmac.compare_digest(form.get("client_secret", "").encode(), self._secret.encode())
        if form.get("client_id") != self._client_id or not is_ours:
            return JSONResponse({"error": "invalid_client", "error_description": "invalid client credentials"}, 400)
        token = f"00Dxx!{secrets.token_urlsafe(24)}"
        self._ends[token] = time.monotonic() + self._lasts_s
        # Like Salesforce, without `expires_in`: a client learns by a 401 that its session is over.
        return JSONResponse(
            {
                "access_token": token,
                "instance_url": f"{request.url.scheme}://{request.url.netloc}",
                "id": f"{request.url.scheme}://{request.url.netloc}/id/00Dxx0000000001EAA/0050000000000001AAA",
                "token_type": "Bearer",
                "issued_at": str(int(time.time() * 1000)),
                "signature": "c2FuZGJveA==",
            }
        )

    def is_open(self, authorization: bytes) -> bool:
        """Whether a header carries a session that goes on."""
        ends = self._ends.get(authorization.decode(errors="replace").removeprefix("Bearer "))
        return ends is not None and time.monotonic() < ends


class SessionRequired:
    """Refuses requests without a session, but for those that ask for one."""

    def __init__(self, app: ASGIApp, sessions: Sessions) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != TOKEN_PATH:
            authorization = dict(scope["headers"]).get(b"authorization", b"")
            if not self._sessions.is_open(authorization):
                refusal = Refusal(401, "INVALID_SESSION_ID", "Session expired or invalid")
                await JSONResponse(refusal.to_json(), 401)(scope, receive, send)
                return
        await self._app(scope, receive, send)
