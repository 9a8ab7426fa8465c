"""simple-mockforce: Salesforce queries, rows and upserts that nobody here wrote. Installed into `.concord/systems/mockforce`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from install_lock import SYSTEMS, install_lock
from served_process import ServedProcess, free_port, serve_program

_REQUIREMENTS = ("simple-mockforce==0.8.1", "simple-salesforce==1.12.10", "urllib3<2")


def installed() -> Path:
    """Return the `bin` folder of its own virtual environment, made if it is not there."""
    home = SYSTEMS / "mockforce"
    marker = home / "installed.txt"
    wanted = "\n".join(_REQUIREMENTS)
    with install_lock():
        if not marker.exists() or marker.read_text() != wanted:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
            subprocess.run([str(home / "bin" / "pip"), "-q", "install", *_REQUIREMENTS], check=True, timeout=600)
            marker.write_text(wanted)
    return home / "bin"


def serve_mockforce(folder: Path) -> ServedProcess:
    """Serve an empty org; any client id and secret get a session."""
    programs = installed()
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [str(programs / "python"), str(Path(__file__).with_name("mockforce_server.py")), str(port)]
    return serve_program(command, folder, f"http://127.0.0.1:{port}", "/services/oauth2/token", {})
