"""Composition refuses what the ownership table doesn't allow."""

from pathlib import Path

import pytest

from gateway.federation.composition import OwnershipInvalidError, SubgraphSource, compose, parse_ownership

SCHEMA = Path(__file__).parents[2] / "schema"
LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.11", import: ["@key", "@shareable", "@external"])\n'
CRM = LINK + 'type Query { customers: [Customer] } type Customer @key(fields: "id") { id: ID! name: String }'
TABLE = """
[systems.crm]
team = "sales"
types = ["Customer"]
mutations = ["rename"]
[systems.erp]
team = "finance"
fields.Customer = ["balance"]
"""


def owned(erp: str, crm: str = CRM, table: str = TABLE) -> list[tuple[str, str | None]]:
    sources = [SubgraphSource("crm", "http://crm", crm), SubgraphSource("erp", "http://erp", LINK + erp)]
    result = compose(sources, parse_ownership(table))
    assert (result.supergraph_sdl is None) == bool(result.errors)
    return [(error.code, error.coordinate) for error in result.errors]


CRM_WITH_RENAME = CRM + " type Mutation { rename(id: ID!): Customer }"
BALANCE = 'type Customer @key(fields: "id") { id: ID! balance: Int }'


def test_a_graph_that_keeps_to_its_table_composes():
    assert owned(BALANCE, CRM_WITH_RENAME) == []


def test_a_field_of_two_systems_is_refused():
    crm = CRM_WITH_RENAME.replace("name: String", "name: String @shareable")
    erp = 'type Customer @key(fields: "id") { id: ID! balance: Int name: String @shareable }'
    assert owned(erp, crm) == [
        ("OWNERSHIP_TWO_OWNERS", "Customer.name"),
        ("OWNERSHIP_FIELD_OUTSIDE_OWNER", "Customer.name"),
    ]


def test_a_claim_of_two_systems_is_refused():
    table = TABLE.replace('types = ["Customer"]', 'types = ["Customer"]\nfields.Customer = ["balance"]')
    assert ("OWNERSHIP_TWO_OWNERS", "Customer.balance") in owned(BALANCE, CRM_WITH_RENAME, table)


def test_a_mutation_outside_its_owner_is_refused():
    erp = BALANCE + " type Mutation { rename(id: ID!): Int refund: Int }"
    assert owned(erp) == [
        ("OWNERSHIP_MUTATION_OUTSIDE_OWNER", "Mutation.rename"),
        ("OWNERSHIP_MUTATION_OUTSIDE_OWNER", "Mutation.refund"),
    ]


def test_a_field_that_nobody_gave_to_its_system_is_refused():
    erp = 'type Customer @key(fields: "id") { id: ID! balance: Int rating: Int }'
    assert owned(erp, CRM_WITH_RENAME) == [("OWNERSHIP_FIELD_OUTSIDE_OWNER", "Customer.rating")]


def test_a_non_null_field_across_systems_is_refused():
    erp = BALANCE.replace("balance: Int", "balance: Int!")
    assert owned(erp, CRM_WITH_RENAME) == [("OWNERSHIP_NON_NULL_ACROSS_SYSTEMS", "Customer.balance")]


def test_names_that_do_not_exist_are_refused():
    assert owned('type Customer @key(fields: "id") { id: ID! }') == [
        ("OWNERSHIP_UNKNOWN", "Mutation.rename"),
        ("OWNERSHIP_UNKNOWN", "Customer.balance"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[systems", "not TOML"),
        ("", "declares no"),
        ("[systems.crm]\nteem = 'x'", "did you mean `team`"),
        ("[systems.crm]\nteam = ''", "has to name the team"),
        ("[systems.crm]\nteam = 'x'\ntypes = 'Customer'", "list of names"),
        ("[systems.crm]\nteam = 'x'\nfields = ['a']", "table of types"),
        ("[other]\na = 1", "unknown key `other`"),
    ],
)
def test_a_table_that_cannot_be_read_says_where(text: str, words: str):
    with pytest.raises(OwnershipInvalidError, match=words):
        parse_ownership(text)


def test_the_graph_we_ship_keeps_to_its_table():
    sources = [
        SubgraphSource(path.stem, f"http://{path.stem}", path.read_text())
        for path in SCHEMA.glob("subgraphs/*.graphql")
    ]
    result = compose(sources, parse_ownership((SCHEMA / "ownership.toml").read_text()))
    assert [error.to_json() for error in result.errors] == []
