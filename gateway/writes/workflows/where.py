"""Conditions of lists that are read page by page, as SQL with `?` for each value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Where:
    """Conditions that all have to hold."""

    def __init__(self) -> None:
        self._conditions: list[str] = ["1 = 1"]
        self.given: list[Any] = []
        """The values, in the order of their marks."""

    def __str__(self) -> str:
        return " AND ".join(self._conditions)

    def one_of(self, values: Sequence[Any] | None, *columns: str) -> None:
        """One of the columns has one of the values; None lets all through, no values let nothing through."""
        if values is None:
            return
        marks = ", ".join("?" * len(values))
        parts = [f"{column} IN ({marks})" for column in columns]
        self._conditions.append(f"({' OR '.join(parts)})" if values else "1 = 0")
        self.given += [str(value) for _ in columns for value in values]

    def equal(self, column: str, value: str | None) -> None:
        """The column has the value; None lets all through."""
        if value is not None:
            self._conditions.append(f"{column} = ?")
            self.given.append(value)

    def beyond(self, column: str, sign: str, place: tuple[float, str] | None) -> None:
        """What stands on one side (`<` or `>`) of a place, the (time, id) of an entry; None is no place."""
        if place is not None:
            self._conditions.append(f"({column} {sign} ? OR ({column} = ? AND id {sign} ?))")
            self.given += [place[0], place[0], place[1]]
