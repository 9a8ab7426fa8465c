"""`concord up`: the whole product on this machine, from sandboxes to the gateway, in one command."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from shutil import which
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gateway.access.settings import AccessPolicy
from gateway.cli.local_issuer import local_issuer, make_keys
from gateway.cli.options import CONFIG, ConfigOption
from gateway.cli.processes import ProcessFailed, ProcessPlan, Supervisor
from gateway.cli.secrets import internal_secret, local_secret
from gateway.cli.state_directory import claimed
from gateway.cli.synchronising import until_synchronised
from gateway.cli.worker_process import worker_environment
from gateway.settings import Settings, SettingsRefused, load_settings
from gateway.settings_tables import ProcessSettings

_REFERENCE = re.compile(r"\$\{(secret|url):([^}]+)\}")


def up(
    config: ConfigOption = CONFIG,
    customers: Annotated[int | None, typer.Option(min=1, max=20_000, help="Customers in the sandboxes.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the believable company.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the state of earlier runs first.")] = False,
) -> None:
    """Start the systems of record, their subgraphs and the gateway, and keep them running until Ctrl-C.

    Example: `concord up --customers 500 --seed 11 --fresh`
    """
    settings = load_settings(config)
    with claimed(settings.state.directory):
        if fresh:
            _forget(settings.state.directory)
        _run(settings, config, {"CUSTOMERS": customers, "SEED": seed})


def _run(settings: Settings, config: Path, sandbox: dict[str, int | None]) -> None:
    console = Console()
    directory = settings.state.directory
    issuer = local_issuer(settings)
    if issuer is not None:
        make_keys(issuer)
    plans = tuple(_process_plans(settings, config, sandbox))
    status = console.status(f"Starting {len(plans)} processes…")

    def ready(name: str, url: str, seconds: float) -> None:
        console.print(f"[green]✓[/green] {name:<18} {url:<36} {seconds:5.1f} s", highlight=False)

    def restarted(name: str, exit_status: int, pause: float) -> None:
        console.print(
            f"[yellow]![/yellow] {name} ended with status {exit_status}; starting it again in {pause:.1f} s "
            f"(log: {directory / 'logs' / f'{name}.log'})",
            highlight=False,
        )

    supervisor = Supervisor(plans, directory / "logs", ready, restarted)

    async def all_ready() -> None:
        subgraphs = {name: supervisor.urls[name] for name, each in settings.processes.items() if not _is_sandbox(each)}
        missing = await until_synchronised(
            subgraphs,
            lambda waiting: status.update(f"Synchronising {', '.join(waiting)}: {' '.join(waiting.values())}"),
        )
        status.stop()
        for name, told in missing.items():
            console.print(
                f"[yellow]![/yellow] {name} is not synchronised yet: {told} Answers that may be short of its customers "
                "say so with SYSTEM_SYNCHRONISING.",
                highlight=False,
            )
        console.print(_welcome(supervisor.urls["gateway"], settings))

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await supervisor.run(stop, all_ready)

    status.start()
    try:
        asyncio.run(run())
    except ProcessFailed as failed:
        status.stop()
        console.print(f"[red]✗[/red] {failed.name} {failed.reason}. Its last words ({failed.log}):", highlight=False)
        for line in failed.tail:
            console.print(f"    {line}", highlight=False, markup=False)
        raise typer.Exit(1) from None
    finally:
        status.stop()


def _process_plans(settings: Settings, config: Path, sandbox: dict[str, int | None]) -> Iterator[ProcessPlan]:
    directory = settings.state.directory
    gateway_url = f"http://{settings.server.host}:{settings.server.port}"

    _check_order(settings, config)
    for name, process in settings.processes.items():
        # As with all settings, what stands in the environment counts more than what stands in the file.
        environment = {
            key: os.environ.get(key) or _resolve(value, settings, name) for key, value in process.environment.items()
        }
        prefix = process_prefix(process)
        environment |= {f"{prefix}PORT": str(process.port), f"{prefix}STATE_DIR": str(directory / name)}
        if _is_sandbox(process):
            environment |= {f"{prefix}{key}": str(value) for key, value in sandbox.items() if value is not None}
        yield ProcessPlan(name=name, module=process.module, environment=environment, after=process.after)
    yield ProcessPlan(
        name="gateway",
        module="gateway.cli.worker",
        arguments=(str(config),),
        environment={
            **worker_environment(),
            "CONCORD_SECRETS__INTERNAL": internal_secret(settings),
            "CONCORD_GATEWAY_URL": gateway_url,
        },
        after=tuple(settings.processes),
    )


def _is_sandbox(process: ProcessSettings) -> bool:
    return process.module.endswith(".sandbox")


def _check_order(settings: Settings, config: Path) -> None:
    """Raise SettingsRefused if a process waits for one that is none, or for itself by way of others."""
    for name, process in settings.processes.items():
        for other in process.after:
            if other not in settings.processes:
                raise SettingsRefused((f"{config}: `processes.{name}.after` names `{other}`, which is no process.",))
    try:
        TopologicalSorter({name: process.after for name, process in settings.processes.items()}).prepare()
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        raise SettingsRefused((f"{config}: processes wait for each other by `after`: {circle}.",)) from error


def process_prefix(process: ProcessSettings) -> str:
    """Return the prefix of a process's environment variables: `subgraphs.crm.sandbox` → `CONCORD_CRM_SANDBOX_`."""
    parts = process.module.removeprefix("subgraphs.").removesuffix(".app").split(".")
    return "CONCORD_" + "_".join(parts).upper() + "_"


def _resolve(value: str, settings: Settings, process: str) -> str:
    def replace(match: re.Match[str]) -> str:
        kind, name = match.groups()
        if kind == "secret":
            return internal_secret(settings) if name == "internal" else local_secret(settings.state.directory, name)
        if name == "gateway":
            return f"http://{settings.server.host}:{settings.server.port}"
        if name not in settings.processes:
            raise SettingsRefused((f"`processes.{process}.environment` refers to `{name}`, which is no process.",))
        return f"http://127.0.0.1:{settings.processes[name].port}"

    return _REFERENCE.sub(replace, value)


def _forget(directory: Path) -> None:
    for path in sorted(directory.glob("*/*"), reverse=True):
        if path.suffix in {".sqlite", ".sqlite-wal", ".sqlite-shm", ".log"}:
            path.unlink()


def _as_typed() -> str:
    """Return how the command is called in the shell that this was started from: by its path, where its name finds nothing."""
    return "concord" if which("concord") else sys.argv[0]


def _welcome(url: str, settings: Settings) -> Table:
    table = Table(title="Concord is up", show_header=False, title_justify="left")
    table.add_row("Query page", f"{url}/")
    table.add_row("GraphQL", f"{url}/graphql")
    table.add_row("Logs", str(settings.state.directory / "logs"))
    if settings.access.policy is AccessPolicy.DEVELOPMENT:
        table.add_row("Access", "development policy: without credentials, everything is allowed")
    table.add_row("Make something happen", f"{_as_typed()} simulate")
    table.add_row("Stop", "Ctrl-C")
    return table
