"""Refusals of the gateway's own fields, as GraphQL errors with a code of the registry."""

from __future__ import annotations

from graphql import GraphQLError

from gateway.errors import GatewayError, located_error


def refusal(code: str, message: str = "") -> GraphQLError:
    """Return an error for a resolver to raise."""
    return to_graphql_error(GatewayError(code, message))


def to_graphql_error(error: GatewayError) -> GraphQLError:
    """Return a refusal from deeper down as an error for a resolver to raise."""
    entry = located_error(error.code, error.message, retry_after_ms=error.retry_after_ms, extensions=error.extensions)
    return GraphQLError(entry["message"], extensions=entry["extensions"], original_error=error)
