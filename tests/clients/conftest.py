"""Real clients against a real server: npm's are installed once into a cache outside the tracked tree."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent / "node"
INSTALLED = ROOT / ".concord" / "npm" / "clients"
LIBRARY = ROOT / "tests" / "transport" / "library" / "serve.py"

Run = Callable[..., Any]


@pytest.fixture(scope="session")
def library() -> Iterator[str]:
    """The address of a server with the small library behind it."""
    process = subprocess.Popen([sys.executable, str(LIBRARY)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process.stdout.readline().removeprefix("ready ").strip()
    process.terminate()
    process.wait(10)
    process.stdout.close()


@pytest.fixture(scope="session")
def node() -> Run:
    """Run one of the scripts in `node/` with arguments and return the JSON it prints."""
    install(SCRIPTS, INSTALLED)
    for script in SCRIPTS.glob("*.mjs"):
        shutil.copy(script, INSTALLED)

    def run(script: str, *arguments: str) -> Any:
        done = subprocess.run(
            ["node", script, *arguments], cwd=INSTALLED, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout)

    return run


def install(wanted: Path, folder: Path) -> None:
    """Install the packages that the lock file in `wanted` names exactly, unless they are there already."""
    lock = (wanted / "package-lock.json").read_text()
    marker = folder / "installed.json"
    if marker.exists() and marker.read_text() == lock:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(wanted / name, folder)
    subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"],
        cwd=folder,
        check=True,
        timeout=300,
    )
    marker.write_text(lock)
