"""What of uvicorn a serving process is made of: its server and its HTTP protocol, without its command line."""

from __future__ import annotations

from gateway.bare_package import bare_package

bare_package("uvicorn", Config="uvicorn.config")
bare_package("logging.config")  # for those who let uvicorn write its own log

from uvicorn.config import Config  # noqa: E402 - once it is known how
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol  # noqa: E402
from uvicorn.server import Server, ServerState  # noqa: E402

__all__ = ["STATUS_LINE", "Config", "HttpToolsProtocol", "Server", "ServerState"]
