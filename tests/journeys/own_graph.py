"""The command line in a folder of somebody's own, outside the checkout."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONCORD = Path(sys.executable).with_name("concord")


def concord(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `concord` in a folder until it ends."""
    return subprocess.run(
        [str(CONCORD), *arguments],
        cwd=folder,
        env=surroundings(environment),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@contextmanager
def serving(
    folder: Path, *arguments: str, stopped_by: signal.Signals = signal.SIGTERM, **environment: str
) -> Iterator[str]:
    """Run `concord serve`, or whatever serves with these arguments, in a folder; yields the gateway's address.

    What it logs is in `serve.log`.
    """
    with (folder / "serve.log").open("w") as log:
        process = subprocess.Popen(
            [str(CONCORD), *arguments],
            cwd=folder,
            env=surroundings({"CONCORD_SERVER__PORT": "0", **environment}),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # Tests that run in the background ignore interrupts, and so would what they start.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - and does nothing else
        )
    assert process.stdout is not None
    try:
        url = next((line.split()[1] for line in process.stdout if line.startswith("ready ")), None)
        assert url is not None, (folder / "serve.log").read_text()
        yield url
    finally:
        process.send_signal(stopped_by)
        status = process.wait(30)
        process.stdout.close()
    assert status == 0, "a stop that was asked for is no failure"


def surroundings(environment: dict[str, str]) -> dict[str, str]:
    """The environment of somebody who has set nothing of Concord's."""
    return {**{k: v for k, v in os.environ.items() if not k.startswith("CONCORD_")}, "COLUMNS": "200", **environment}
