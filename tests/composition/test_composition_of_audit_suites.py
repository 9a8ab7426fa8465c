"""The audit's subgraphs compose into the audit's supergraphs."""

import json
from pathlib import Path

import pytest
from conformance import meaning

from gateway.federation.composition import SubgraphSource, compose

SUITES = sorted((Path(__file__).parents[1] / "conformance" / "audit").glob("*.json"))


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_supergraph(path: Path):
    suite = json.loads(path.read_text(encoding="utf-8"))
    result = compose([SubgraphSource(name, "", "\n".join(of["sdl"])) for name, of in suite["subgraphs"].items()])
    assert result.errors == ()
    assert meaning(result.supergraph_sdl or "") == meaning("\n".join(suite["supergraph"]))
