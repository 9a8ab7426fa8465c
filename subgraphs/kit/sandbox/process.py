"""A sandbox as a process: the vendor's application behind the fault middleware, beside the `/__sandbox` control routes.

@asynccontextmanager
async def start(settings: CrmSandboxSettings) -> AsyncIterator[Sandbox]:
    state = State.open(settings.state_dir / "hubspot.sqlite")
    …
    yield Sandbox(app=vendor_app, webhooks=sender)

def main() -> None:
    run_sandbox("crm", CrmSandboxSettings, start)
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import orjson
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from subgraphs.kit.background import background
from subgraphs.kit.process import serve
from subgraphs.kit.sandbox.changes import Changes
from subgraphs.kit.sandbox.faults import CONTROL_PREFIX, FaultMiddleware, Faults
from subgraphs.kit.sandbox.settings import SandboxSettings
from subgraphs.kit.sandbox.webhooks import WebhookSender

SettingsT = TypeVar("SettingsT", bound=SandboxSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A started sandbox."""

    app: ASGIApp
    """Speaks the vendor's API."""
    webhooks: WebhookSender | None = None
    too_many_requests: Callable[[], Response] | None = None
    """The vendor's own way to refuse when `rateLimitPerS` is exceeded."""
    changes: Changes | None = None
    """What people can be made to do at this vendor."""


Start = Callable[[SettingsT], AbstractAsyncContextManager[Sandbox]]


def create_sandbox_app(settings: SettingsT, start: Start[SettingsT]) -> ASGIApp:
    """Return the sandbox's application; `start` is entered before the first request and left after the last."""
    running: FaultMiddleware | None = None

    async def vendor(scope: Scope, receive: Receive, send: Send) -> None:
        assert running is not None
        await running(scope, receive, send)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        nonlocal running
        async with start(settings) as sandbox:
            if sandbox.too_many_requests is None:
                running = FaultMiddleware(sandbox.app)
            else:
                running = FaultMiddleware(sandbox.app, too_many_requests=sandbox.too_many_requests)
            app.router.routes[:0] = [Mount(CONTROL_PREFIX, routes=_control(running, sandbox))]
            loops = [sandbox.webhooks.deliver_forever] if sandbox.webhooks else []
            async with background(*loops):
                yield

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return _Unwrapped(Starlette(routes=[Route("/health", health)], lifespan=lifespan), vendor)


class _Unwrapped:
    """Sends vendor requests straight to the fault middleware, since Starlette's own middlewares hide the connection."""

    def __init__(self, control: ASGIApp, vendor: ASGIApp) -> None:
        self._control = control
        self._vendor = vendor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_control = scope["type"] != "http" or scope["path"] == "/health" or scope["path"].startswith(CONTROL_PREFIX)
        await (self._control if is_control else self._vendor)(scope, receive, send)


def _control(faults: FaultMiddleware, sandbox: Sandbox) -> list[Route]:
    webhooks = sandbox.webhooks

    async def get_or_put_faults(request: Request) -> Response:
        if request.method == "PUT":
            try:
                faults.faults = Faults.model_validate_json(await request.body())
            except ValidationError as error:
                return Response(error.json(include_input=False, include_url=False), 400, media_type="application/json")
        return JSONResponse(faults.faults.model_dump(mode="json", by_alias=True))

    async def get_or_delete_requests(request: Request) -> Response:
        if request.method == "DELETE":
            faults.requests.clear()
            faults.bytes_sent = 0
        counted = {"total": faults.requests.total(), "byRoute": dict(faults.requests), "bytes": faults.bytes_sent}
        return JSONResponse(counted)

    async def redeliver(request: Request) -> Response:
        try:
            asked = orjson.loads(await request.body() or b"{}")
        except orjson.JSONDecodeError:
            asked = None
        count = asked.get("last", 1) if isinstance(asked, dict) else None
        if not isinstance(count, int) or webhooks is None:
            return JSONResponse({"message": 'Send {"last": 1} to a sandbox that has webhooks.'}, 400)
        return JSONResponse({"redelivered": webhooks.redeliver(count)})

    return [
        Route("/faults", get_or_put_faults, methods=["GET", "PUT"]),
        Route("/requests", get_or_delete_requests, methods=["GET", "DELETE"]),
        Route("/redeliver", redeliver, methods=["POST"]),
        (sandbox.changes or Changes([], seed=0, next_number=int)).route(),
    ]


def run_sandbox(
    name: str, settings_type: type[SettingsT], start: Start[SettingsT], arguments: Sequence[str] | None = None
) -> None:
    """Serve the sandbox as this process; `--seed`, `--customers` and `--port` override the environment. Ends by SystemExit."""
    parser = argparse.ArgumentParser(prog=f"python -m subgraphs.{name}.sandbox", description=f"The {name} sandbox.")
    for option in ("seed", "customers", "port", "today"):
        parser.add_argument(f"--{option}")
    given = {key: value for key, value in vars(parser.parse_args(arguments)).items() if value is not None}
    try:
        settings = settings_type(**given)
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            sys.stderr.write(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}\n")
        raise SystemExit(2) from error
    raise SystemExit(serve(create_sandbox_app(settings, start), host=settings.host, port=settings.port))
