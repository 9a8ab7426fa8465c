"""The generated completion and the exact one agree on every tree, whatever is in it."""

from typing import Any

from graphql import build_schema
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.execution.complete import Completer
from gateway.execution.generate import Irregular, generate_complete
from gateway.execution.located import ErrorList, Failure
from gateway.execution.shape import compile_shape
from gateway.federation.operation import prepare

SCHEMA = build_schema(
    """
    type Query { a: A aa: [A!] must: A! n: N u: [U] grid: [[Int!]]! id: ID ids: [ID!] }
    interface N { id: ID! s: String }
    type A implements N { id: ID! s: String e: E f: Float b: Boolean! j: JSON js: [JSON!] self: A n: N aa: [A] }
    type B implements N { id: ID! s: String other: Int }
    union U = A | B
    enum E { X Y }
    scalar JSON
    """
)
QUERIES = [
    (
        "query($x: Boolean!, $y: Boolean!) { z: __typename a { ...F } must { b @include(if: $x) s @skip(if: $y) id } }"
        " fragment F on A { id e f b j js self { __typename s } }"
    ),
    "{ n { id ... on A { e } ... on B { other } } u { t: __typename ... on N { id } } }",
    "{ n { id s } u { ... on N { s } } aa { n { id } aa { id } } }",
    "query($x: Boolean!, $y: Boolean!) { grid id ids a @include(if: $x) { id } a @skip(if: $y) { n { s } } }",
]
SHAPES = [compile_shape(prepare(SCHEMA, query)) for query in QUERIES]
GENERATED = {id(shape): generate_complete(shape) for shape in SHAPES}
NAMES = ["a", "aa", "must", "n", "u", "grid", "id", "ids", "s", "e", "f", "b", "j", "js", "self", "other"]
TYPES = ["A", "B", "N", "U", "C", "Query"]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(["X", "Z", "text"]),
    st.integers(-(2**32), 2**32),
    st.floats(allow_nan=False),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
        | st.tuples(st.sampled_from(TYPES), st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)).map(
            lambda pair: {"__typename": pair[0], **pair[1]}
        )
    ),
    max_leaves=30,
)


def regular() -> st.SearchStrategy[Any]:
    """Trees of the right shape, so that the fast way is really taken."""
    leaf = {
        "id": st.one_of(st.text(max_size=2), st.integers()),
        "s": st.none() | st.text(max_size=2),
        "e": st.sampled_from([None, "X", "Y"]),
        "f": st.none() | st.floats(allow_nan=False) | st.integers(),
        "b": st.booleans(),
        "j": LEAVES,
        "js": st.lists(st.integers(), max_size=2),
        "other": st.none() | st.integers(-5, 5),
    }
    objects = st.deferred(lambda: a | b)
    a = st.fixed_dictionaries(
        {"__typename": st.just("A"), **{k: v for k, v in leaf.items() if k != "other"}},
        optional={
            "self": st.none() | st.deferred(lambda: a),
            "n": st.none() | objects,
            "aa": st.lists(st.none(), max_size=1),
        },
    )
    b = st.fixed_dictionaries({"__typename": st.just("B"), "id": leaf["id"], "s": leaf["s"], "other": leaf["other"]})
    return st.fixed_dictionaries(
        {"must": a, "grid": st.lists(st.none() | st.lists(st.integers(-5, 5), max_size=2), max_size=2)},
        optional={
            "a": st.none() | a,
            "aa": st.lists(a, max_size=2),
            "n": st.none() | objects,
            "u": st.lists(st.none() | objects, max_size=3),
            "id": st.none() | leaf["id"],
            "ids": st.lists(leaf["id"], max_size=2),
        },
    )


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(SHAPES),
    st.dictionaries(st.sampled_from(NAMES), TREES, max_size=8) | regular(),
    st.booleans(),
    st.booleans(),
)
def test_both_completions_agree(shape, tree, x, y):
    variables = {"x": x, "y": y}
    errors = ErrorList()
    exact = Completer(variables, errors, lambda path: Failure(code="SYSTEM_BAD_RESPONSE")).complete(shape, tree)
    try:
        fast = GENERATED[id(shape)](variables)(tree)
    except Irregular:
        # Only what is wrong is irregular, save for a float that stands for an Int.
        assert errors.found or "float" in str([type(each) for each in _leaves(tree)])
    else:
        assert (fast, list(fast), errors.found) == (exact, list(exact or {}), [])


def _leaves(value: Any) -> list[Any]:
    match value:
        case dict():
            return [leaf for item in value.values() for leaf in _leaves(item)]
        case list():
            return [leaf for item in value for leaf in _leaves(item)]
        case _:
            return [value]
