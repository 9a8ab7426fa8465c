"""A field moves from one subgraph to another for whom the configuration says."""

from __future__ import annotations

import hashlib
from collections import Counter
from contextlib import asynccontextmanager

import httpx2
import pytest
from configured import concord, served, write_configuration
from scripted_subgraph import ScriptedSubgraph

LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@override"])\n'
OLD = LINK + 'type Query { item: Item } type Item @key(fields: "id") { id: ID! price: String }'
NEW = LINK + 'type Item @key(fields: "id") { id: ID! price: String @override(from: "old", label: "%s") }'
CALLERS = [f"caller-{number}" for number in range(12)]


def key_of(name: str) -> str:
    return f"ck_{name}_secret"


@asynccontextmanager
async def gateway(folder, more: str, label: str = "beta"):
    old, new = await ScriptedSubgraph().start(), await ScriptedSubgraph().start()
    old.say = lambda _: {"data": {"item": {"__typename": "Item", "id": "1", "price": "old"}}}
    new.say = lambda _: {"data": {"_entities": [{"__typename": "Item", "price": "new"}]}}
    keys = "".join(
        f'[access.keys.{name}]\nsha256 = "{hashlib.sha256(key_of(name).encode()).hexdigest()}"\nroles = ["{name}"]\n'
        for name in CALLERS
    )
    sdls = {"old": OLD, "new": NEW % label}
    config = write_configuration(folder, sdls, keys + more, old=old.url, new=new.url)
    with served(config) as url:
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:

            async def price(caller: str | None = None) -> str:
                headers = {"x-api-key": key_of(caller)} if caller else {}
                response = await http.post(f"{url}/graphql", json={"query": "{ item { price } }"}, headers=headers)
                return response.json()["data"]["item"]["price"]

            yield price
    await old.stop()
    await new.stop()


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", "old"),
        ("[overrides.beta]\n", "old"),
        ("[overrides.beta]\nactive = true\n", "new"),
        ("[overrides.beta]\nshare = 100\n", "new"),
        ("[overrides.other]\nactive = true\n", "old"),
    ],
)
async def test_a_label_is_active_where_the_configuration_says_so(tmp_path, more, expected):
    async with gateway(tmp_path, more) as price:
        assert await price() == expected
    is_warned = "override_labels_undecided" in (tmp_path / "log").read_text()
    assert is_warned is ("beta" not in more)


async def test_a_label_is_active_for_a_role_and_for_a_share_of_callers(tmp_path):
    async with gateway(tmp_path, '[overrides.beta]\nroles = ["caller-3"]\n') as price:
        assert [await price(name) for name in CALLERS[:5]] == ["old", "old", "old", "new", "old"]
        assert await price() == "old"
    async with gateway(tmp_path, "[overrides.beta]\nshare = 50\n") as price:
        for name in CALLERS:
            assert len({await price(name) for _ in range(4)}) == 1
        shares = Counter([await price(name) for name in CALLERS])
    assert set(shares) == {"old", "new"}


async def test_the_configuration_overrules_a_percentage_of_the_schema(tmp_path):
    async with gateway(tmp_path, "", "percent(0)") as price:
        assert await price() == "old"
    async with gateway(tmp_path, '[overrides."percent(0)"]\nactive = true\n', "percent(0)") as price:
        assert await price() == "new"


def test_a_label_that_nobody_decides_is_told_of_before_it_is_deployed(tmp_path):
    config = write_configuration(tmp_path, {"old": OLD, "new": NEW % "beta"})
    supergraph = str(tmp_path / "supergraph.graphql")
    for more in ((), (supergraph,)):
        told = concord("check", supergraph, *more, "--config", str(config))
        assert (told.returncode, told.stdout) == (0, "No changes.\n")
        assert "The label `beta` of @override is never active; say in [overrides] for whom it is." in told.stderr
    config.write_text(config.read_text() + "[overrides.beta]\nshare = 5\n")
    assert concord("check", supergraph, "--config", str(config)).stderr == ""
