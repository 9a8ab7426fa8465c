"""The error codes that no conformance case has, each with a graph that earns it, and one that hardly doesn't."""

import pytest

from gateway.federation.composition import SubgraphSource, compose
from gateway.federation.supergraph import parse_supergraph

LINK = (
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@external", "@requires", '
    '"@provides", "@shareable", "@inaccessible", "@context", "@fromContext", "@composeDirective", "@interfaceObject"])\n'
)
CONTEXT = (
    LINK
    + """
type Query {{ u: U! }}
type U @key(fields: "id") @context(name: "{name}") {{ id: ID! locale: String! n: Int t: T! }}
type T @key(fields: "id") {{ id: ID! text(l: {type}): String }}
"""
)


def context(argument: str, name: str = "u") -> str:
    return CONTEXT.format(name=name, type=argument)


FROM = 'String @fromContext(field: "$u { locale }")'
OTHER = LINK + 'type T @key(fields: "id") { id: ID! more: Int }'

SIZED = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@listSize", "@shareable"])\n'
SLICED = (
    SIZED
    + 'type Query {{ a(in: In): [Int] @shareable @listSize(slicingArguments: ["{}"]) }} input In {{ n: Int! p: P l: [P] s: String }} input P {{ n: Int }}'
)

TAGGED = """extend schema @link(url: "https://specs.apollo.dev/federation/v2.12", import: ["@key", "@cacheTag"])
type Query {{ top(first: Int = 5, kind: Kind, groups: [Int!], in: In): [P] {} }} enum Kind {{ A B }} input In {{ n: Int }}
type P @key(fields: "upc kind part {{ a }}") @key(fields: "upc part {{ a }} names") {} {{
  upc: ID! kind: Kind names: [String] part: Part other: Part more: Int {} }}
type Part {{ a: Int! b: Int }} type Plain {} {{ x: Int }} type Stub @key(fields: "id", resolvable: false) {} {{ id: ID! }}
"""


def tagged(place: int, *formats: str) -> list[str]:
    places = ["", "", "", "", ""]
    places[place] = " ".join(f'@cacheTag(format: "{each}")' for each in formats)
    return [TAGGED.format(*places)]


