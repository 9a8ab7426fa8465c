"""Consumers' contracts: each variant of the graph has its own schema, limits and callers."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import httpx2
import pytest
from graphql import (
    Undefined,
    Visitor,
    build_client_schema,
    get_introspection_query,
    graphql_sync,
    parse,
    print_ast,
    validate_schema,
    value_from_ast,
    visit,
)
from graphql.language import ast
from guarded import composed

from gateway.access.choice import Contract
from gateway.access.contract import ContractRefused, variant

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
    with pytest.raises(ContractRefused):
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


DEPENDENT = """
type Query { node: Node things: [C] list(f: F, g: G = { kind: B }): Int find(in: In!): Int maybe(in: In): Int
  asked(must: Int! @tag(name: "x"), a: Int): Int kinds(k: K = B): Int all: [K] only: F }
interface Node { id: ID! @tag(name: "p") name: String }
type C implements Node { id: ID! name: String @tag(name: "x") size: Int }
enum F { X @tag(name: "x") Y @tag(name: "x") }
enum K { A B @tag(name: "x") }
input In { req: Int! @tag(name: "x") opt: Int }
input G { kind: K f: F }
"""


def check_schema(contract):
    """Check that clients can build the contract's schema from its introspection, and that it keeps the rules."""
    schema = contract.api_schema
    answer = graphql_sync(schema, get_introspection_query(input_value_deprecation=True))
    assert answer.errors is None
    assert validate_schema(build_client_schema(answer.data)) == []
    assert not find_dangling_defaults(schema)


def find_dangling_defaults(schema):
    """Return the inputs whose default values no client could write."""
    inputs = [
        (f"{name}.{part}", each)
        for name, declared in schema.type_map.items()
        for part, field in getattr(declared, "fields", {}).items()
        for each in (getattr(field, "args", {}).values() if hasattr(field, "args") else [field])
        if not name.startswith("__")
    ]
    return [
        name
        for name, each in inputs
        if each.ast_node is not None
        and each.ast_node.default_value is not None
        and value_from_ast(each.ast_node.default_value, each.type) is Undefined
    ]


def test_a_contract_hides_what_can_not_be_without_what_it_hides():
    whole = composed(shop=LINK + DEPENDENT)
    without = variant(whole, Contract(exclude=frozenset({"x"})))
    check_schema(without)
    types = without.api_schema.type_map
    # `C.name` is not in, so nobody may read it through the interface; who can't give `must` or `req` can't ask.
    assert set(types["Query"].fields) == {"node", "things", "list", "maybe", "kinds", "all"}
    assert set(types["Node"].fields) == {"id"}
    assert set(types["C"].fields) == {"id", "size"}
    # The default of `g` and `k` is nothing that a client knows; the subgraph has it still.
    assert [sorted(types["Query"].fields[name].args) for name in ("list", "maybe", "kinds")] == [[], [], []]
    assert set(types["K"].values) == {"A"}
    assert not {"F", "In", "G"} & set(types)


def test_an_interface_has_in_a_contract_what_all_of_its_types_have_there():
    sdl = """
    type Query { node: Node @tag(name: "p") things: [C] @tag(name: "p") }
    interface Node { id: ID! @tag(name: "p") kind: Int @tag(name: "p") }
    type C implements Node { id: ID! kind: Int @tag(name: "p") }
    type Unseen implements Node { id: ID! kind: Int }
    """
    partner = variant(composed(shop=LINK + sdl), Contract(include=frozenset({"p"})))
    check_schema(partner)
    assert set(partner.api_schema.type_map["Node"].fields) == set(partner.api_schema.type_map["C"].fields) == {"kind"}
    assert "Unseen" not in partner.api_schema.type_map


