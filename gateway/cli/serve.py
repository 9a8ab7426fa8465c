"""`concord serve`: the gateway alone, as one process or several."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from gateway.cli.options import CONFIG, ConfigOption
from gateway.cli.worker_process import worker_command, worker_environment


def serve(
    config: ConfigOption = CONFIG,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes behind the port: one for each core.")] = 1,
) -> None:
    """Serve the composed graph until Ctrl-C or SIGTERM; requests in flight are finished first.

    Example: `CONCORD_SERVER__PORT=4100 concord serve --config schema/concord.toml`
    """
    if workers > 1:
        from gateway.cli.workers import serve_with_workers  # noqa: PLC0415 - one worker does without

        serve_with_workers(config, workers)
        return
    sys.stdout.flush()
    # The same process goes on without the command line's libraries.
    os.execve(sys.executable, worker_command(config), worker_environment())  # noqa: S606 - ourselves