CASES = [
    (None, tagged(0, "top", "top-{$args.first}-{ $args.kind }", "top-{$args { first }}", "")),
    (None, tagged(1, "p", "p-{$key.upc}", "p-{$key.part.a}", "p-{$key { part { a } }}")),
    *(
        ("CACHE_TAG_INVALID_FORMAT", tagged(0, f"top-{wrong}"))
        for wrong in (
            "{$args.nope}",
            "{$args.groups}",
            "{$args.in}",
            "{$args.in.n}",
            "{$args}",
            "{$args { first kind }}",
            "{first}",
            "{$args.first",
            "{}",
            "{$args.first.x}",
        )
    ),
    *(
        ("CACHE_TAG_INVALID_FORMAT", tagged(1, f"p-{wrong}"))
        for wrong in ("{$key.nope}", "{$key.part}", "{$key.names}", "{$key}", "{$key {}}", "{upc}", "{$key.part.nope}")
    ),
    *(
        ("CACHE_TAG_INVALID_FORMAT_ARGUMENT_ON_ROOT_FIELD", tagged(0, f"top-{wrong}"))
        for wrong in ("{$key.upc}", "{$this}", "{$args.first}-{$key}")
    ),
    *(
        ("CACHE_TAG_INVALID_FORMAT_ARGUMENT_ON_ENTITY", tagged(1, f"p-{wrong}"))
        for wrong in ("{$args.first}", "{$key.kind}", "{$key.more}", "{$key.part.b}", "{$key.other.a}")
    ),
    ("CACHE_TAG_APPLIED_TO_NON_ROOT_FIELD", tagged(2, "more")),
    ("CACHE_TAG_ENTITY_NOT_RESOLVABLE", tagged(3, "plain")),
    ("CACHE_TAG_ENTITY_NOT_RESOLVABLE", tagged(4, "stub-{$key.id}")),
    *((None, [SLICED.format(path)]) for path in ("in.n", "in.p.n")),
    *(
        ("LIST_SIZE_INVALID_SLICING_ARGUMENT", [SLICED.format(path)])
        for path in ("in", "in.p", "in.s", "in.l.n", "in.x", "in.n.n", "x.n", "in.", ".n", "")
    ),
    (
        "LIST_SIZE_INVALID_SLICING_ARGUMENT",
        [
            SLICED.format("in.p.n"),
            SIZED + "type Query { a(in: In): [Int] @shareable } input In { n: Int! }",
        ],
    ),
    (
        None,
        [
            SLICED.format("in.p.n"),
            SIZED + "type Query { a(in: In): [Int] @shareable } input In { n: Int! p: P } input P { n: Int }",
        ],
    ),
    ("CONTEXT_NAME_INVALID", [context('String @fromContext(field: "$u_x { locale }")', "u_x"), OTHER]),
    ("CONTEXT_NOT_SET", [context('String @fromContext(field: "$x { locale }")'), OTHER]),
    ("CONTEXT_NOT_SET", [context('String = "d" @fromContext(field: "$u { locale }")'), OTHER]),
    ("NO_CONTEXT_IN_SELECTION", [context('String @fromContext(field: "{ locale }")'), OTHER]),
    ("CONTEXT_INVALID_SELECTION", [context('String @fromContext(field: "$u { n }")'), OTHER]),
    ("CONTEXT_INVALID_SELECTION", [context('String @fromContext(field: "$u { locale n }")'), OTHER]),
    ("CONTEXT_INVALID_SELECTION", [context('String @fromContext(field: "$u { nope }")'), OTHER]),
    ("CONTEXT_INVALID_SELECTION", [context('String @fromContext(field: "$u { a: locale }")'), OTHER]),
    ("CONTEXT_NO_RESOLVABLE_KEY", [context(FROM).replace('T @key(fields: "id")', "T")]),
    (
        "CONTEXTUAL_ARGUMENT_NOT_CONTEXTUAL_IN_ALL_SUBGRAPHS",
        [
            context(FROM).replace("): String }", "): String @shareable }"),
            OTHER.replace("more: Int", "text(l: String!): String @shareable"),
        ],
    ),
    (None, [context(FROM), OTHER]),
    (
        "DISALLOWED_INACCESSIBLE",
        [
            LINK.replace(
                "@link(", '@link(url: "https://x.dev/d/v1.0", import: ["@d"]) @composeDirective(name: "@d") @link(', 1
            )
            + "directive @d(a: Int @inaccessible) on FIELD_DEFINITION\ntype Query { a: Int @d(a: 1) }"
        ],
    ),
    (
        "EXTERNAL_ARGUMENT_TYPE_MISMATCH",
        [
            LINK + 'type Query { a: A } type A @key(fields: "id") { id: ID! f(x: Int): Int }',
            LINK + 'type A @key(fields: "id") { id: ID! f(x: String): Int @external g: Int @requires(fields: "f") }',
        ],
    ),
    (
        "EXTERNAL_ARGUMENT_DEFAULT_MISMATCH",
        [
            LINK + 'type Query { a: A } type A @key(fields: "id") { id: ID! f(x: Int = 1): Int }',
            LINK + 'type A @key(fields: "id") { id: ID! f(x: Int = 2): Int @external g: Int @requires(fields: "f") }',
        ],
    ),
    (
        "EXTERNAL_ON_INTERFACE+EXTERNAL_UNUSED",
        [
            LINK
            + 'type Query { i: I } interface I { id: ID @external } type A implements I @key(fields: "id") { id: ID }'
        ],
    ),
    ("KEY_INVALID_FIELDS", [LINK + 'type Query { a: A } type A @key(fields: "") { id: ID! }']),
    (
        "KEY_INVALID_FIELDS",
        [
            LINK
            + 'type Query { n: N } interface N @key(fields: "id") { id: ID! } '
            + 'type A implements N @key(fields: "id missing") { id: ID! }'
        ],
    ),
    (
        None,
        [
            LINK
            + 'type Query { n: N } interface N @key(fields: "id id o { a } o { b }") { id: ID! o: O } '
            + 'type A implements N @key(fields: "o { b a } id") { id: ID! o: O } type O { a: Int b: Int }'
        ],
    ),
    (
        "REQUIRES_FIELDS_MISSING_EXTERNAL",
        [
            LINK + 'type Query { a: A } type A @key(fields: "id") { id: ID! x: Int }',
            LINK + 'type A @key(fields: "id") { id: ID! x: Int @external y: Int @requires(fields: "__typename x") }',
        ],
    ),
    (None, [LINK + "type Query { i: I } interface I { a: Int } type A implements I { a: Int @deprecated }"]),
    (
        "KEY_UNSUPPORTED_ON_INTERFACE",
        [
            (
                'extend schema @link(url: "https://specs.apollo.dev/federation/v2.2", import: ["@key"])\n'
                'type Query { i: I } interface I @key(fields: "id") { id: ID } type A implements I @key(fields: "id") { id: ID }'
            )
        ],
    ),
    (
        "SHAREABLE_HAS_MISMATCHED_RUNTIME_TYPES",
        [
            LINK + "type Query { i: I @shareable } interface I { a: Int } type A implements I { a: Int @shareable }",
            LINK + "type Query { i: I @shareable } interface I { a: Int } type B implements I { a: Int @shareable }",
        ],
    ),
    (
        "TYPE_WITH_ONLY_UNUSED_EXTERNAL",
        ["type Query { a: A } type A { x: Int @external }", "type A { x: Int }"],
    ),
]


