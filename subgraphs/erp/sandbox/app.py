"""The sandbox as a process: `python -m subgraphs.erp.sandbox`, on port 4104 unless told otherwise, database `erp`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from subgraphs.erp.sandbox.business import Business
from subgraphs.erp.sandbox.changes import ErpChanges
from subgraphs.erp.sandbox.fill import fill
from subgraphs.erp.sandbox.models import leave_out
from subgraphs.erp.sandbox.rpc import Rpc
from subgraphs.erp.sandbox.server import Server, page
from subgraphs.erp.sandbox.tables import Tables
from subgraphs.kit.company.generate import generate
from subgraphs.kit.sandbox.changes import Changes
from subgraphs.kit.sandbox.process import Sandbox, run_sandbox
from subgraphs.kit.sandbox.settings import SandboxSettings
from subgraphs.kit.sandbox.state import State

DATABASE = "erp"


class ErpSandboxSettings(SandboxSettings):
    """Settings from `CONCORD_ERP_SANDBOX_…`; `token` is the application key of REST."""

    model_config = SettingsConfigDict(env_prefix="CONCORD_ERP_SANDBOX_")

    port: int = 4104
    state_dir: Path = Path(".concord/erp-sandbox")
    login: str = "concord"
    password: SecretStr = SecretStr("sandbox-password")
    """Of the user that RPC logs in."""
    without: tuple[str, ...] = ()
    """Fields that it shall not have, as a Tryton without their module: `["party.party.credit_limit_amount"]`."""


@asynccontextmanager
async def start(settings: ErpSandboxSettings) -> AsyncIterator[Sandbox]:
    """Open the books, filled once per seed, size and day."""
    state = State.open(settings.state_dir / "tryton.sqlite")
    tables = Tables(state)
    # Without a day in the settings the books go on over days: they are not thrown away at midnight.
    fingerprint = f"{settings.seed}:{settings.customers}:{settings.today or ''}"
    if state.begin_filling(fingerprint):
        with tables.transaction():
            fill(tables, generate(settings.seed, settings.customers, settings.history_end))
            state.end_filling(fingerprint)
    leave_out(settings.without)
    business = Business(tables)
    rpc = Rpc(business, login=settings.login, password=settings.password.get_secret_value())
    server = Server(business, rpc, database=DATABASE, application_key=settings.token.get_secret_value())
    changes = Changes(
        ErpChanges(tables, rpc).makers(), seed=settings.seed, next_number=lambda: state.next_number("simulated_change")
    )
    try:
        yield Sandbox(app=server.app, too_many_requests=lambda: page(429), changes=changes)
    finally:
        state.close()


def main() -> None:
    """Serve until SIGTERM."""
    run_sandbox("erp", ErpSandboxSettings, start)
