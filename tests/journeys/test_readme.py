"""The README promises only what runs."""

from __future__ import annotations

import asyncio
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


async def test_the_subscription_shown_tells_what_the_simulation_shown_brings_about(changing_product):
    (script,) = (block for block in blocks("sh") if "simulate" in block)
    curl, simulate, _ = (shlex.split(line, comments=True) for line in script.replace("\\\n", " ").splitlines())
    headers = dict(curl[place + 1].split(": ") for place, word in enumerate(curl) if word == "-H")
    url = f"http://{curl[2]}".replace("127.0.0.1:4000", changing_product.url.removeprefix("http://"))
    async with (
        asyncio.timeout(120),
        httpx2.AsyncClient(trust_env=False, timeout=120) as client,
        client.stream("POST", url, content=curl[curl.index("-d") + 1], headers=headers) as response,
    ):
        assert simulate[0] == ".venv/bin/concord"
        simulated = await asyncio.to_thread(changing_product.run, *simulate[1:])
        assert simulated.returncode == 0, simulated.stderr
        told = (line async for line in response.aiter_lines() if line.startswith("data: {"))
        event = json.loads((await anext(told)).removeprefix("data: "))["data"]["lifecycleEvents"]
        assert event["type"].startswith("concord.")
        assert set(event) == {"type", "time", "cursor", "customer"}


def test_the_write_shown_takes_variables_of_the_shape_shown(changing_product):
    mutation = blocks("graphql")[1]
    (shown,) = re.findall(r"`(\{\"input\".*?\}\})`", README)
    read = "{ customers(first: 20, filter: { overdue: true }) { edges { node { id erpVersion creditHold } } } }"
    found = [edge["node"] for edge in changing_product.data(read)["customers"]["edges"]]
    customer = next(each for each in found if each["creditHold"] is False)
    variables = json.loads(shown)
    variables["input"] |= {"customerId": customer["id"], "version": customer["erpVersion"]}
    assert changing_product.data(mutation, variables)["setCreditHold"]["customer"]["creditHold"] is True


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
