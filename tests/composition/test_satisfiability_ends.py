"""Satisfiability comes to an end where the ways between an interface and its types go in circles."""

from gateway.federation.composition import SubgraphSource, compose

HEADER = (
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.11", import: '
    '["@key", "@external", "@requires", "@override", "@interfaceObject"])\n'
)
SUBGRAPHS = {
    "a": 'type User @key(fields: "id") { id: ID! name: String }',
    "b": (
        'type User implements Node @key(fields: "id") { id: ID! name: String @override(from: "a", label: "percent(9)") }'
        ' type Query { nodes: [Node] } interface Node @key(fields: "id") { id: ID! name: String }'
    ),
    "c": (
        'type Node @interfaceObject @key(fields: "id") '
        '{ id: ID! name: String @external greeting: String @requires(fields: "name") }'
    ),
}


def test_a_requirement_that_leads_from_an_interface_to_its_type_and_back_is_refused() -> None:
    composition = compose([SubgraphSource(name, "http://x", HEADER + sdl) for name, sdl in SUBGRAPHS.items()])
    assert [error.code for error in composition.errors] == ["SATISFIABILITY_ERROR"]
    assert "`User.greeting` cannot be reached" in composition.errors[0].message
