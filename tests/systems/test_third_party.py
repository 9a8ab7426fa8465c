"""Third-party software is installed before the tests, by one process at a time, and what is missing says how it gets there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import third_party
from served_process import ROOT

NOTHING = """
import sys
from pathlib import Path
from third_party import NodePackages, install, is_installed, required
packages = NodePackages("nothing", Path(sys.argv[1]))
problems = install([packages])
print("problems:", problems, is_installed(packages), required(packages).name)
"""
BAD = """
import sys
from third_party import NotInstalled, PythonPackages, install, required
packages = PythonPackages("bad", ("./nowhere",), target="install-test")
(problem,) = install([packages])
print(problem)
try:
    required(packages)
except NotInstalled as error:
    print("required:", error)
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A checkout in which nothing is installed."""
    folder = tmp_path / "tests" / "systems"
    folder.mkdir(parents=True)
    for name in ("third_party.py", "install_lock.py"):
        shutil.copy(ROOT / "tests" / "systems" / name, folder)
    return folder


def run(folder: Path, script: str, *arguments: str) -> str:
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_of_several_processes_one_installs_and_the_others_wait(elsewhere: Path) -> None:
    source = elsewhere / "source"
    source.mkdir()
    (source / "package.json").write_text('{"private": true}')
    with ThreadPoolExecutor(3) as threads:
        told = list(threads.map(lambda _: run(elsewhere, NOTHING, str(source)), range(3)))
    assert sum("nothing from npm" in each for each in told) == 1
    assert all("problems: [] True nothing" in each for each in told)
    # Another version wanted is not installed until it is.
    (source / "package.json").write_text('{"private": true, "version": "2.0.0"}')
    assert "nothing is installed" in run(elsewhere, NOTHING, str(source))


def test_what_cannot_be_installed_is_told_with_the_installers_words_and_stays_missing(elsewhere: Path) -> None:
    told = run(elsewhere, BAD)
    assert "bad could not be installed from PyPI" in told
    assert "nowhere" in told.split("returned non-zero")[1]
    assert "required: bad is not installed: run `make install-test` (needs PyPI and npm)" in told


@pytest.mark.parametrize("packages", third_party.ALL, ids=lambda packages: packages.name)
def test_the_target_that_is_named_installs_it(packages: third_party.Packages) -> None:
    """`make install-test` those that `make test` needs, and a target of its own what only that needs."""
    if packages in third_party.OF_TESTS:
        assert packages.target == "install-test"
        return
    printed = subprocess.run(["make", "-n", packages.target], cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.search(rf"third_party\.py {packages.name}$", printed.stdout, re.MULTILINE)


def test_no_test_downloads_anything_by_itself() -> None:
    installs = re.compile(r"\"(?:npm|npx|pip|uv)\"|bin[\"/ ]+pip")
    found = [
        str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("*.py") if installs.search(path.read_text())
    ]
    assert sorted(found) == [
        "tests/access/test_audit.py",
        "tests/systems/third_party.py",
    ]
