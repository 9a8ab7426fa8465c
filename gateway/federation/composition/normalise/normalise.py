"""Normalises all subgraphs, and says what is wrong with each."""

from __future__ import annotations

from collections.abc import Sequence

from graphql import GraphQLSyntaxError, parse

from gateway.federation.composition.model.result import CompositionError, SubgraphSource
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.normalise.build import build
from gateway.federation.composition.normalise.coerce_enums import coerce_enum_defaults
from gateway.federation.composition.normalise.define import complete
from gateway.federation.composition.normalise.diagnose import from_graphql_error
from gateway.federation.composition.normalise.link import read_links
from gateway.federation.composition.normalise.roots import rename_roots
from gateway.federation.composition.normalise.strip import strip_operations
from gateway.federation.composition.normalise.validate import validate_document

Outcome = tuple[Subgraph | None, tuple[CompositionError, ...]]


def normalise(source: SubgraphSource) -> Outcome:
    """The subgraph, or why it can't be one; a federation 1 subgraph still is one."""
    try:
        return _normalise(source)
    except RecursionError:
        return None, (_refusal(source, "the SDL is nested too deeply to read"),)


def _normalise(source: SubgraphSource) -> Outcome:
    if not source.sdl.strip():
        return None, (_refusal(source, "the SDL is empty"),)
    try:
        document = parse(source.sdl)
    except GraphQLSyntaxError as error:
        return None, (from_graphql_error(source.name, error),)
    executable = [node for node in document.definitions if node.kind in ("operation_definition", "fragment_definition")]
    if executable:
        return None, (_refusal(source, "the SDL contains an operation; only type system definitions belong there"),)
    links, link_errors = read_links(source.name, document)
    if link_errors:
        return None, link_errors
    document = coerce_enum_defaults(strip_operations(document))
    document, added, definition_errors = complete(source.name, document, links)
    if definition_errors:
        return None, definition_errors
    invalid = validate_document(source.name, document, added, links)
    if invalid:
        return None, invalid
    subgraph, root_errors = rename_roots(build(source.name, source.url, document, added, links))
    return subgraph, root_errors


def _refusal(source: SubgraphSource, message: str) -> CompositionError:
    return CompositionError(code="INVALID_GRAPHQL", message=f"[{source.name}] {message}", subgraphs=(source.name,))


def check_names(sources: Sequence[SubgraphSource]) -> tuple[CompositionError, ...]:
    """Names that no subgraph may have, and names that several have."""
    if not sources:
        message = "there is no subgraph to compose"
        return (CompositionError(code="NO_SUBGRAPHS", message=message, mend="Name at least one subgraph."),)
    errors: list[CompositionError] = []
    seen: set[str] = set()
    for source in sources:
        if source.name == "_" or not source.name.strip():
            errors.append(
                CompositionError(
                    code="INVALID_SUBGRAPH_NAME",
                    message=f"`{source.name}` cannot be the name of a subgraph: it is reserved or empty",
                    subgraphs=(source.name,),
                    mend="Give the subgraph another name.",
                )
            )
        elif source.name in seen:
            errors.append(
                CompositionError(
                    code="INVALID_SUBGRAPH_NAME",
                    message=f"two subgraphs are called `{source.name}`",
                    subgraphs=(source.name,),
                    mend="Give each subgraph a name of its own.",
                )
            )
        seen.add(source.name)
    return tuple(errors)
