"""The ways in which Tryton says no, and what each becomes on REST and RPC."""

from __future__ import annotations


class UserError(Exception):
    """A rule of the books or of the data forbids it; told in words to a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConcurrencyError(Exception):
    """A record has changed since the `_timestamp` that was sent."""


class ServerError(Exception):
    """What ends as a 500 page in Tryton: an unknown model or field, a value of the wrong type."""


class ForbiddenError(Exception):
    """A method that is not callable from outside."""


class MissingError(Exception):
    """A single record that does not exist."""
