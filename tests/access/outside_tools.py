"""Tools of others against a running gateway: `python outside_tools.py <folder of their commands>`.

clairvoyance, which recovers schemas from error messages, must recover no field under the production policy (and does under
the development policy, or it would prove nothing); schemathesis must get a GraphQL answer with codes in 2,000 cases.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WORDS = (
    "customer customers contract contracts invoice invoices node nodes events systems id name number email status total"
)


@contextmanager
def gateway(folder: Path, access: str) -> Iterator[str]:
    """Serve the product's graph, its systems of record silent, under a policy."""
    folder.mkdir()
    supergraph = (ROOT / "schema/supergraph.graphql").read_text()
    (folder / "supergraph.graphql").write_text(re.sub(r"127\.0\.0\.1:4\d{3}", "127.0.0.1:1", supergraph))
    (folder / "concord.toml").write_text(
        f'[access]\n{access}\n[server]\nport = 0\n[state]\ndirectory = "{folder}/state"\n'
        f'[supergraph]\npath = "{folder}/supergraph.graphql"\n'
        '[subgraphs.concord]\nin_process = "concord"\nschema = "schema/subgraphs/concord.graphql"\n'
    )
    command = [sys.executable, "-m", "gateway.cli.main", "serve", "--config", str(folder / "concord.toml")]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().removeprefix("ready ").strip() + "/graphql"
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def recovered(tools: Path, folder: Path, url: str) -> int:
    """Return how many fields clairvoyance recovers."""
    words, found = folder / "words", folder / "found.json"
    words.write_text(WORDS.replace(" ", "\n"))
    command = [str(tools / "clairvoyance"), url, "-w", str(words), "-o", str(found)]
    subprocess.run(command, cwd=folder, capture_output=True, timeout=300, check=False)
    if not found.exists():
        return 0
    types = json.loads(found.read_text())["data"]["__schema"]["types"]
    return sum(len(each.get("fields") or ()) for each in types if not each["name"].startswith("__"))


def main() -> None:
    tools = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with gateway(folder / "production", "anonymous = true") as url:
            hidden = recovered(tools, folder, url)
        with gateway(folder / "development", 'policy = "development"') as url:
            shown = recovered(tools, folder, url)
            print(f"clairvoyance: {hidden} fields under the production policy, {shown} under the development policy")
            run = [str(tools / "schemathesis"), "run", url, "--max-examples", "42", "--phases", "fuzzing"]
            environment = {**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(HERE)}
            told = subprocess.run(
                [*run, "--checks", "is_a_graphql_answer_with_codes", "--workers", "2"],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=900,
                check=False,
            )
        cases = re.search(r"(\d+) generated", told.stdout)
        print("\n".join(told.stdout.splitlines()[-8:]))
    sys.exit(not (hidden == 0 < shown and told.returncode == 0 and cases is not None and int(cases[1]) >= 2_000))


if __name__ == "__main__":
    main()
