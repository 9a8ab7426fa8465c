"""From text to operation: what is refused, with which code, and where."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import build_schema

from gateway.errors import GatewayError, RequestRefused
from gateway.federation.operation import coerce_variables, prepare

SCHEMA = build_schema(
    """
    input Filter { first: Int! kinds: [Kind!] inner: Filter }
    enum Kind { A B }
    type Query { find(filter: Filter, kind: Kind, ids: [ID!]): Query name: String other: String }
    """
)


def refusal(text: str, name: str | None = None) -> list[tuple[str, str, tuple[tuple[int, int], ...]]]:
    with pytest.raises((GatewayError, RequestRefused)) as refused:
        prepare(SCHEMA, text, name)
    errors = refused.value.errors if isinstance(refused.value, RequestRefused) else (refused.value,)
    return [(error.code, error.message, error.locations) for error in errors]


def test_every_finding_is_told_with_its_place() -> None:
    assert refusal("{ name\n  nope find(kind: C) { __typename: name } }") == [
        ("GRAPHQL_VALIDATION_FAILED", "Cannot query field 'nope' on type 'Query'. Did you mean 'name'?", ((2, 3),)),
        (
            "GRAPHQL_VALIDATION_FAILED",
            "Value 'C' does not exist in 'Kind' enum. Did you mean the enum value 'A' or 'B'?",
            ((2, 19),),
        ),
    ]
    assert refusal("{ find { __typename: name } }") == [
        ("GRAPHQL_VALIDATION_FAILED", "The alias '__typename' is reserved for the field of that name.", ((1, 10),))
    ]


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("{ name", None, ("GRAPHQL_PARSE_FAILED", "Syntax Error: Expected Name, found <EOF>.", ((1, 7),))),
        ("", None, ("GRAPHQL_PARSE_FAILED", "Syntax Error: Unexpected <EOF>.", ((1, 1),))),
        ("query A { name }", "B", ("OPERATION_RESOLUTION_FAILURE", "The document has no operation named 'B'.", ())),
        ("fragment F on Query { name }", None, ("OPERATION_RESOLUTION_FAILURE", "The document has no operation.", ())),
        (
            "query A { name } query B { name }",
            None,
            (
                "OPERATION_RESOLUTION_FAILURE",
                "The document has several operations; name one in `operationName`.",
                (),
            ),
        ),
    ],
)
def test_documents_without_an_operation_to_run(text: str, name: str | None, expected: Any) -> None:
    assert refusal(text, name) == [expected]


def test_many_findings_are_capped() -> None:
    assert len(refusal("{ " + " ".join(f"nope{i}" for i in range(500)) + " }")) == 20


def test_deep_nesting_is_refused_not_crashed() -> None:
    depth = 5_000
    assert refusal("{ find " * depth + "{ name }" + "}" * depth)[0][0] == "GRAPHQL_PARSE_FAILED"


OPERATION = prepare(
    SCHEMA, "query($f: Filter, $k: Kind = A, $ids: [ID!]) { find(filter: $f, kind: $k, ids: $ids) { name } }"
)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({}, {"k": "A"}),
        (None, {"k": "A"}),
        ({"k": "B", "ids": "1", "surplus": 1}, {"k": "B", "ids": "1"}),
        ({"k": None, "f": {"first": 1, "kinds": "A"}}, {"k": None, "f": {"first": 1, "kinds": "A"}}),
    ],
)
def test_variables_pass_as_they_came(raw: Any, expected: Any) -> None:
    assert coerce_variables(OPERATION, raw) == expected


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ({"k": "C"}, ["k"]),
        ({"f": {"first": "x"}}, ["f", "first"]),
        ({"f": {"first": 1, "inner": {"first": 1, "kinds": ["A", "C"]}}}, ["f", "inner", "kinds", 1]),
        ({"ids": [None]}, ["ids", 0]),
    ],
)
def test_variables_that_do_not_fit(raw: Any, path: list[str | int]) -> None:
    with pytest.raises(RequestRefused) as refused:
        coerce_variables(OPERATION, raw)
    assert [(error.code, error.extensions) for error in refused.value.errors] == [
        ("BAD_USER_INPUT", {"variable": path[0], "inputPath": path})
    ]
