"""What of an argument demands: a filter or an order by a figure tells of the figure, and wants the scope that reading it does.

Federation has no directive for arguments, their fields and values, so the owner of the field refuses, and says what is lacking.
"""

from __future__ import annotations

from subgraphs.kit.current_request import current_request
from subgraphs.kit.system_error import FieldError


class ForbiddenError(FieldError):
    """The caller may not do this."""

    code = "FORBIDDEN"


def demand(scope: str, what: str) -> None:
    """Raise ForbiddenError where the caller of the request being served lacks a scope; our own loops lack none."""
    current = current_request()
    caller = current.caller if current else None
    if caller is not None and not caller.is_unrestricted and scope not in caller.scopes:
        raise ForbiddenError(f"{what} demands the scope {scope}.")
