"""A change between two supergraphs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class ChangeLevel(StrEnum):
    """What a change means for clients that don't change."""

    BREAKING = "BREAKING"
    """Some operation that worked is refused, or answers with less."""
    DANGEROUS = "DANGEROUS"
    """Operations go on working, but a client may meet something it doesn't expect."""
    SAFE = "SAFE"


@dataclass(frozen=True, slots=True)
class Change:
    """One change."""

    level: ChangeLevel
    code: str
    """What happened, such as `FIELD_REMOVED` or `ACCESS_RESTRICTED`."""
    message: str
    coordinate: str | None = None
    """Schema coordinate of what changed, such as `User.name` or `Query.user(id:)`; None for a subgraph."""

    def to_json(self) -> Mapping[str, str]:
        """The change as plain data, absent parts left out."""
        parts = {"level": str(self.level), "code": self.code, "message": self.message}
        return parts if self.coordinate is None else {**parts, "coordinate": self.coordinate}
