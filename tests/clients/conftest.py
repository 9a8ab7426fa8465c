"""Real clients against a real server: npm's are those that `third_party.py` has installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from third_party import CLIENTS, required

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent / "node"
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
def node(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run one of the scripts in `node/` with arguments and return the JSON it prints."""
    # Node looks for packages beside the script; each test process has copies of its own.
    folder = tmp_path_factory.mktemp("node")
    (folder / "node_modules").symlink_to(required(CLIENTS) / "node_modules")
    for script in SCRIPTS.glob("*.mjs"):
        shutil.copy(script, folder)

    def run(script: str, *arguments: str) -> Any:
        done = subprocess.run(
            ["node", script, *arguments], cwd=folder, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout)

    return run
