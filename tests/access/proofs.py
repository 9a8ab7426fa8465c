"""`make test-access`: every proof of who may see what and of hostile input, one after the other, as a table of figures.

python tests/access/proofs.py <folder with schemathesis and clairvoyance>
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTEST = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider"]

TESTS = {
    "every type, field, way and caller": (["tests/access/test_authorization.py"], r"(\d+ probes of \d+, \d+ leaks)"),
    "personal data, on every way": (["tests/access/test_masking.py"], None),
    "hostile HTTP, byte by byte": (["tests/transport/test_hostile_http.py"], None),
    "hostile documents and variables": (["tests/transport/test_hostile_documents.py"], None),
    "hostile WebSocket frames": (["tests/transport/test_hostile_websocket.py"], None),
    "attacks on tokens with real keys": (["tests/access/test_callers.py", "-k", "attack"], None),
    "bent input for every parser": (["tests/fuzz"], None),
    "secrets stay inside": (["tests/access/test_canaries.py", "tests/access/test_secrets.py"], None),
    "errors in the log exactly once": (["tests/access/test_correlation_ids.py"], None),
    "graphql-http's audit, 61 of 61": (["tests/clients/test_clients.py", "-k", "audit"], None),
    "callers, contracts, limits, identity": (
        ["tests/access", *(f"--ignore=tests/access/test_{name}.py" for name in ("authorization", "masking", "canaries", "correlation_ids"))],
        None,
    ),
}  # fmt: skip
"""Claim → what pytest is given, and what of its output is the figure; else it is what pytest counted."""


def shown(claim: str, figure: str, *, kept: bool) -> bool:
    print(f"{'kept  ' if kept else 'BROKEN'} {claim}: {figure}", flush=True)
    return kept


def run(claim: str, arguments: list[str], figure: str | None) -> bool:
    environment = {**os.environ, "CONCORD_ACCESS_EVERY": "1"}
    done = subprocess.run([*PYTEST, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    counted = re.search(r"(\d+ (?:passed|failed).*?) in ", done.stdout)
    found = re.search(figure, done.stdout) if figure else counted
    if done.returncode:
        print(done.stdout[-4_000:], done.stderr[-2_000:])
    return shown(claim, found[1] if found else "no figure", kept=not done.returncode and found is not None)


def outside(tools: str) -> bool:
    command = [sys.executable, "tests/access/outside_tools.py", tools]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    recovered = re.search(r"clairvoyance: (.*)", done.stdout)
    cases = re.search(r"(\d+ generated, \d+ passed.*)", done.stdout)
    if done.returncode:
        print(done.stdout[-4_000:], done.stderr[-2_000:])
    return all(
        [
            shown("clairvoyance", recovered[1] if recovered else "no figure", kept=not done.returncode),
            shown("schemathesis", cases[1] if cases else "no figure", kept=not done.returncode),
        ]
    )


if __name__ == "__main__":
    kept = [run(claim, *how) for claim, how in TESTS.items()]
    kept.append(outside(sys.argv[1]))
    sys.exit(not all(kept))
