"""The query page's built files: kept gzipped, served from memory, validated by ETag."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

from gateway.errors import GatewayError
from gateway.transport.asgi import Receive, Scope, Send, read_headers
from gateway.transport.exchange import begin
from gateway.transport.respond import accepts_gzip, respond_refused, send_body
from gateway.transport.settings import CorsSettings

_MEDIA_TYPES = {
    "css": b"text/css; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "ttf": b"font/ttf",
    "txt": b"text/plain; charset=utf-8",
    "woff2": b"font/woff2",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, as it is stored and served."""

    media_type: bytes
    gzipped: bytes
    etag: bytes


def read_assets() -> Mapping[str, Asset]:
    """Return the built files by the name a browser asks for."""
    assets = {}
    for file in sorted(files("gateway.console").joinpath("assets").iterdir(), key=lambda each: each.name):
        content = file.read_bytes()
        name = file.name.removesuffix(".gz")
        media_type = _MEDIA_TYPES.get(name.rpartition(".")[2])
        if media_type is None:
            continue
        gzipped = content if file.name.endswith(".gz") else gzip.compress(content, mtime=0)
        assets[name] = Asset(media_type, gzipped, b'"%b"' % sha256(content).hexdigest()[:32].encode())
    return assets


async def serve_asset(scope: Scope, receive: Receive, send: Send, assets: Mapping[str, Asset]) -> None:
    """Answer a GET for the file named by the path's last segment."""
    headers = read_headers(scope["headers"])
    asset = assets.get(scope["path"].rpartition("/")[2])
    refused = None
    if scope["type"] != "http" or asset is None:
        refused = GatewayError("NOT_FOUND", "There is nothing at this path.")
    elif scope["method"] not in {"GET", "HEAD"}:
        refused = GatewayError("METHOD_NOT_ALLOWED", "Use GET.", headers={"Allow": "GET, HEAD"})
    if refused is not None or asset is None:
        await respond_refused(begin(scope, receive, send, CorsSettings()), refused or GatewayError("NOT_FOUND"))
        return
    caching = [(b"etag", asset.etag), (b"cache-control", b"no-cache"), (b"vary", b"accept-encoding")]
    if headers.get("if-none-match", "").encode("latin-1") == asset.etag:
        await send({"type": "http.response.start", "status": 304, "headers": caching})
        await send({"type": "http.response.body", "body": b""})
    elif accepts_gzip(headers):
        await send_body(send, 200, asset.media_type, asset.gzipped, [*caching, (b"content-encoding", b"gzip")])
    else:
        await send_body(send, 200, asset.media_type, gzip.decompress(asset.gzipped), caching)
