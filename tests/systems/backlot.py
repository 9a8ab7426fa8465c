"""backlot (PyPI, Apache-2.0): a HubSpot CRM v3 that nobody here wrote, read only, filled with our generator's facts.

Installed once into `.concord/systems/backlot`, which git ignores.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson
from install_lock import SYSTEMS, install_lock
from served_process import ServedProcess, free_port, serve_program

TOKEN = "admin-service-token"
_REQUIREMENTS = ("backlot==0.1.0", "hubspot-api-client==12.0.0")
# This file has the name of its package: no path of ours may come before its own.
_QUIET = {"BACKLOT_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "PYTHONPATH": ""}


def installed() -> Path:
    """Return the `bin` folder of backlot's own virtual environment, made if it is not there."""
    home = SYSTEMS / "backlot"
    marker = home / "installed.txt"
    wanted = "\n".join(_REQUIREMENTS)
    with install_lock():
        if not marker.exists() or marker.read_text() != wanted:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
            subprocess.run([str(home / "bin" / "pip"), "-q", "install", *_REQUIREMENTS], check=True, timeout=600)
            marker.write_text(wanted)
    return home / "bin"


def serve_backlot(folder: Path, corpus: list[dict[str, object]]) -> ServedProcess:
    """Serve a corpus of HubSpot records; the API is below `/hubspot`."""
    programs = installed()
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "corpus.jsonl"
    source.write_bytes(b"\n".join(map(orjson.dumps, corpus)))
    environment = {**_QUIET, "BACKLOT_DATA_DIR": str(folder / "data")}
    subprocess.run(
        [str(programs / "backlot"), "import", str(source)],
        check=True,
        env={**os.environ, **environment},
        capture_output=True,
        timeout=120,
    )
    port = free_port()
    command = [str(programs / "backlot"), "serve", "--port", str(port), "--disable-telemetry"]
    return serve_program(command, folder, f"http://127.0.0.1:{port}/hubspot", "/crm/v3/objects/contacts", environment)
