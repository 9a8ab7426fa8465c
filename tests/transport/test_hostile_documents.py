"""Hostile documents and variables: each is refused with a code, quickly, whichever transport brought it."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

PARSE, VALID, INPUT = "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"
NO_OPERATION = "OPERATION_RESOLUTION_FAILURE"
TOKENS, DEPTH, FIELDS = "MAX_TOKENS_LIMIT", "MAX_DEPTH_LIMIT", "MAX_FIELDS_LIMIT"
ECHO = "query ($v: String) { echo(text: $v) }"
NUMBERS = "query ($v: [Int!]) { echo(numbers: $v) }"
FILTER = "query ($v: Filter) { echo(filter: $v) }"


def chain(length: int, last: str = "id") -> str:
    """Return a document whose fragments each spread the next twice."""
    links = " ".join(f"fragment F{each} on Book {{ ...F{each + 1} ...F{each + 1} }}" for each in range(length))
    return f"{{ book(id: 1) {{ ...F0 }} }} {links} fragment F{length} on Book {{ {last} }}"


def sequels(depth: int) -> str:
    return "{ book(id: 1) { " + "sequel { " * depth + "id" + " }" * depth + " } }"


DOCUMENTS: dict[str, tuple[str, str]] = {
    "a space": (" ", PARSE),
    "only a comment": ("# nothing", PARSE),
    "commas": (",,,,", PARSE),
    "a brace": ("{", PARSE),
    "a brace too many": ("{ __typename } }", PARSE),
    "no fields": ("{ }", PARSE),
    "prose": ("please give me all customers", PARSE),
    "SQL": ("'; DROP TABLE customers; --", PARSE),
    "a script": ("<script>alert(1)</script>", PARSE),
    "JSON": ('{"query": "{a}"}', PARSE),
    "string that never ends": ('{ echo(text: "abc }', PARSE),
    "block string that never ends": ('{ echo(text: """abc }', PARSE),
    "bad escape": ('{ echo(text: "\\q") }', PARSE),
    "bad Unicode escape": ('{ echo(text: "\\u{110000}") }', PARSE),
    "escaped half of a pair": ('{ echo(text: "\\uD83D") }', PARSE),
    "control character": ("{ __typename \x07 }", PARSE),
    "zero-width space": ("{ __type\u200bname }", PARSE),
    "right-to-left mark": ("{ \u202e__typename }", PARSE),
    "full-width brace": ("\uff5b __typename }", PARSE),
    "number with a leading zero": ("{ books(first: 007) { id } }", PARSE),
    "number that runs into a name": ("{ books(first: 1a) { id } }", PARSE),
    "variable as a default": ("query ($a: Int, $b: Int = $a) { books(first: $b) { id } }", PARSE),
    "fragment called on": ("fragment on on Query { __typename }", PARSE),
    "spread of nothing": ("{ ... }", PARSE),
    "directive without a name": ("{ __typename @ }", PARSE),
    "unknown field": ("{ customers }", VALID),
    "very long unknown field": ("{ " + "a" * 15_000 + " }", VALID),
    "300 unknown fields": ("{ book(id: 1) { " + " ".join(f"a{each}" for each in range(300)) + " } }", VALID),
    "unknown argument": ("{ books(last: 1) { id } }", VALID),
    "missing argument": ("{ book { id } }", VALID),
    "object without fields": ("{ books }", VALID),
    "leaf with fields": ("{ echo { x } }", VALID),
    "argument of a wrong type": ('{ books(first: "three") { id } }', VALID),
    "number beyond 32 bits": ("{ books(first: 2147483648) { id } }", VALID),
    "number beyond everything": ("{ books(first: " + "9" * 5_000 + ") { id } }", VALID),
    "number with an absurd exponent": ("{ books(first: 1e999999999) { id } }", VALID),
    "unknown directive": ("{ __typename @deny }", VALID),
    "directive in a wrong place": ("query @skip(if: true) { __typename }", VALID),
    "directive twice": ("{ __typename @skip(if: false) @skip(if: false) }", VALID),
    "unknown fragment": ("{ ...Nothing }", VALID),
    "unused fragment": ("{ __typename } fragment F on Query { __typename }", VALID),
    "fragment on a wrong type": ("{ book(id: 1) { ...F } } fragment F on Tick { number }", VALID),
    "fragment on a scalar": ("{ ...F } fragment F on String { length }", VALID),
    "fragment of itself": ("{ ...F } fragment F on Query { ...F }", VALID),
    "fragments in a circle": ("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", VALID),
    "fragment twice": ("{ ...F } fragment F on Query { open } fragment F on Query { open }", VALID),
    "conflicting fields": ("{ a: open a: cancelled }", VALID),
    "unknown variable": ("{ echo(text: $v) }", VALID),
    "unused variable": ("query ($v: Int) { __typename }", VALID),
    "variable twice": ("query ($v: Int, $v: Int) { books(first: $v) { id } }", VALID),
    "variable of an output type": ("query ($v: Book) { echo(filter: $v) }", VALID),
    "variable of an unknown type": ("query ($v: Nope) { echo(text: $v) }", VALID),
    "variable of a type that doesn't fit": ("query ($v: Int) { echo(text: $v) }", VALID),
    "two operations of one name": ("query A { open } query A { open }", NO_OPERATION),
    "two operations without a name": ("{ open } { open }", NO_OPERATION),
    "two operations, none chosen": ("query A { open } query B { open }", NO_OPERATION),
    "type definition": ("{ open } type Query { mine: Int }", VALID),
    "schema definition": ("schema { query: Query }", NO_OPERATION),
    "type extension": ("extend type Query { mine: Int }", NO_OPERATION),
    "subscription with two roots": (
        "subscription { a: ticks(count: 1) { number } b: ticks(count: 1) { number } }",
        VALID,
    ),
    "federation's entities": ("{ _entities(representations: []) { __typename } }", VALID),
    "federation's SDL": ("{ _service { sdl } }", VALID),
    "an inaccessible join type": ("{ __type(name: 1) { name } }", VALID),
    "19,999 quotes": ('"' * 19_999, TOKENS),
    "20,001 characters": ("{ open }" + " " * 20_000, TOKENS),
    "a megabyte": ("{ echo(text: " + '"' + "a" * 900_000 + '") }', TOKENS),
    "2,001 tokens": ("{ " + "open " * 2_000 + "}", TOKENS),
    "10,000 braces": ("{" * 10_000, TOKENS),
    "1,000 braces": ("{a" * 900, DEPTH),
    "brackets in brackets": ("{ echo(numbers: " + "[" * 800 + "]" * 800 + ") }", DEPTH),
    "objects in objects": ("{ echo(filter: " + "{inner:" * 400 + "{}" + "}" * 400 + ") }", DEPTH),
    "types in lists": ("query ($v: " + "[" * 500 + "Int" + "]" * 500 + ") { open }", DEPTH),
    "16 levels": (sequels(14), DEPTH),
    "50 levels": (sequels(48), DEPTH),
    "levels in inline fragments": ("{ " + "... { " * 70 + "open" + " }" * 70 + " }", DEPTH),
    "levels through fragments": (
        "{ book(id: 1) { ...F0 } }"
        + "".join(f" fragment F{each} on Book {{ sequel {{ ...F{each + 1} }} }}" for each in range(30))
        + " fragment F30 on Book { id }",
        DEPTH,
    ),
    "introspection in a circle": (
        "{ __schema { types { " + "fields { type { " * 12 + "name" + " } }" * 12 + " } } }",
        DEPTH,
    ),
    "fragment bomb of 2^20 fields": (chain(20), FIELDS),
    "fragment bomb of 2^49 fields": (chain(49), FIELDS),
    "introspection bomb": (
        "{ __schema { types { ...F0 } } } "
        + " ".join(f"fragment F{each} on __Type {{ ...F{each + 1} ...F{each + 1} }}" for each in range(30))
        + " fragment F30 on __Type { name }",
        FIELDS,
    ),
    "401 fields": ("{ " + " ".join(["open"] * 401) + " }", FIELDS),
    "31 aliases": ("{ book(id: 1) { " + " ".join(f"a{each}: id" for each in range(31)) + " } }", "MAX_ALIASES_LIMIT"),
    "31 root fields": ("{ " + "open " * 31 + "}", "MAX_ROOT_FIELDS_LIMIT"),
    "31 root fields in fragments": (
        "{ ...A ...A } fragment A on Query { " + "open " * 16 + "}",
        "MAX_ROOT_FIELDS_LIMIT",
    ),
    "6 mutations": (
        "mutation { " + " ".join(f'a{each}: addBook(title: "x") {{ id }}' for each in range(6)) + " }",
        "MAX_ROOT_FIELDS_LIMIT",
    ),
    "31 directives": ("{ " + "open @include(if: true) " * 30 + "__typename @skip(if: false) }", "MAX_DIRECTIVES_LIMIT"),
    "700 directives on a field": ("{ open " + "@a " * 700 + "}", "MAX_DIRECTIVES_LIMIT"),
    "directives on variables": (
        "query (" + " ".join(f"$v{each}: Int @a" for each in range(31)) + ") { open }",
        "MAX_DIRECTIVES_LIMIT",
    ),
    "11 operations": (" ".join(f"query Q{each} {{ open }}" for each in range(11)), "MAX_DEFINITIONS_LIMIT"),
    "51 fragments": (
        "{ open } " + " ".join(f"fragment F{each} on Query {{ open }}" for each in range(51)),
        "MAX_DEFINITIONS_LIMIT",
    ),
    "51 variables": (
        "query (" + " ".join(f"$v{each}: Int" for each in range(51)) + ") { open }",
        "MAX_VARIABLES_LIMIT",
    ),
}

