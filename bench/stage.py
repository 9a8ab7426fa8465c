"""Start what a run needs: the subgraphs and the gateways, each pinned to its core."""

from __future__ import annotations

import os
import socket
import time

import typer

from bench.gateways import STARTERS
from bench.measure import Candidate, Load, WrongAnswer, check
from bench.processes import start
from bench.workplace import PLACE, Ports


def check_ports(ports: Ports, gateways: int) -> None:
    """Exit with a sentence if one of the run's ports is taken."""
    for port in range(ports.first, ports.gateway(gateways)):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                raise SystemExit(f"port {port} is taken; choose another --first-port")


def start_subgraphs(ports: Ports, pids: list[int], *, core: int, late_ms: float) -> None:
    """Start the four subgraphs and the front that answers for them."""
    directory, log = PLACE / "subgraphs", PLACE / "logs"
    backend = ("node", "backend.js", str(ports.backend))
    front = (str(PLACE / "fastsub"), str(ports.subgraphs), str(ports.backend), str(int(late_ms * 1000)))
    for name, command, port in (("backend", backend, ports.backend), ("fastsub", front, ports.subgraphs)):
        pids.append(start(command, core=core, directory=directory, environment={}, log=log / f"{name}.log"))
        _wait_for_port(port)


def _wait_for_port(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"nothing listens on port {port}; see {PLACE / 'logs'}")


def start_gateways(names: list[str], ports: Ports, pids: list[int], load: Load) -> list[Candidate]:
    """Start gateways and return those that answer as expected, noting each process id at once."""
    candidates = []
    for index, name in enumerate(names):
        port = ports.gateway(index)
        gateway = STARTERS[name][0](port)
        log = PLACE / "logs" / f"{name}.log"
        pid = start(
            gateway.command,
            core=load.gateway_core,
            directory=gateway.directory,
            environment=gateway.environment,
            log=log,
        )
        pids.append(pid)
        candidate = Candidate(gateway=gateway, port=port, pid=pid)
        try:
            check(candidate, load)
        except WrongAnswer as wrong:
            typer.echo(f"  {name} is left out: {wrong} (see {os.path.relpath(log)})")
        else:
            candidates.append(candidate)
    if not candidates:
        raise SystemExit("no gateway answers")
    return candidates
