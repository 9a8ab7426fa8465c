"""Laws of what reads outside bytes: figures are those of the written-out document, and rubbish is only ever refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from types import FrameType
from typing import Any

import pytest
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.access.admit import admit, admit_text
from gateway.access.limits import Limits
from gateway.access.measure import measure_document
from gateway.errors import GatewayError, RequestRefused
from gateway.transport.graphql_request import read_get, read_post
from gateway.transport.media_type import negotiate, parse_media_type
from gateway.transport.settings import TransportSettings
from gateway.transport.websocket_message import BadMessage, parse_message

NAMES = "ABCD"


@st.composite
def selections(draw: st.DrawFn, depth: int, spreadable: str) -> str:
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["leaf", "alias", "object", "inline", "spread"]))
        if kind == "spread" and spreadable:
            parts.append(f"...{draw(st.sampled_from(spreadable))}")
        elif kind == "object" and depth:
            parts.append(f"o {{ {draw(selections(depth - 1, spreadable))} }}")
        elif kind == "inline" and depth:
            parts.append(f"... @skip(if: false) {{ {draw(selections(depth - 1, spreadable))} }}")
        elif kind == "alias":
            parts.append("x: l @include(if: true)")
        else:
            parts.append("l")
    return " ".join(parts)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Documents whose fragments spread later ones only, and so can be written out."""
    parts = [f"query ($v: Int) {{ {draw(selections(3, NAMES))} }}"]
    for place, name in enumerate(NAMES):
        parts.append(f"fragment {name} on T {{ {draw(selections(2, NAMES[place + 1 :]))} }}")
    return " ".join(parts)


def written_out(
    selection_set: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode], depth: int = 1
) -> list[int]:
    """Return the depth of every field once fragments are written out, the slow and obvious way."""
    depths = []
    for selection in selection_set.selections:
        match selection:
            case FieldNode():
                depths.append(depth)
                if selection.selection_set is not None:
                    depths += written_out(selection.selection_set, fragments, depth + 1)
            case FragmentSpreadNode():
                depths += written_out(fragments[selection.name.value].selection_set, fragments, depth)
            case inline:
                depths += written_out(inline.selection_set, fragments, depth)
    return depths


@settings(max_examples=120, deadline=None)
@given(documents())
def test_figures_are_those_of_the_document_with_its_fragments_written_out(text: str) -> None:
    document = parse(text)
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    operation = next(each for each in document.definitions if isinstance(each, OperationDefinitionNode))
    depths = written_out(operation.selection_set, fragments)
    (figures,) = measure_document(document).operations
    assert (figures.fields, figures.depth, figures.root_fields) == (len(depths), max(depths), depths.count(1))


def test_measuring_is_linear_in_the_document() -> None:
    """Counted in calls of functions, which neither the machine nor its load changes."""

    def calls(size: int) -> int:
        body = " ".join(f"fragment F{each} on T {{ ...F{each + 1} ...F{each + 1} o {{ l }} }}" for each in range(size))
        document = parse(f"{{ ...F0 }} {body} fragment F{size} on T {{ l }}", no_location=True)
        counted = 0

        def count(_frame: FrameType, event: str, _argument: object) -> None:
            nonlocal counted
            counted += event in {"call", "c_call"}

        sys.setprofile(count)
        try:
            measure_document(document)
        finally:
            sys.setprofile(None)
        return counted

    assert calls(400) > 400
    assert calls(4_000) < 10.5 * calls(400)


@pytest.mark.parametrize("size", [1, 10, 10_000])
def test_introspection_can_be_switched_off(size: int) -> None:
    off = Limits(introspection=False, characters=10**6, tokens=10**6, aliases=10**6, fields=10**6, root_fields=10**6)
    admit(parse("{ " + "open " * size + "}"), off)
    for document in ("{ __schema { description } }", "{ ...F } fragment F on Query { __type(name: 1) { name } }"):
        with pytest.raises(GatewayError) as refused:
            admit(parse(document), off)
        assert refused.value.code == "INTROSPECTION_DISABLED"
    admit(parse("{ __typename }"), off)


def test_trusted_documents_may_select_more() -> None:
    document = parse("{ book { " + "id " * 500 + "} }")
    with pytest.raises(RequestRefused):
        admit(document, Limits())
    admit(document, Limits(), trusted=True)


@settings(max_examples=120, deadline=None)
@given(st.text(max_size=200))
@example('"""' * 50)
@example("{" * 100)
def test_any_text_is_admitted_or_refused(text: str) -> None:
    with suppress(GatewayError):
        admit_text(text, Limits(tokens=20, nesting=5))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["query", "variables", "id", "type", "payload"]), inner)
    ),
    max_leaves=10,
)


@settings(max_examples=120, deadline=None)
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    for read in (
        lambda: read_post(body, {"content-type": "application/json"}, TransportSettings()),
        lambda: read_get(body, {}, TransportSettings()),
    ):
        with suppress(GatewayError):
            read()


@settings(max_examples=120, deadline=None)
@given(st.text(max_size=200) | JSON.map(json.dumps))
@example('{"type":"connection_init","payload":null}')
def test_any_frame_is_a_message_or_refused(text: str) -> None:
    with suppress(BadMessage):
        parse_message(text)


@settings(max_examples=120, deadline=None)
@given(st.text(st.characters(max_codepoint=255), max_size=100))
@example("application/json;q=nan")
@example("application/json;q=inf, */*;q=-1")
@example(";;;=,,=;q")
def test_any_accept_header_is_negotiated_or_refused(header: str) -> None:
    parse_media_type(header)
    with suppress(GatewayError):
        accepted: Any = negotiate(header)
        assert accepted.single or accepted.streaming or accepted.page