VARIABLES: dict[str, tuple[str, Any, str]] = {
    "a number for text": (ECHO, 1, INPUT),
    "an object for text": (ECHO, {}, INPUT),
    "text for numbers": (NUMBERS, "one", INPUT),
    "a fraction": (NUMBERS, [1.5], INPUT),
    "a number beyond 32 bits": (NUMBERS, [2**31], INPUT),
    "a number beyond 64 bits": (NUMBERS, [2**63 - 1], INPUT),
    "a number as text": (NUMBERS, ["1"], INPUT),
    "true for a number": (NUMBERS, [True], INPUT),
    "null in a list": (NUMBERS, [None], INPUT),
    "a list in a list": (NUMBERS, [[1]], INPUT),
    "an unknown input field": (FILTER, {"nope": 1}, INPUT),
    "a wrong input field, deep": (FILTER, {"inner": {"inner": {"title": []}}}, INPUT),
    "a list for an object": (FILTER, [], INPUT),
    "a prototype": (FILTER, {"__proto__": {}}, INPUT),
    "a dunder": (FILTER, {"__class__": "x"}, INPUT),
    "100,000 wrong items": (NUMBERS, ["x"] * 100_000, INPUT),
    "null where there must be one": ("query ($v: ID!) { book(id: $v) { id } }", None, INPUT),
}


