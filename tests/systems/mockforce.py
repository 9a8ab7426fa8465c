"""simple-mockforce: Salesforce queries, rows and upserts that nobody here wrote."""

from __future__ import annotations

from pathlib import Path

from served_process import ServedProcess, free_port, serve_program
from third_party import MOCKFORCE, required


def serve_mockforce(folder: Path) -> ServedProcess:
    """Serve an empty org; any client id and secret get a session."""
    programs = required(MOCKFORCE) / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [str(programs / "python"), str(Path(__file__).with_name("mockforce_server.py")), str(port)]
    return serve_program(command, folder, f"http://127.0.0.1:{port}", "/services/oauth2/token", {})
