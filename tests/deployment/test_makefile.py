"""The Makefile's own logic, and continuous integration's: what a newcomer's first command does where Python is not whole."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

WITHOUT_VENV = """#!/bin/sh
# Debian's python3 without python3-venv: an environment is begun, and ensurepip is not there.
case "$1" in
  -c) exec {python} "$@" ;;
  -m) echo "$@" >> {log}
      for folder; do :; done
      mkdir -p "$folder/bin" && ln -sf {python} "$folder/bin/python" && exit 1 ;;
esac
"""


def test_an_environment_that_could_not_be_made_is_begun_again_and_names_the_package(tmp_path: Path) -> None:
    log, python, environment = tmp_path / "log", tmp_path / "python", tmp_path / "venv"
    python.write_text(WITHOUT_VENV.format(python=sys.executable, log=log))
    python.chmod(0o755)
    for _ in range(2):
        command = ["make", "install", f"PYTHON={python}", f"VENV={environment}"]
        made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert made.returncode != 0
        assert "apt-get install python3-venv" in made.stdout
        assert "Installing Concord" not in made.stdout
    assert log.read_text().splitlines() == [f"-m venv --clear {environment}"] * 2


def test_an_older_python_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "Concord needs Python 3.11 or newer" >&2\nexit 1\n')
    python.chmod(0o755)
    command = ["make", "install", f"PYTHON={python}", f"VENV={tmp_path / 'venv'}"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ})
    assert made.returncode != 0
    assert not (tmp_path / "venv").exists()


def test_each_target_that_is_listed_is_an_action_though_a_file_has_its_name() -> None:
    makefile = (ROOT / "Makefile").read_text()
    listed = [line.split(":")[0] for line in makefile.splitlines() if ": " in line and " ## " in line]
    database = subprocess.run(["make", "-pn", "help"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    (phony,) = (line.split()[1:] for line in database.splitlines() if line.startswith(".PHONY:"))
    assert sorted(phony) == sorted({*listed, "install", "programs"})
    assert makefile.count(".PHONY") == 1


def test_continuous_integration_shows_why_a_test_failed_that_passed_when_tried_again(tmp_path: Path) -> None:
    (options,) = re.findall(r'^make test ARGS="(.*)"$', (ROOT / ".ci/run").read_text(), re.MULTILINE)
    test = tmp_path / "test_shaky.py"
    test.write_text("""
from pathlib import Path
def test_shaky():
    tried = Path(__file__).with_suffix(".tried")
    was_tried = tried.exists()
    tried.touch()
    assert was_tried, "the first time it says why"
""")
    command = [sys.executable, "-m", "pytest", "-n", "1", "-p", "no:cacheprovider", *shlex.split(options), str(test)]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert told.returncode == 0, told.stdout
    assert "1 passed, 1 rerun" in told.stdout
    assert "the first time it says why" in told.stdout
