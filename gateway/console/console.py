"""GraphiQL over the gateway's own endpoint: one HTML page and the files it loads."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.console.asset import find_assets, serve_asset
from gateway.errors import GatewayError
from gateway.transport.asgi import ASGIApp, Receive, Scope, Send
from gateway.transport.exchange import begin
from gateway.transport.respond import respond_refused, send_body
from gateway.transport.settings import CorsSettings

_POLICY = "; ".join(  # noqa: FLY002 - a list to read
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # the editor positions its lines with style attributes
        "font-src 'self' data:",
        "img-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
{styles}
</head>
<body style="margin:0">
<div id="graphiql" style="height:100dvh" data-endpoint="{endpoint}" data-assets="{assets}" data-query="{query}"></div>
<noscript>This page needs JavaScript. The endpoint itself is {endpoint}.</noscript>
<script type="module" src="{assets}page.js"></script>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Console:
    """The two applications that make the query page."""

    page: ASGIApp
    """The HTML page, for `/` and for browsers that open the endpoint."""
    assets: ASGIApp
    """Its files, for everything below `assets_path`."""


_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
"""As `html.escape` does, whose module holds the names of all characters, for as long as the process lives."""


def console(
    *, endpoint: str = "/graphql", assets_path: str = "/console/", query: str = "", title: str = "Concord"
) -> Console:
    """Return the query page for `endpoint`. `query` is what a newcomer finds in the editor."""
    assets = find_assets()
    styles = sorted((name for name in assets if name.endswith(".css")), key=lambda name: (name == "page.css", name))
    html = _PAGE.format(
        title=title.translate(_ESCAPED),
        styles="\n".join(f'<link rel="stylesheet" href="{assets_path.translate(_ESCAPED)}{name}">' for name in styles),
        endpoint=endpoint.translate(_ESCAPED),
        assets=assets_path.translate(_ESCAPED),
        query=query.translate(_ESCAPED),
    ).encode()
    headers = (
        (b"content-security-policy", _POLICY.encode()),
        (b"referrer-policy", b"no-referrer"),
        (b"cache-control", b"no-cache"),
        (b"vary", b"accept"),
    )

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}:
            await send_body(send, 200, b"text/html; charset=utf-8", html, headers)
            return
        error = GatewayError("METHOD_NOT_ALLOWED", "Use GET.", headers={"Allow": "GET, HEAD"})
        await respond_refused(begin(scope, receive, send, CorsSettings()), error)

    async def serve_assets(scope: Scope, receive: Receive, send: Send) -> None:
        await serve_asset(scope, receive, send, assets)

    return Console(page, serve_assets)
