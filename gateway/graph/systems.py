"""What the gateway's own graph tells of the systems behind the graph, and who knows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class SystemStatus(StrEnum):
    """How a system of record does, as the gateway sees it."""

    UP = "UP"
    DEGRADED = "DEGRADED"
    DOWN = "DOWN"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemState:
    """A system of record, or another source of the graph."""

    name: str
    """Logical name, as in errors: `crm`."""
    owner: str | None
    """Handle of the team to turn to."""
    status: SystemStatus


class SystemDirectory(Protocol):
    """Knows the systems behind the graph."""

    async def systems(self) -> Sequence[SystemState]:
        """Return all systems, in the order they are configured."""
        ...
