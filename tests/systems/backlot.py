"""backlot (PyPI, Apache-2.0): a HubSpot CRM v3 that nobody here wrote, read only, filled with our generator's facts.

`third_party.py` installs it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import orjson
from served_process import ServedProcess, free_port, serve_program
from third_party import BACKLOT, required

TOKEN = "admin-service-token"
# This file has the name of its package: no path of ours may come before its own.
_QUIET = {"BACKLOT_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "PYTHONPATH": ""}


def serve_backlot(folder: Path, corpus: list[dict[str, object]]) -> ServedProcess:
    """Serve a corpus of HubSpot records; the API is below `/hubspot`."""
    programs = required(BACKLOT) / "bin"
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
