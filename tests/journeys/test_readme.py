"""The README promises only what runs."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import httpx2
import pytest
from own_graph import concord, serving
from own_subgraphs import SCHEMAS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def shape(value: Any) -> Any:
    """The keys and kinds of an answer, without its values."""
    match value:
        case dict():
            return {key: shape(each) for key, each in value.items()}
        case list():
            return [shape(value[0])] if value else []
        case _:
            return type(value).__name__


def test_the_first_query_gets_an_answer_of_the_shape_shown(product):
    answer = product.ask(blocks("graphql")[0])
    assert shape(answer) == shape(json.loads(blocks("json")[0]))


@pytest.mark.parametrize("path", sorted((ROOT / "schema/documents").glob("*.graphql")), ids=lambda path: path.stem)
def test_every_shipped_operation_is_planned(product, path):
    printed = product.run("plan", str(path))
    assert printed.returncode == 0, printed.stderr
    assert printed.stdout.startswith(("sequence", "fetch", "parallel", "subscription"))


def test_a_newcomers_own_subgraphs_are_composed_and_served_as_it_says(own_subgraphs, tmp_path):
    _, _, section = README.partition("## Use it for your own subgraphs\n")
    section, _, _ = section.partition("\n## ")
    (configuration,), (script,) = blocks("toml", section), blocks("sh", section)
    names = re.findall(r"^\[subgraphs\.(\w+)\]$", configuration, re.MULTILINE)
    addresses = re.findall(r"http://127\.0\.0\.1:\d+/graphql", configuration)
    assert names == list(own_subgraphs)
    for name, address in zip(names, addresses, strict=True):
        configuration = configuration.replace(address, own_subgraphs[name])
    (tmp_path / "mine.toml").write_text(configuration)
    for file in re.findall(r'schema = "(\w+)\.graphql"', configuration):
        (tmp_path / f"{file}.graphql").write_text(SCHEMAS[file].as_str())
    compose, serve = (shlex.split(line, comments=True) for line in script.splitlines())
    assert compose[0] == serve[0] == ".venv/bin/concord"
    composed = concord(tmp_path, *compose[1:])
    assert composed.returncode == 0, composed.stdout + composed.stderr
    with serving(tmp_path, *serve[1:]) as url:
        query = {"query": "{ me { name reviews { body } } }"}
        answer = httpx2.post(f"{url}/graphql", json=query, trust_env=False).json()
        assert answer == {"data": {"me": {"name": "User 1", "reviews": [{"body": "By 1"}]}}}
