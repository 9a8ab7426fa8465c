"""`check` tells what a new supergraph means for clients of the old one."""

from gateway.federation.composition import SubgraphSource, compose
from gateway.federation.composition.changes import check

LINK = (
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", '
    'import: ["@key", "@authenticated", "@requiresScopes", "@inaccessible"])\n'
)
USERS = LINK + 'type Query { users: [User] } type User @key(fields: "id") { id: ID! name: String age: Int }'
ORDERS = LINK + 'type User @key(fields: "id") { id: ID! orders(first: Int): Int total: Int }'


def supergraph(*sdls: str) -> str:
    result = compose([SubgraphSource(name, "", sdl) for name, sdl in zip("ab", sdls, strict=False)])
    assert result.supergraph_sdl is not None, result.errors
    return result.supergraph_sdl


OLD = supergraph(USERS, ORDERS)


def changes(users: str = USERS, orders: str = ORDERS) -> list[tuple[str, str]]:
    return [(str(change.level), change.code) for change in check(OLD, supergraph(users, orders))]


def test_equal_supergraphs_have_no_changes():
    assert changes() == []


def test_what_clients_lose_is_breaking():
    assert changes(USERS.replace(" age: Int", "")) == [("BREAKING", "FIELD_REMOVED")]
    assert changes(USERS.replace("age: Int", "age: Int @inaccessible")) == [("BREAKING", "FIELD_REMOVED")]
    assert changes(orders=ORDERS.replace("first: Int", "first: Int!")) == [("BREAKING", "ARG_CHANGED_KIND")]


def test_what_clients_may_meet_is_dangerous_and_what_they_gain_is_safe():
    assert changes(orders=ORDERS.replace("first: Int", "first: Int after: ID")) == [("DANGEROUS", "OPTIONAL_ARG_ADDED")]
    assert changes(USERS.replace("age: Int", "age: Int born: Int")) == [("SAFE", "FIELD_ADDED")]


def test_access_control_counts():
    guarded = USERS.replace("age: Int", "age: Int @authenticated")
    assert changes(guarded) == [("BREAKING", "ACCESS_RESTRICTED")]
    opened = [(change.level, change.message) for change in check(supergraph(guarded, ORDERS), OLD)]
    assert opened == [("DANGEROUS", "User.age no longer asks for @authenticated.")]


def test_a_field_that_moves_is_named():
    moved = [
        (change.code, change.message)
        for change in check(
            OLD, supergraph(USERS.replace("age: Int", "age: Int total: Int"), ORDERS.replace(" total: Int", ""))
        )
    ]
    assert moved == [("FIELD_MOVED", "User.total is resolved by a instead of b.")]


def test_every_change_of_an_element_has_its_coordinate():
    old = (
        'interface Node { id: ID! } type Query { gone: Int kept(first: Int, after: String = "a.b"): [Thing] } '
        "type Field implements Node { id: ID! } type Thing { id: ID! } type Other { id: ID! } union Any = Field | Thing "
        "enum Color { RED GREEN } input Filter { a: Int } "
    )
    new = (
        "interface Node { id: ID! } type Query { kept(first: Int!, last: Int!): [Thing!] any: Any filtered(by: Filter, in: Color): Int } "
        '"""Says a.b"""\n'
        "type Field { id: ID! } type Thing { id: ID! } union Any = Thing "
        "enum Color { RED } input Filter { a: Int b: Int! } "
    )
    one = supergraph(
        old + "extend type Query { any: Any filtered(by: Filter, in: Color): Int field: Field other: Other node: Node }"
    )
    two = supergraph(new + "extend type Query { field: Field node: Node }")
    assert sorted({change.coordinate for change in check(one, two)}, key=str) == [
        "Any",
        "Color.GREEN",
        "Field",
        "Filter.b",
        "Other",
        "Query.gone",
        "Query.kept",
        "Query.kept(after:)",
        "Query.kept(first:)",
        "Query.kept(last:)",
        "Query.other",
    ]
