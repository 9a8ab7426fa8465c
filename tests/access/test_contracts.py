"""Consumers' contracts: each variant of the graph has its own schema, limits and callers."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from guarded import composed

from gateway.access.contract import Contract, ContractEmpty, variant

LINK = """extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@tag", "@shareable"])
"""
SHOP = (
    LINK
    + """
type Query { product(id: ID!): Product @tag(name: "partner") stock: Stock secretStock(filter: Hidden): Stock }
type Product @key(fields: "id") { id: ID! @tag(name: "partner") name: String @tag(name: "partner")
  margin: String @tag(name: "internal") kind: Kind @tag(name: "partner") }
type Stock { places: [String] product: Product }
enum Kind { BOOK TOY @tag(name: "internal") }
input Hidden { word: String }
"""
)
PRICES = (
    LINK
    + """
type Product @key(fields: "id") { id: ID! price: String @tag(name: "partner") cost: String @tag(name: "internal") }
"""
)


def test_a_contract_shows_what_has_its_tags_and_nothing_that_only_leads_elsewhere():
    whole = composed(shop=SHOP, prices=PRICES)
    partner = variant(whole, Contract(include=frozenset({"partner"}), exclude=frozenset({"internal"})))
    types = partner.api_schema.type_map
    assert set(types["Query"].fields) == {"product"}
    assert set(types["Product"].fields) == {"id", "name", "kind", "price"}
    assert set(types["Kind"].values) == {"BOOK"}
    assert not {"Stock", "Hidden"} & set(types)
    without = variant(whole, Contract(exclude=frozenset({"internal"})))
    assert set(without.api_schema.type_map["Product"].fields) == {"id", "name", "kind", "price"}
    assert "Stock" in without.api_schema.type_map
    assert set(whole.api_schema.type_map["Product"].fields) >= {"margin", "cost"}
    with pytest.raises(ContractEmpty):
        variant(whole, Contract(include=frozenset({"nobody"})))


RENAMED = """extend schema @link(url: "https://specs.apollo.dev/federation/v2.9",
  import: ["@key", "@shareable", { name: "@tag", as: "@label" }, { name: "@inaccessible", as: "@private" }])
"""


def test_a_contract_knows_directives_by_the_names_they_are_imported_under():
    shop, prices = (
        RENAMED + sdl.removeprefix(LINK).replace("@tag", "@label").replace("  margin", "  weight: Int @private margin")
        for sdl in (SHOP, PRICES)
    )
    whole = composed(shop=shop, prices=prices)
    assert '{as: "@private", name: "@inaccessible"}' in whole.sdl
    partner = variant(whole, Contract(include=frozenset({"partner"}), exclude=frozenset({"internal"})))
    types = partner.api_schema.type_map
    assert set(types["Query"].fields) == {"product"}
    assert set(types["Product"].fields) == {"id", "name", "kind", "price"}
    assert set(types["Kind"].values) == {"BOOK"}
    assert not {"Stock", "Hidden"} & set(types)


def test_a_contract_hides_parts_of_types_whatever_their_names():
    sdl = 'type Query { part: My__Part } type My__Part { id: ID name: String @tag(name: "internal") }'
    without = variant(composed(shop=LINK + sdl), Contract(exclude=frozenset({"internal"})))
    assert set(without.api_schema.type_map["My__Part"].fields) == {"id"}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A gateway with two contracts of the product's own graph, and a key that is confined to one of them."""
    folder: Path = tmp_path_factory.mktemp("contracts")
    root = Path(__file__).parents[2]
    digest = hashlib.sha256(b"partner-key").hexdigest()
    (folder / "supergraph.graphql").write_text((root / "schema/supergraph.graphql").read_text())
    (folder / "concord.toml").write_text(f"""
[access]
policy = "development"
[access.keys.acme]
sha256 = "{digest}"
scopes = ["operations:read"]
contract = "partner"
[server]
port = 0
[state]
directory = "{folder / "state"}"
[supergraph]
path = "{folder / "supergraph.graphql"}"
[subgraphs.concord]
in_process = "concord"
schema = "schema/subgraphs/concord.graphql"
[contracts.partner]
exclude = ["internal"]
introspection = false
max_cost = 3
[contracts.portal]
exclude = ["internal"]
""")
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway.cli.main", "serve", "--config", str(folder / "concord.toml")],
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ},
    )
    assert process.stdout is not None
    url = process.stdout.readline().removeprefix("ready ").strip()
    assert url.startswith("http"), "the gateway did not start"
    yield url
    process.terminate()
    process.wait(20)
    process.stdout.close()


def ask(client, url, path, query, **headers):
    response = client.post(f"{url}{path}", json={"query": query}, headers=headers)
    answer = response.json()
    return response.status_code, answer.get("data"), [e["extensions"]["code"] for e in answer.get("errors", ())]


def test_each_contract_has_its_door_its_limits_and_its_callers(served):
    names = "{ __schema { types { name } } }"
    key = {"x-api-key": "partner-key"}
    with httpx2.Client(trust_env=False, timeout=30) as client:
        assert ask(client, served, "/graphql", names)[0] == 200
        assert ask(client, served, "/graphql/portal", names)[0] == 200
        assert ask(client, served, "/graphql/partner", names)[::2] == (400, ["INTROSPECTION_DISABLED"])
        assert ask(client, served, "/graphql/partner", "{ systems { name } }")[2] == ["COST_ESTIMATED_TOO_EXPENSIVE"]
        assert ask(client, served, "/graphql/portal", "{ systems { name } }", **key)[::2] == (403, ["FORBIDDEN"])
        assert ask(client, served, "/graphql", "{ __typename }", **key)[::2] == (403, ["FORBIDDEN"])
        assert ask(client, served, "/graphql/partner", "{ __typename }", **key) == (200, {"__typename": "Query"}, [])
        assert ask(client, served, "/graphql/nobody", "{ __typename }")[2] == ["NOT_FOUND"]
        assert client.get(f"{served}/ready").json() == {"status": "ready"}


async def test_a_confined_caller_opens_no_other_socket(served):
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed

    for path, is_let_in in (("/graphql/partner", True), ("/graphql", False)):
        address = served.replace("http", "ws") + path
        async with connect(address, subprotocols=["graphql-transport-ws"], proxy=None) as connection:
            await connection.send(json.dumps({"type": "connection_init", "payload": {"x-api-key": "partner-key"}}))
            if is_let_in:
                assert json.loads(await asyncio.wait_for(connection.recv(), 20))["type"] == "connection_ack"
            else:
                with pytest.raises(ConnectionClosed) as closed:
                    await asyncio.wait_for(connection.recv(), 20)
                assert closed.value.rcvd.code == 4403
