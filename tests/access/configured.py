"""A gateway as its own process, over subgraphs of a test, with whatever configuration that wants."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from gateway.federation.composition import SubgraphSource, compose

ROOT = Path(__file__).parents[2]


def write_configuration(folder: Path, sdls: Mapping[str, str], more: str = "", **urls: str) -> Path:
    """Write the configuration of a sandbox over these subgraphs, and the supergraph they compose to."""
    sources = [SubgraphSource(name, urls.get(name, "http://127.0.0.1:1/graphql"), sdl) for name, sdl in sdls.items()]
    composition = compose(sources)
    assert composition.supergraph_sdl is not None, composition.errors
    (folder / "supergraph.graphql").write_text(composition.supergraph_sdl)
    lines = [
        f'[server]\nport = 0\n[state]\ndirectory = "{folder}/state"\n[access]\npolicy = "development"\n',
        f'[supergraph]\npath = "{folder}/supergraph.graphql"\napi_path = "{folder}/api.graphql"\n',
    ]
    for each in sources:
        (folder / f"{each.name}.graphql").write_text(each.sdl)
        lines.append(f'[subgraphs.{each.name}]\nurl = "{each.url}"\nschema = "{folder}/{each.name}.graphql"\n')
    path = folder / "concord.toml"
    path.write_text("".join(lines) + more)
    return path


@contextmanager
def served(config: Path) -> Iterator[str]:
    """Serve it and give its address; what it logs is beside the configuration, in `log`."""
    log = config.with_name("log")
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli.main", "serve", "--config", str(config)],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=ROOT,
            env={**os.environ, "NO_COLOR": "1"},
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("ready "), log.read_text()
        yield line.removeprefix("ready ").strip()
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def concord(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", "gateway.cli.main", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
