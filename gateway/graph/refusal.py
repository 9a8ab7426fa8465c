"""Refusals of the gateway's own fields, as GraphQL errors with a code of the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLError

from gateway.errors import GatewayError, located_error


def refusal(code: str, message: str = "") -> GraphQLError:
    """Return an error for a resolver to raise."""
    return to_graphql_error(GatewayError(code, message))


def to_graphql_error(error: GatewayError, extensions: Mapping[str, Any] | None = None) -> GraphQLError:
    """Return a refusal from deeper down as an error for a resolver to raise; `extensions` go before the error's own."""
    told = error.extensions if extensions is None else extensions
    entry = located_error(error.code, error.message, retry_after_ms=error.retry_after_ms, extensions=told)
    return GraphQLError(entry["message"], extensions=entry["extensions"], original_error=error)