@pytest.mark.parametrize(("code", "sdls"), CASES)
def test_code(code: str | None, sdls: list[str]):
    result = compose([SubgraphSource(name, "", sdl) for name, sdl in zip("ab", sdls, strict=False)])
    assert {error.code for error in result.errors} == set(code.split("+") if code else ())
    for error in result.errors:
        assert error.coordinate and error.subgraphs and error.locations


@pytest.mark.parametrize(
    ("links", "said"),
    [
        (
            '@link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", {name: "@shareable", as: "@key"}])',
            "`@key` and `@shareable` are both called `@key`",
        ),
        (
            '@link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", {name: "@key", as: "@primary"}])',
            "`@key` is imported both as `@key` and as `@primary`",
        ),
        (
            (
                '@link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"]) '
                '@link(url: "https://acme.example/lock/v1.0", import: [{name: "@lock", as: "@key"}])'
            ),
            "`@key` is imported from `https://specs.apollo.dev/federation/v2.9` already",
        ),
        (
            '@link(url: "https://specs.apollo.dev/federation/v2.9", import: [{name: "@key", as: "@federation__tag"}])',
            "`@key`, imported as `@federation__tag`, looks like another element of `https://specs.apollo.dev/federation/v2.9`",
        ),
        (
            (
                '@link(url: "https://specs.apollo.dev/federation/v2.9", import: [{name: "@key", as: "@lock"}]) '
                '@link(url: "https://acme.example/lock/v1.0")'
            ),
            (
                "`@key`, imported as `@lock`, of `https://specs.apollo.dev/federation/v2.9` looks like an element of "
                "`https://acme.example/lock/v1.0`"
            ),
        ),
        (
            '@link(url: "https://specs.apollo.dev/federation/v2.9", as: "a__b")',
            (
                "`https://specs.apollo.dev/federation/v2.9` can't be called `a__b`: a specification's name is a GraphQL name "
                "without `__` that does not end in `_`"
            ),
        ),
    ],
)
def test_a_name_that_links_bring_means_one_thing(links: str, said: str):
    found = compose([SubgraphSource("a", "", f"extend schema {links} type Query {{ a: Int }}")]).errors
    assert [(error.code, error.message) for error in found] == [("INVALID_LINK_DIRECTIVE_USAGE", f"[a] {said}")]
    assert found[0].mend
    assert found[0].locations


def mends(*sdls: str) -> list[str | None]:
    found = compose([SubgraphSource(name, "", sdl) for name, sdl in zip("ab", sdls, strict=False)])
    return [error.mend for error in found.errors]


def test_a_directive_that_is_not_imported_and_a_key_that_is_forgotten_have_a_likely_mend():
    federation = "https://specs.apollo.dev/federation"
    user = 'type Query { a: Int @tag(name: "t") }'
    assert mends(f'extend schema @link(url: "{federation}/v2.9", import: ["@key"]) {user}') == [
        f'`@tag` of {federation}/v2.9 needs "@tag" in `import`.'
    ]
    renamed = f'extend schema @link(url: "{federation}/v2.9", import: [{{ name: "@tag", as: "@mark" }}]) {user}'
    assert mends(renamed) == [f"`@tag` of {federation}/v2.9 is called `@mark` in this schema."]
    assert mends(f'extend schema @link(url: "{federation}/v2.0", import: ["@key"]) {user.replace("tag", "cost")}') == [
        "Link federation v2.9 or later, which is the first to have `@cost`."
    ]
    assert mends("type Query { a: Int @shareable }") == [
        f'Link federation 2: extend schema @link(url: "{federation}/v2.14", import: ["@shareable"]).'
    ]
    keyed = LINK + 'type Query { a: A } type A @key(fields: "id") { id: ID! }'
    assert mends(keyed, LINK + "type Query { b: A } type A { id: ID! }") == [
        'Give `A` the `@key(fields: "id")` of a in b too, or mark the field @shareable.'
    ]


def test_a_dead_end_shows_a_witness_and_the_ways_tried():
    result = compose(
        [
            SubgraphSource(
                "crm", "", LINK + 'type Query { me(id: ID!): User } type User @key(fields: "id") { id: ID! }'
            ),
            SubgraphSource("erp", "", LINK + 'type User @key(fields: "number") { number: Int! balance: Int }'),
        ]
    )
    found = next(error for error in result.errors if error.coordinate == "User.balance")
    assert found.to_json() == {
        "code": "SATISFIABILITY_ERROR",
        "message": "`User.balance` cannot be reached after coming from crm. This operation could not be answered:\n"
        '{\n  me(id: "1") {\n    balance\n  }\n}\n'
        "Tried:\n"
        "- in crm, `User` has no field `balance`\n"
        '- from crm, erp could be entered with @key(fields: "number") of `User`, but crm cannot supply those fields',
        "coordinate": "User.balance",
        "subgraphs": ["erp"],
        "locations": [{"subgraph": "erp", "line": 2, "column": 49}],
        "mend": "Add a @key to `User` that both sides have, or resolve `User.balance` there too (@shareable).",
    }


