"""Idempotency keys: which write of a request has which key, and what the key stands for.

The key is the header `Idempotency-Key`, or `clientMutationId` among the mutation field's arguments, which goes first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import orjson
from graphql import FragmentDefinitionNode, SelectionSetNode, value_from_ast_untyped
from graphql.language import ast

from gateway.errors import GatewayError
from gateway.execution.ports import WriteKey
from gateway.federation.operation import Operation

HEADER = "idempotency-key"
MAX_KEY_LENGTH = 255


def write_keys(operation: Operation, variables: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, WriteKey]:
    """Return each mutation root field's key by response name; fields without a key are not in it.

    Raises GatewayError with BAD_REQUEST where a key is empty or too long.
    """
    header = headers.get(HEADER)
    keys: dict[str, WriteKey] = {}
    for node in _root_fields(operation.definition.selection_set, operation.fragments):
        arguments = {
            argument.name.value: value_from_ast_untyped(argument.value, dict(variables))
            for argument in node.arguments or ()
        }
        key = _client_mutation_id(arguments) or header
        if key is None:
            continue
        if not 0 < len(key) <= MAX_KEY_LENGTH or not key.isprintable():
            raise GatewayError("BAD_REQUEST", f"An idempotency key has 1 to {MAX_KEY_LENGTH} printable characters.")
        text = orjson.dumps([node.name.value, arguments], option=orjson.OPT_SORT_KEYS, default=str)
        name = (node.alias or node.name).value
        keys[name] = WriteKey(key=key, field_name=node.name.value, fingerprint=sha256(text).hexdigest())
    return keys


def _client_mutation_id(arguments: Mapping[str, Any]) -> str | None:
    for holder in (arguments, *arguments.values()):
        given = holder.get("clientMutationId") if isinstance(holder, dict) else None
        if isinstance(given, str) and given:
            return given
    return None


def _root_fields(
    selection_set: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> Iterator[ast.FieldNode]:
    for node in selection_set.selections:
        match node:
            case ast.FieldNode():
                yield node
            case ast.InlineFragmentNode():
                yield from _root_fields(node.selection_set, fragments)
            case ast.FragmentSpreadNode():
                yield from _root_fields(fragments[node.name.value].selection_set, fragments)
