"""The limits on documents are configuration, the same for a gateway and for who checks documents before."""

from __future__ import annotations

from dataclasses import fields

import httpx2
from configured import concord, served, write_configuration

from gateway.access.limits import Limits
from gateway.settings_tables import DocumentLimitsSettings
from gateway.table import known_keys

LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@tag", "@external", "@requires"])\n'
SDLS = {
    "shop": LINK
    + 'type Query @tag(name: "all") { item: Item some(ids: [Int]): Item } type Item @key(fields: "id") @tag(name: "all") { id: ID! inner: Item price: Int }',
    "stock": LINK
    + 'type Item @key(fields: "id") @tag(name: "all") { id: ID! price: Int @external near: [Item] shipping: Int @requires(fields: "price") }',
}


def nested(depth: int) -> str:
    return "{ item" + " { inner" * (depth - 2) + " { id" + " }" * depth


def several(ids: int) -> str:
    return "{ some(ids: [" + "1 " * ids + "]) { id } }"


def codes(response) -> set[str]:
    return {error["extensions"]["code"] for error in response.json()["errors"]}


def test_every_limit_can_be_configured():
    assert known_keys(DocumentLimitsSettings) == [each.name for each in fields(Limits) if each.name != "introspection"]


def test_a_gateway_takes_as_much_as_its_configuration_says(tmp_path):
    config = write_configuration(
        tmp_path,
        SDLS,
        """[limits.document]
depth = 18
aliases = 1
[contracts.deep]
include = ["all"]
limits = { depth = 95, nesting = 100 }
[contracts.flat]
include = ["all"]
limits = { depth = 2 }
""",
    )
    with served(config) as url, httpx2.Client(trust_env=False, timeout=60) as http:

        def ask(document: str, contract: str = "") -> set[str]:
            return codes(http.post(f"{url}/graphql{contract}", json={"query": document}))

        # The subgraph is not there; what is admitted gets as far as that.
        assert ask(nested(18)) == {"SYSTEM_UNAVAILABLE"}
        assert ask(nested(19)) == {"MAX_DEPTH_LIMIT"}
        assert ask(nested(95), "/deep") == {"SYSTEM_UNAVAILABLE"}
        assert ask(nested(96), "/deep") == {"MAX_DEPTH_LIMIT"}
        assert ask(nested(3), "/flat") == {"MAX_DEPTH_LIMIT"}
        for contract in ("", "/deep"):
            assert ask("{ a: item { id } b: item { id } }", contract) == {"MAX_ALIASES_LIMIT"}


TWICE = "{ a: near { ...F%d } b: near { ...F%d } }"
HARD = (
    "{ item { ...F0 } } "
    + "".join(f"fragment F{n} on Item {TWICE % (n + 1, n + 1)} " for n in range(16))
    + "fragment F16 on Item { shipping }"
)
DOCUMENTS = {
    "long": ("{ item { id } } #" + "x" * 100_000, "MAX_TOKENS_LIMIT The document's characters come to 100,017"),
    "many": (several(10_000), "MAX_TOKENS_LIMIT The document's tokens come to 10012"),
    "wide": ("query { item { " + "id " * 2_100 + "} }", "MAX_FIELDS_LIMIT The document's fields come to 2101"),
    "deep": (nested(16), "MAX_DEPTH_LIMIT The document's depth come to 16; the limit is 15."),
    "text": ("{ ", "GRAPHQL_PARSE_FAILED Syntax Error"),
    "unknown": ("{ items { id } }", "GRAPHQL_VALIDATION_FAILED Cannot query field 'items'"),
    "schema": ("{ __schema { types { name } } }", "INTROSPECTION_DISABLED"),
}
FITTING = several(2_100)
"""More tokens than a document may have that nobody knows."""


def manifest_of(config, folder) -> None:
    published = concord(
        "documents", "publish", str(folder), "--to", str(folder / "manifest.json"), "--config", str(config)
    )
    assert published.returncode == 0, published.stderr


def test_documents_are_checked_as_the_gateway_reads_them(tmp_path):
    config = write_configuration(tmp_path, SDLS, "[request]\nintrospection = false\n")
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "fitting.graphql").write_text(FITTING)
    assert concord("documents", "check", str(folder), "--config", str(config)).returncode == 0
    manifest_of(config, folder)
    config.write_text(config.read_text() + f'[documents]\nmode = "enforce"\nmanifest = "{folder}/manifest.json"\n')
    with served(config) as url, httpx2.Client(trust_env=False, timeout=60) as http:
        assert codes(http.post(f"{url}/graphql", json={"query": FITTING})) == {"SYSTEM_UNAVAILABLE"}
    config.write_text(config.read_text().replace('"enforce"', '"off"').replace("manifest.json", "none.json"))
    (folder / "none.json").write_text('{"format": 1, "documents": {}}')
    with served(config) as url, httpx2.Client(trust_env=False, timeout=60) as http:
        assert codes(http.post(f"{url}/graphql", json={"query": FITTING})) == {"MAX_TOKENS_LIMIT"}
    for name, (text, _) in DOCUMENTS.items():
        (folder / f"{name}.graphql").write_text(text)
    for command in ("check", "publish"):
        refused = concord("documents", command, str(folder), "--config", str(config))
        assert refused.returncode == 1
        for name, (_, sentence) in DOCUMENTS.items():
            assert f"{name}.graphql: {sentence.replace(',', '')}" in refused.stderr.replace(",", "")
        assert "fitting.graphql" not in refused.stderr


def test_documents_that_can_not_be_planned_are_found(tmp_path):
    more = "[limits.document]\ndepth = 60\naliases = 40\ntrusted_fields = 10_000_000\n"
    config = write_configuration(tmp_path, SDLS, more)
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "hard.graphql").write_text(HARD)
    refused = concord("documents", "check", str(folder), "--config", str(config))
    assert refused.returncode == 1
    assert "hard.graphql: PLAN_BUDGET_EXCEEDED" in refused.stderr
