"""Asks a running gateway, for commands that show and steer what it does."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Self

import httpx2
import orjson
import typer
from rich.console import Console
from rich.markup import escape

from gateway.settings import SettingsRefused, load_settings

UrlOption = Annotated[
    str | None,
    typer.Option("--url", envvar="CONCORD_URL", help="The gateway's address; by default the configured one."),
]
TokenOption = Annotated[
    str | None, typer.Option("--token", envvar="CONCORD_TOKEN", help="A bearer token, where the gateway asks for one.")
]
_TIMEOUT_S = 40.0
_SILENCE_S = 60.0
_RETRY_S = 1.0


class GraphRefused(Exception):  # noqa: N818 - reads as what it is
    """The gateway refused an operation. `code` is of the registry."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@contextmanager
def refusals_told() -> Iterator[None]:
    """Print what the gateway refuses, and exit with 1."""
    try:
        yield
    except GraphRefused as refused:
        Console(stderr=True).print(f"[red]✗[/red] {escape(str(refused))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from refused


class GraphClient:
    """A gateway's GraphQL endpoint."""

    def __init__(self, config: Path, url: str | None, token: str | None) -> None:
        """Raises SettingsRefused where neither the configuration nor the caller names an address."""
        if url is None:
            server = load_settings(config).server
            host = "127.0.0.1" if server.host in ("0.0.0.0", "::") else server.host  # noqa: S104 - compared, not bound
            url = f"http://[{host}]:{server.port}" if ":" in host else f"http://{host}:{server.port}"
        if token is not None and not (token.isascii() and token.isprintable()):
            raise SettingsRefused(("A token has letters, digits and punctuation of ASCII only.",))
        self._url = f"{url.rstrip('/')}/graphql"
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        self._http = httpx2.Client(timeout=_TIMEOUT_S, trust_env=False, headers=headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def ask(self, document: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the data. Raises GraphRefused for the first error, SettingsRefused where no gateway answers."""
        try:
            reply = self._http.post(self._url, json={"query": document, "variables": dict(variables or {})})
            answer = orjson.loads(reply.content)
            return _data(answer)
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise SettingsRefused((f"No gateway answers at {self._url}: {error}",)) from error

    def watch(self, document: str, variables: Mapping[str, Any], cursor: str | None) -> Iterator[dict[str, Any]]:
        """Yield the data of each event of a subscription, for ever; a lost connection is resumed where it broke.

        Raises GraphRefused when the gateway refuses or ends it, SettingsRefused where none answers the first time.
        """
        body = {"query": document, "variables": dict(variables)}
        was_connected = False
        while True:
            headers = {"accept": "text/event-stream"} | ({} if cursor is None else {"last-event-id": cursor})
            try:
                with self._http.stream("POST", self._url, json=body, headers=headers, timeout=_SILENCE_S) as reply:
                    if reply.is_error or "text/event-stream" not in reply.headers.get("content-type", ""):
                        _data(orjson.loads(reply.read()))
                        raise ValueError("it does not stream")
                    was_connected = True
                    for event in _read_events(reply.iter_lines()):
                        cursor = event.get("id") or cursor
                        if event.get("event") == "complete":
                            return
                        if event.get("data"):
                            yield _data(orjson.loads(event["data"]))
            except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
                if not was_connected:
                    raise SettingsRefused((f"No gateway answers at {self._url}: {error}",)) from error
            time.sleep(_RETRY_S)


def _data(answer: Any) -> dict[str, Any]:
    """Return an answer's data. Raises GraphRefused for its first error, ValueError where it is no answer of GraphQL."""
    match answer:
        case {"errors": [{"message": str(message), **more}, *_]}:
            extensions = more.get("extensions")
            raise GraphRefused((extensions if isinstance(extensions, dict) else {}).get("code", "UNKNOWN"), message)
        case {"data": dict(data)} if data:
            return data
        case _:
            raise ValueError("what it says is no answer of GraphQL")


def _read_events(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """Yield each server-sent event as its fields."""
    fields: dict[str, str] = {}
    for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif fields:
            yield fields
            fields = {}