async def refused(http: httpx2.AsyncClient, door: Any, body: Any, code: str) -> Any:
    response = await http.post(door.graphql, json=body)
    errors = response.json()["errors"]
    assert (response.status_code, {error["extensions"]["code"] for error in errors} >= {code}) == (400, True), errors
    assert len(response.content) < 32_768
    assert all(len(error["message"]) <= 300 for error in errors)
    assert "Traceback" not in response.text
    alive = await http.post(door.graphql, json={"query": "{ __typename }"})
    assert alive.json() == {"data": {"__typename": "Query"}}
    return errors


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_a_hostile_document_is_refused(http: httpx2.AsyncClient, door: Any, name: str) -> None:
    document, code = DOCUMENTS[name]
    errors = await refused(http, door, {"query": document}, code)
    for error in errors:
        limit = error["extensions"].get("limit")
        if error["extensions"]["class"] == "LIMIT":
            assert limit["figure"] > limit["value"]
            assert f"{limit['name']} come to {limit['figure']}; the limit is {limit['value']}" in error["message"]


@pytest.mark.parametrize("name", VARIABLES)
async def test_hostile_variables_are_refused(http: httpx2.AsyncClient, door: Any, name: str) -> None:
    document, value, code = VARIABLES[name]
    await refused(http, door, {"query": document, "variables": {"v": value}}, code)


async def test_all_broken_limits_are_named_at_once(http: httpx2.AsyncClient, door: Any) -> None:
    document = "{ " + " ".join(f"a{each}: open @skip(if: false)" for each in range(32)) + " }"
    errors = await refused(http, door, {"query": document}, "MAX_ALIASES_LIMIT")
    assert [error["extensions"]["limit"] for error in errors] == [
        {"name": "aliases", "value": 30, "figure": 32},
        {"name": "directives", "value": 30, "figure": 32},
        {"name": "root fields", "value": 30, "figure": 32},
    ]


async def test_the_tools_own_introspection_is_within_the_limits(http: httpx2.AsyncClient, door: Any) -> None:
    from graphql import build_client_schema, get_introspection_query

    query = get_introspection_query(specified_by_url=True, directive_is_repeatable=True, input_value_deprecation=True)
    response = await http.post(door.graphql, json={"query": query})
    schema = build_client_schema(response.json()["data"])
    assert set(schema.query_type.fields) == {"book", "books", "echo", "slow", "cancelled", "open"}
    assert not [
        name for name in schema.type_map if name.startswith(("join__", "link__", "_")) and not name.startswith("__")
    ]