def test_what_subgraphs_are_not_told_of_is_hinted():
    sdl = (
        "type Query {{ a: Int }} directive @named on FRAGMENT_SPREAD {} directive @other on FRAGMENT_DEFINITION | FIELD"
    )
    found = [
        compose([SubgraphSource(name="a", url="", sdl=sdl.format(more))]).hints for more in ("", "| INLINE_FRAGMENT")
    ]
    assert [[(hint.code, hint.coordinate) for hint in hints] for hints in found] == [
        [("EXECUTABLE_DIRECTIVE_NOT_SENT", "@named"), ("EXECUTABLE_DIRECTIVE_NOT_SENT", "@other")],
        [("EXECUTABLE_DIRECTIVE_NOT_SENT", "@other")],
    ]


def test_hints_about_linked_versions_and_names():
    federation = '@link(url: "https://specs.apollo.dev/federation/v2.5", import: ["@key", "@composeDirective"])'
    cost = '@link(url: "https://specs.apollo.dev/cost/v0.1", import: ["@cost"])'
    marked = '@link(url: "https://acme.example/mark/v1.0", import: ["@mark"]) @composeDirective(name: "@mark")'
    noted = '@link(url: "https://acme.example/mark/v1.0", import: [{ name: "@mark", as: "@note" }])'
    composing = (
        f"extend schema {federation} {cost} {marked} directive @mark on FIELD_DEFINITION "
        "type Query { a: Int @mark @cost(weight: 2) }"
    )
    other = f"extend schema {federation} {noted} directive @note on FIELD_DEFINITION type Query {{ b: Int @note }}"
    found = compose([SubgraphSource("a", "", composing), SubgraphSource("b", "", other)])
    assert found.errors == ()
    assert {(hint.code, hint.subgraphs) for hint in found.hints} == {
        ("DIRECTIVE_COMPOSITION_WARN", ("b",)),
        ("IMPLICITLY_UPGRADED_FEDERATION_VERSION", ("a",)),
    }


SHARED = (
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable"]) '
    "type Query {{ {query}: Int }} type Mutation {{ add: Cart @shareable }} type Cart {key} {{ id: ID! @shareable {field}: Int }}"
)


@pytest.mark.parametrize(("key", "codes"), [("", {"SATISFIABILITY_ERROR"}), ('@key(fields: "id")', set())])
def test_what_follows_a_shared_mutation_comes_from_the_subgraph_that_ran_it(key: str, codes: set[str]):
    sources = [
        SubgraphSource(name, "", SHARED.format(query=name, key=key, field=field))
        for name, field in (("a", "total"), ("b", "weight"))
    ]
    assert {error.code for error in compose(sources).errors} == codes
    as_queries = [
        SubgraphSource(each.name, "", each.sdl.replace("type Mutation", "extend type Query")) for each in sources
    ]
    assert compose(as_queries).errors == ()


def test_one_subgraph_that_can_do_all_is_enough_for_a_shared_mutation():
    little = SHARED.format(query="a", key="", field="total")
    all_of_it = SHARED.format(query="b", key="", field="weight: Int total").replace(
        "total: Int", "total: Int @shareable"
    )
    result = compose(
        [
            SubgraphSource("a", "", little.replace("total: Int", "total: Int @shareable")),
            SubgraphSource("b", "", all_of_it),
        ]
    )
    assert result.errors == ()


def test_one_of_is_kept_where_it_is_composed_and_told_about_where_it_is_not():
    one_of = (
        "directive @oneOf on INPUT_OBJECT input By @oneOf { id: ID name: String } type Query { find(by: By!): Int }"
    )
    federation = '@link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@composeDirective"])'
    carried = (
        '@link(url: "https://spec.graphql.org/specified/v1.6", import: ["@oneOf"]) @composeDirective(name: "@oneOf")'
    )
    composed = compose([SubgraphSource("a", "", f"extend schema {federation} {carried} {one_of}")])
    assert composed.supergraph_sdl is not None
    assert is_one_of(composed.supergraph_sdl)
    assert composed.hints == ()
    lost = compose([SubgraphSource("a", "", f"extend schema {federation} {one_of}")])
    assert lost.supergraph_sdl is not None
    assert not is_one_of(lost.supergraph_sdl)
    assert [(hint.code, hint.coordinate) for hint in lost.hints] == [("ONE_OF_NOT_COMPOSED", "By")]


def is_one_of(supergraph: str) -> bool:
    return parse_supergraph(supergraph).api_schema.type_map["By"].is_one_of
