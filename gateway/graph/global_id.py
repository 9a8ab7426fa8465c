"""Global ids as the gateway needs them: it reads the type and leaves the rest to the type's owner."""

from __future__ import annotations

import base64
import binascii

from gateway.graph.refusal import refusal

_MAX_LENGTH = 400


def typename_of(global_id: str) -> str:
    """Return the type in an id, base64url without padding of `Type:local`. Raises BAD_USER_INPUT."""
    return _parts(global_id)[0]


def local_id(global_id: str, typename: str) -> str:
    """Return what the owner calls an object of a type. Raises BAD_USER_INPUT for the id of another type."""
    found, local = _parts(global_id)
    if found != typename:
        raise refusal("BAD_USER_INPUT", f"The id is of another type than {typename}.")
    return local


def of_type(global_id: str | None, typename: str) -> str | None:
    """Return an id as it is, or None where none is given. Raises BAD_USER_INPUT for the id of another type."""
    if global_id is not None:
        local_id(global_id, typename)
    return global_id


def _parts(global_id: str) -> tuple[str, str]:
    try:
        if len(global_id) > _MAX_LENGTH or global_id.endswith("="):
            raise ValueError
        padded = global_id + "=" * (-len(global_id) % 4)
        typename, colon, local = base64.b64decode(padded, altchars=b"-_", validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        typename, colon, local = "", "", ""
    if not (typename.isidentifier() and colon and local):
        raise refusal("BAD_USER_INPUT", "The id is not a global id of this graph.")
    return typename, local