RICH = """
directive @live(k: Kind, f: Filter) on FIELD
type Query { a(f: Filter, k: Kind! = A): Node b(f: Filter!): Both c(in: [Filter!] = [{ k: B, req: 1 }]): [Leaf!]!
  d: Deep e(k: Kind!): Kind s: Word }
type Mutation { make(f: Filter!): Leaf }
interface Node { id: ID! in(f: Filter, k: Kind = B): Int }
interface Deep implements Node { id: ID! in(f: Filter, k: Kind = B): Int deep: Deep }
type Leaf implements Node { id: ID! in(f: Filter, k: Kind = B): Int word: Word }
type Tree implements Deep & Node { id: ID! in(f: Filter, k: Kind = B): Int deep: Tree leaves: LeafConnection }
type LeafConnection { edges: [LeafEdge] total: Int }
type LeafEdge { node: Leaf cursor: String }
union Both = Leaf | Tree
enum Kind { A B C }
input Filter { k: Kind = A more: More req: Int! }
input More { k: Kind! f: Filter w: Word = "x" }
scalar Word
"""


@pytest.mark.parametrize("seed", range(30))
def test_whatever_is_tagged_a_contract_has_a_valid_schema_or_none(seed):
    dice = Random(seed)
    tag, percent = "px"[seed % 2], (5, 20, 60)[seed % 3]
    contract = Contract(include=frozenset({"p"})) if tag == "p" else Contract(exclude=frozenset({"x"}))
    tagger = Tagger(lambda: tag if dice.randrange(100) < percent else "")
    whole = composed(shop=LINK + print_ast(visit(parse(RICH, no_location=True), tagger)))
    try:
        found = variant(whole, contract)
    except ContractRefused as refused:
        assert str(refused) == "nothing is left of the graph's queries."
    else:
        check_schema(found)
        assert not [each for each in tagger.excluded if has(found.api_schema, each)]


class Tagger(Visitor):
    """Puts tags on anything that may have one."""

    def __init__(self, draw):
        super().__init__()
        self._draw = draw
        self.excluded = []

    def leave(self, node, _key, _parent, _path, ancestors):
        if any(isinstance(each, ast.DirectiveDefinitionNode) for each in (node, *ancestors)):
            return None
        tag = self._draw() if hasattr(node, "directives") else ""
        if not tag:
            return None
        if tag == "x":
            above = [each.name.value for each in ancestors if isinstance(each, ast.Node) and hasattr(each, "name")]
            self.excluded.append((*above, node.name.value))
        value = ast.ArgumentNode(name=ast.NameNode(value="name"), value=ast.StringValueNode(value=tag))
        return replace(node, directives=(ast.DirectiveNode(name=ast.NameNode(value="tag"), arguments=(value,)),))


def has(schema, coordinate):
    """Whether a schema has an element: `("Leaf", "in", "k")`."""
    here = schema.type_map.get(coordinate[0])
    for step, parts in zip(coordinate[1:], (("fields", "values"), ("args",)), strict=False):
        here = next((getattr(here, part).get(step) for part in parts if hasattr(here, part)), None)
    return here is not None


@pytest.mark.parametrize(
    ("contract", "told"),
    [
        ('include = ["nobody"]', "`contracts.partner`: nothing is left of the graph's queries."),
        ('include = ["a", "b"]\nexclude = ["b"]', "includes and excludes the same tag, 'b'"),
    ],
)
def test_a_contract_that_can_not_be_is_refused_at_the_start(tmp_path, contract, told):
    (tmp_path / "supergraph.graphql").write_text(composed(shop=LINK + DEPENDENT).sdl)
    (tmp_path / "shop.graphql").write_text(LINK + DEPENDENT)
    (tmp_path / "concord.toml").write_text(f"""
[access]
policy = "development"
[server]
port = 0
[state]
directory = "{tmp_path / "state"}"
[supergraph]
path = "{tmp_path / "supergraph.graphql"}"
[subgraphs.shop]
url = "http://127.0.0.1:9/graphql"
schema = "{tmp_path / "shop.graphql"}"
[contracts.partner]
{contract}
""")
    command = [sys.executable, "-m", "gateway.cli.main", "serve", "--config", str(tmp_path / "concord.toml")]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert told in done.stdout + done.stderr


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
