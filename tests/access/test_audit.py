"""`make audit` fails where a registry knows a weakness, passes where it knows none, and says so where it can't be asked."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOUND_PYPI = ("Found 2 known vulnerabilities in 1 package\njinja2 2.4.1 PYSEC-2014-8 2.7.2", 1)
FOUND_NPM = ("# npm audit report\n\n3 vulnerabilities (1 low, 2 high)", 1)
SOUND, AWAY = ("No known vulnerabilities found", 0), ("ERROR: Dependency not found on PyPI and could not be audited", 1)


def said(path: Path, answer: tuple[str, int]) -> None:
    """Put a registry's client in place that says this: the world's end, as seen from the script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\ncat <<'EOF'\n{answer[0]}\nEOF\nexit {answer[1]}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("pypi", "npm", "strict", "status", "told"),
    [
        (SOUND, SOUND, "", 0, ["PyPI: no known weakness", "npm: no known weakness"]),
        (FOUND_PYPI, SOUND, "", 1, ["PYSEC-2014-8"]),
        (SOUND, FOUND_NPM, "", 1, ["2 high"]),
        (FOUND_PYPI, AWAY, "", 1, ["PYSEC-2014-8", "NOT AUDITED (npm)"]),
        (AWAY, AWAY, "", 0, ["NOT AUDITED (PyPI)", "NOT AUDITED (npm)"]),
        (AWAY, SOUND, "1", 1, ["NOT AUDITED (PyPI)"]),
    ],
)
def test_what_registries_say_decides(tmp_path, pypi, npm, strict, status, told):
    for name in (
        ".ci/audit.sh",
        ".ci/constraints.txt",
        "gateway/console/source/package.json",
        "gateway/console/source/package-lock.json",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    said(tmp_path / ".concord/audit/bin/pip-audit", pypi)
    said(tmp_path / "bin/npm", npm)
    environment = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "AUDIT_STRICT": strict or "0"}
    done = subprocess.run(
        ["bash", str(tmp_path / ".ci/audit.sh")], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    for each in told:
        assert each in done.stdout
