"""Everything that a client of our graph can see has a description that says more than its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLSchema,
    build_schema,
    is_introspection_type,
    is_specified_directive,
    is_specified_scalar_type,
)

from gateway.federation.composition import SubgraphSource, compose

SCHEMA = Path(__file__).parents[2] / "schema"
MEANINGLESS = re.compile(
    r"\b(an?|all|any|as|at|by|for|from|given|has|have|in|is|its?|of|on|or|that|the|their|this|to|with|"
    r"what|when|where|which|whether|who|object|values?|fields?)\b"
)


def described(schema: GraphQLSchema) -> Iterator[tuple[str, str | None]]:
    """Each public element, by coordinate, with its description."""
    for name, drawn in schema.type_map.items():
        if is_introspection_type(drawn) or is_specified_scalar_type(drawn):
            continue
        yield name, drawn.description
        members: dict[str, Any] = {**getattr(drawn, "fields", {}), **getattr(drawn, "values", {})}
        for member_name, member in members.items():
            yield f"{name}.{member_name}", member.description
            for argument_name, argument in getattr(member, "args", {}).items():
                yield f"{name}.{member_name}({argument_name}:)", argument.description
    for directive in schema.directives:
        if not is_specified_directive(directive):
            yield f"@{directive.name}", directive.description
            for argument_name, argument in directive.args.items():
                yield f"@{directive.name}({argument_name}:)", argument.description


def says_nothing(coordinate: str, description: str) -> bool:
    """Whether a description only repeats the words of what it stands at: "The status of the invoice"."""
    named = set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", coordinate).replace("_", " ").lower()))
    said = set(re.findall(r"[a-z0-9]+", MEANINGLESS.sub(" ", description.lower())))
    return {word.removesuffix("s") for word in said} <= {word.removesuffix("s") for word in named}


def api() -> GraphQLSchema:
    return build_schema((SCHEMA / "api.graphql").read_text())


def test_everything_public_has_a_description():
    undescribed = [coordinate for coordinate, description in described(api()) if not (description or "").strip()]
    assert not undescribed, "Describe these where their subgraph declares them:\n" + "\n".join(undescribed)


def test_no_description_only_repeats_the_name():
    empty = [
        f"{coordinate}: {description}"
        for coordinate, description in described(api())
        if description and not coordinate.endswith(("Connection", "Edge")) and says_nothing(coordinate, description)
    ]
    assert not empty, "\n".join(empty)


def test_the_subgraphs_describe_what_they_share_alike():
    sources = [
        SubgraphSource(path.stem, "http://_", path.read_text()) for path in (SCHEMA / "subgraphs").glob("*.graphql")
    ]
    composed = compose(sources)
    assert composed.supergraph_sdl is not None
    assert [hint.message for hint in composed.hints if hint.code == "INCONSISTENT_DESCRIPTION"] == []


def test_a_missing_or_worthless_description_is_found():
    schema = build_schema(
        'type Query { invoice("The id of the invoice." id: ID!): Invoice } '
        '"What is owed." type Invoice { "The status of the invoice." status: State "DRAFT until posted." state: State } '
        'enum State { "In the books." POSTED DRAFT }'
    )
    elements = dict(described(schema))
    assert [name for name, text in elements.items() if not text] == ["Query", "Query.invoice", "State", "State.DRAFT"]
    assert [name for name, text in elements.items() if text and says_nothing(name, text)] == [
        "Query.invoice(id:)",
        "Invoice.status",
    ]
