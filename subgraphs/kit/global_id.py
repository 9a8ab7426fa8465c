"""Global object ids: base64url without padding of `Type:local`, opaque to clients.

`encode_global_id("Customer", "0192f")` → `"Q3VzdG9tZXI6MDE5MmY"`. What has a business key uses it as its local id, so that
every subgraph names it alike without asking: `Contract:CON-2025-0001`, `Invoice:INV-2025-00001`.
https://relay.dev/graphql/objectidentification.htm
"""

from __future__ import annotations

import base64
import binascii

from subgraphs.kit.system_error import BadUserInputError


def encode_global_id(type_name: str, local: str) -> str:
    """Return the opaque id of the object that its type calls `local`."""
    return base64.urlsafe_b64encode(f"{type_name}:{local}".encode()).rstrip(b"=").decode()


def parse_global_id(value: str) -> tuple[str, str]:
    """Return `(type name, local id)`. Raises BadUserInputError when `value` is not a global id."""
    try:
        text = base64.b64decode(
            value.encode("ascii") + b"=" * (-len(value) % 4), altchars=b"-_", validate=True
        ).decode()
    except (binascii.Error, UnicodeError, ValueError):
        text = ""
    type_name, separator, local = text.partition(":")
    if not (type_name.isidentifier() and separator and local) or encode_global_id(type_name, local) != value:
        raise BadUserInputError("The id is not a global id of this graph.")
    return type_name, local


def local_id(value: str, type_name: str) -> str:
    """Return the local part of a global id of `type_name`. Raises BadUserInputError for another type's id."""
    found, local = parse_global_id(value)
    if found != type_name:
        raise BadUserInputError(f"The id is of another type than {type_name}.")
    return local
