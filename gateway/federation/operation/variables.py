"""A request's variables against the types the operation declares.

https://spec.graphql.org/draft/#sec-Coercing-Variable-Values
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from graphql import GraphQLError, value_from_ast_untyped
from graphql.execution import get_variable_values

from gateway.errors import GatewayError, RequestRefused
from gateway.federation.operation.model import Operation

_WHERE = re.compile(r"^Variable '\$(\w+)'(?: has invalid value at ([^:]+):)?")
_STEP = re.compile(r"\.([_A-Za-z]\w*)|\[(\d+)\]")


def coerce_variables(operation: Operation, raw: Mapping[str, Any] | None, *, max_errors: int = 20) -> Mapping[str, Any]:
    """Return the variables to send on: the client's values as they came, with declared defaults filled in.

    Variables that the operation does not declare are left out; absent ones without a default stay absent.
    Raises RequestRefused with one BAD_USER_INPUT for each value that does not fit, whose `path` starts with the
    variable's name.
    """
    values = raw or {}
    declared = operation.definition.variable_definitions or ()
    if not declared:
        return {}
    checked = get_variable_values(operation.schema, declared, dict(values), max_errors=max_errors)
    if isinstance(checked, list):
        raise RequestRefused(tuple(_refusal(error) for error in checked[:max_errors]))
    result: dict[str, Any] = {}
    for definition in declared:
        name = definition.variable.name.value
        if name in values:
            result[name] = values[name]
        elif definition.default_value is not None:
            result[name] = value_from_ast_untyped(definition.default_value)
    return result


def _refusal(error: GraphQLError) -> GatewayError:
    locations = tuple((location.line, location.column) for location in error.locations or ())
    return GatewayError("BAD_USER_INPUT", error.message, locations=locations, extensions=_input_path(error.message))


def _input_path(message: str) -> Mapping[str, Any]:
    """Return where in the variables the value is: `{"variable": "input", "inputPath": ["input", "lines", 0]}`."""
    return {} if (path := _read_path(message)) is None else {"variable": path[0], "inputPath": path}


def _read_path(message: str) -> list[str | int] | None:
    """Read the path of a variable's value out of graphql-core's message, which is the only place that has it."""
    found = _WHERE.match(message)
    if found is None:
        return None
    steps: list[str | int] = [found[1]]
    for name, index in _STEP.findall(found[2] or ""):
        steps.append(int(index) if index else name)
    return steps
