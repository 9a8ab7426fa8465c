"""The query page's built files: stored gzipped, read when a browser asks for one, validated by ETag."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from gateway.errors import GatewayError
from gateway.transport.asgi import Receive, Scope, Send, read_headers
from gateway.transport.exchange import begin
from gateway.transport.respond import accepts_gzip, respond_refused, send_body
from gateway.transport.settings import CorsSettings

_FOLDER = Path(__file__).parent / "assets"
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


def find_assets() -> Mapping[str, Path]:
    """Return where the built files are, by the name a browser asks for."""
    found = ((file.name.removesuffix(".gz"), file) for file in sorted(_FOLDER.iterdir()))
    return {name: file for name, file in found if name.rpartition(".")[2] in _MEDIA_TYPES}


def read_asset(name: str, file: Path) -> Asset:
    """Read a file. It is not kept: hardly any process is asked for it twice."""
    content = file.read_bytes()
    gzipped = content if file.suffix == ".gz" else gzip.compress(content, mtime=0)
    etag = b'"%b"' % sha256(content).hexdigest()[:32].encode()
    return Asset(_MEDIA_TYPES[name.rpartition(".")[2]], gzipped, etag)


async def serve_asset(scope: Scope, receive: Receive, send: Send, assets: Mapping[str, Path]) -> None:
    """Answer a GET for the file named by the path's last segment."""
    headers = read_headers(scope["headers"])
    name = scope["path"].rpartition("/")[2]
    file = assets.get(name)
    refused = None
    if scope["type"] != "http" or file is None:
        refused = GatewayError("NOT_FOUND", "There is nothing at this path.")
    elif scope["method"] not in {"GET", "HEAD"}:
        refused = GatewayError("METHOD_NOT_ALLOWED", "Use GET.", headers={"Allow": "GET, HEAD"})
    if refused is not None or file is None:
        await respond_refused(begin(scope, receive, send, CorsSettings()), refused or GatewayError("NOT_FOUND"))
        return
    asset = await asyncio.to_thread(read_asset, name, file)
    caching = [(b"etag", asset.etag), (b"cache-control", b"no-cache"), (b"vary", b"accept-encoding")]
    if headers.get("if-none-match", "").encode("latin-1") == asset.etag:
        await send({"type": "http.response.start", "status": 304, "headers": caching})
        await send({"type": "http.response.body", "body": b""})
    elif accepts_gzip(headers):
        await send_body(send, 200, asset.media_type, asset.gzipped, [*caching, (b"content-encoding", b"gzip")])
    else:
        await send_body(send, 200, asset.media_type, gzip.decompress(asset.gzipped), caching)
