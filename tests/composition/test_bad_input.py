"""Whatever is composed, the answer is a supergraph or coded errors; never an exception."""

import json

import pytest
from conformance import load_cases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.federation.composition import Composition, SubgraphSource, compose

LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.11", import: ["@key", "@requires", "@external"])\n'


def codes(*sdls: str, names: str = "abcdef") -> list[str]:
    return sorted(
        {error.code for error in run(*(SubgraphSource(n, "", sdl) for n, sdl in zip(names, sdls, strict=False))).errors}
    )


def run(*sources: SubgraphSource) -> Composition:
    result = compose(sources)
    assert (result.supergraph_sdl is None) == bool(result.errors)
    json.dumps(result.to_json())
    for error in result.errors:
        assert error.code.isupper() and error.message
    return result


@pytest.mark.parametrize(
    ("sdl", "expected"),
    [
        ("", ["INVALID_GRAPHQL"]),
        ("   \n# nothing", ["INVALID_GRAPHQL"]),
        ("type Query {", ["INVALID_GRAPHQL"]),
        ("{ me }", ["INVALID_GRAPHQL"]),
        ("type Query { a: Nope }", ["INVALID_GRAPHQL"]),
        ("type Query { __a: Int }", ["INVALID_GRAPHQL"]),
        ("\ufefftype Query { a: Int }", []),
        ("type Query { a: " + "[" * 2000 + "Int" + "]" * 2000 + " }", ["INVALID_GRAPHQL"]),
        ("type Query { a(b: I = " + "{c:" * 900 + "1" + "}" * 900 + "): Int } input I { c: I }", ["INVALID_GRAPHQL"]),
        ("type A { a: Int }", ["NO_QUERIES"]),
        ('extend schema @link(url: "not a url")\ntype Query { a: Int }', ["INVALID_LINK_IDENTIFIER"]),
        ('extend schema @link(url: "https://specs.apollo.dev/federation/v99.0")\ntype Query { a: Int }',
         ["UNKNOWN_FEDERATION_LINK_VERSION"]),
        (LINK + 'type Query { a: A } type A @key(fields: "b { c }") { b: A c: Int }', []),
        (LINK + 'type Query { a: A } type A @key(fields: "' + "b { " * 900 + '") { b: A }', ["KEY_INVALID_FIELDS"]),
    ],
)  # fmt: skip
def test_one_bad_subgraph(sdl: str, expected: list[str]):
    assert codes(sdl) == expected


def test_names():
    good = "type Query { a: Int }"
    assert [e.code for e in run().errors] == ["NO_SUBGRAPHS"]
    assert [e.code for e in run(SubgraphSource("_", "", good)).errors] == ["INVALID_SUBGRAPH_NAME"]
    assert [e.code for e in run(SubgraphSource("", "", good)).errors] == ["INVALID_SUBGRAPH_NAME"]
    twice = run(SubgraphSource("a", "", good), SubgraphSource("a", "", good))
    assert [e.code for e in twice.errors] == ["INVALID_SUBGRAPH_NAME"]
    odd = run(SubgraphSource('we"ird\n1', 'ht"tp', good), SubgraphSource("1", "", "type Mutation { a: Int }"))
    assert odd.errors == ()


def test_errors_of_all_subgraphs_come_at_once_with_places_and_mends():
    result = run(
        SubgraphSource("a", "", LINK + 'type Query { a: A }\ntype A @key(fields: "nope") { id: ID }'),
        SubgraphSource("b", "", "type Query {\n  b: Missing\n}"),
    )
    assert [
        (e.code, e.coordinate, e.subgraphs, [(at.line, at.column) for at in e.locations]) for e in result.errors
    ] == [
        ("KEY_INVALID_FIELDS", "A", ("a",), [(3, 8), (3, 1)]),
        ("INVALID_GRAPHQL", None, ("b",), [(2, 6)]),
    ]
    assert result.errors[0].mend == "Add `nope` to `A` in a, marked @external if another subgraph resolves it."


def test_equal_subgraphs_in_any_order_give_equal_text():
    sources = [
        SubgraphSource("b", "", LINK + 'type Query { b: A } type A @key(fields: "id") { id: ID y: Int }'),
        SubgraphSource("a", "", LINK + 'type Query { a: A } type A @key(fields: "id") { id: ID x: Int }'),
    ]
    assert compose(sources).supergraph_sdl == compose(sources[::-1]).supergraph_sdl is not None


PIECES = [
    "type", "interface", "union", "enum", "input", "scalar", "extend", "schema", "{", "}", "(", ")", "[", "]", "!", ":", "=", "|",
    "&", "@key", "@external", "@requires", "@provides", "@shareable", "@override", "@interfaceObject", "@link", "@inaccessible",
    '(fields: "id")', '(fields: "a { b }")', '(from: "b")', '(url: "https://specs.apollo.dev/federation/v2.5")', "implements",
    "Query", "Mutation", "A", "B", "id", "ID", "Int", '"text"', "query", "directive", "on", "OBJECT", "\n",
]  # fmt: skip


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join), min_size=1, max_size=3))
def test_any_words(sdls: list[str]):
    codes(*sdls)


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_cases_with_a_piece_cut_out_or_doubled(data: st.DataObject):
    """A real case, damaged at a random place, is still answered."""
    case = data.draw(st.sampled_from(load_cases()[:400]))
    sources = list(case.subgraphs)
    victim = data.draw(st.integers(0, len(sources) - 1))
    words = sources[victim].sdl.split(" ")
    at, length = data.draw(st.integers(0, len(words))), data.draw(st.integers(1, 4))
    damaged = words[:at] + (words[at : at + length] * 2 if data.draw(st.booleans()) else []) + words[at + length :]
    sources[victim] = SubgraphSource(sources[victim].name, "", " ".join(damaged))
    run(*sources)
