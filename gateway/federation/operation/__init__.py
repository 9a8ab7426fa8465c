"""What the client asks: a document parsed, validated and expanded, and its variables coerced."""

from gateway.federation.operation.model import Operation, OperationKind
from gateway.federation.operation.prepare import (
    parse_document,
    prepare,
    select_operation,
    validate_document,
)
from gateway.federation.operation.text import print_operation
from gateway.federation.operation.variables import coerce_variables

__all__ = [
    "Operation",
    "OperationKind",
    "coerce_variables",
    "parse_document",
    "prepare",
    "print_operation",
    "select_operation",
    "validate_document",
]
