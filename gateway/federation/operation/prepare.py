"""Document text to `Operation`: parse, choose the operation, validate.

https://spec.graphql.org/draft/#sec-Validation
"""

from __future__ import annotations

from collections.abc import Mapping

from graphql import DirectiveLocation, GraphQLError, GraphQLSchema, GraphQLSyntaxError, parse, validate
from graphql.language import ast

from gateway.errors import GatewayError, RequestRefused
from gateway.federation.operation.model import Operation, OperationKind
from gateway.federation.supergraph import Directives
from gateway.federation.supergraph.selection import SelectionReader, print_directives, print_type_node, print_value

MAX_ERRORS = 20
"""Validation stops at this many errors: the rest are usually echoes, and their number is the client's to choose."""


def prepare(
    schema: GraphQLSchema,
    text: str,
    operation_name: str | None = None,
    *,
    document: ast.DocumentNode | None = None,
    max_errors: int = MAX_ERRORS,
) -> Operation:
    """Parse and validate a document, and return the operation to run. `document` is the text's where it is parsed.

    Raises GatewayError with GRAPHQL_PARSE_FAILED or OPERATION_RESOLUTION_FAILURE, and RequestRefused with one
    GRAPHQL_VALIDATION_FAILED for each finding.
    """
    if document is None:
        document = parse_document(text)
    definition = select_operation(document, operation_name)
    validate_document(schema, document, max_errors=max_errors)
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, ast.FragmentDefinitionNode)}
    on_fragments = _names_at(schema, DirectiveLocation.INLINE_FRAGMENT)
    return Operation(
        kind=OperationKind(definition.operation.value),
        name=definition.name.value if definition.name else None,
        text=text,
        schema=schema,
        document=document,
        definition=definition,
        fragments=fragments,
        variable_types=_variable_types(definition),
        selections=SelectionReader(fragments, on_fragments).read(definition.selection_set),
        directives=_operation_directives(schema, definition),
    )


def _names_at(schema: GraphQLSchema, location: DirectiveLocation) -> frozenset[str]:
    return frozenset(each.name for each in schema.directives if location in each.locations)


def _operation_directives(
    schema: GraphQLSchema, definition: ast.OperationDefinitionNode
) -> Mapping[OperationKind, Directives]:
    if not definition.directives:
        return {}
    found: dict[OperationKind, Directives] = {}
    for kind in OperationKind:
        names = _names_at(schema, DirectiveLocation[kind.name])
        printed = print_directives(node for node in definition.directives if node.name.value in names)
        if printed is not None:
            found[kind] = printed
    return found


def parse_document(text: str) -> ast.DocumentNode:
    """Parse a document. Raises GatewayError with GRAPHQL_PARSE_FAILED."""
    try:
        return parse(text, allow_empty_selection_sets=False)
    except GraphQLSyntaxError as error:
        raise GatewayError("GRAPHQL_PARSE_FAILED", error.message, locations=_locations(error)) from error
    except RecursionError as error:
        raise GatewayError("GRAPHQL_PARSE_FAILED", "The document is nested too deeply to be read.") from error


def select_operation(document: ast.DocumentNode, name: str | None) -> ast.OperationDefinitionNode:
    """Return the operation to run: the named one, or the only one.

    https://spec.graphql.org/draft/#GetOperation(). Raises GatewayError with OPERATION_RESOLUTION_FAILURE.
    """
    operations = [node for node in document.definitions if isinstance(node, ast.OperationDefinitionNode)]
    if name:
        for operation in operations:
            if operation.name and operation.name.value == name:
                return operation
        raise GatewayError("OPERATION_RESOLUTION_FAILURE", f"The document has no operation named {name!r}."[:300])
    if len(operations) == 1:
        return operations[0]
    if not operations:
        raise GatewayError("OPERATION_RESOLUTION_FAILURE", "The document has no operation.")
    raise GatewayError(
        "OPERATION_RESOLUTION_FAILURE", "The document has several operations; name one in `operationName`."
    )


def validate_document(schema: GraphQLSchema, document: ast.DocumentNode, *, max_errors: int = MAX_ERRORS) -> None:
    """Check a document against the specification's rules.

    Raises RequestRefused with at most `max_errors` findings, each located.
    """
    try:
        findings = validate(schema, document, max_errors=max_errors)
    except RecursionError as error:
        raise GatewayError("GRAPHQL_VALIDATION_FAILED", "The document is nested too deeply to be checked.") from error
    errors = [_refusal(finding) for finding in findings[:max_errors]]
    errors.extend(_reserved_aliases(document)[: max_errors - len(errors)] if not errors else ())
    if errors:
        raise RequestRefused(tuple(errors))


def _refusal(error: GraphQLError) -> GatewayError:
    return GatewayError("GRAPHQL_VALIDATION_FAILED", error.message, locations=_locations(error))


def _reserved_aliases(document: ast.DocumentNode) -> list[GatewayError]:
    """Refuse `__typename` as an alias of another field: responses would no longer say which type an object has."""
    errors: list[GatewayError] = []
    pending: list[ast.SelectionSetNode] = [
        node.selection_set
        for node in document.definitions
        if isinstance(node, ast.OperationDefinitionNode | ast.FragmentDefinitionNode)
    ]
    while pending:
        for node in pending.pop().selections:
            if isinstance(node, ast.FieldNode) and node.alias and node.alias.value == "__typename" != node.name.value:
                locations = ((node.loc.start_token.line, node.loc.start_token.column),) if node.loc else ()
                message = "The alias '__typename' is reserved for the field of that name."
                errors.append(GatewayError("GRAPHQL_VALIDATION_FAILED", message, locations=locations))
            if isinstance(node, ast.FieldNode | ast.InlineFragmentNode) and node.selection_set:
                pending.append(node.selection_set)
    return errors


def _locations(error: GraphQLError) -> tuple[tuple[int, int], ...]:
    return tuple((location.line, location.column) for location in error.locations or ())


def _variable_types(definition: ast.OperationDefinitionNode) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for node in definition.variable_definitions or ():
        default = f"={print_value(node.default_value)}" if node.default_value else ""
        directives = print_directives(node.directives or ())
        found[node.variable.name.value] = print_type_node(node.type) + default + (directives.text if directives else "")
    return found
