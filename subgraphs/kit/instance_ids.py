"""Ids of several instances of one system beside each other: the first keeps the vendor's own, further ones begin with a name.

`InstanceIds("acme").add("9100001")` → `"acme:9100001"`; an instance without a name changes nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

RecordT = TypeVar("RecordT")


@dataclass(frozen=True, slots=True)
class InstanceIds:
    """The ids of one instance, as the graph knows them."""

    name: str = ""

    @property
    def prefix(self) -> str:
        """What they begin with."""
        return f"{self.name}:" if self.name else ""

    def add(self, own: str) -> str:
        """Return the graph's id of one of the vendor's."""
        return self.prefix + own

    def add_all(self, own: Sequence[str]) -> list[str]:
        """Return the graph's ids of the vendor's."""
        return [self.prefix + each for each in own]

    def own(self, ids: Sequence[str]) -> list[str]:
        """Return the vendor's ids of those that are this instance's; others are left out."""
        return [each.removeprefix(self.prefix) for each in ids if self.owns(each)]

    def owns(self, graph_id: str) -> bool:
        """Whether an id is of this instance."""
        return graph_id.startswith(self.prefix) if self.name else ":" not in graph_id

    def keyed(self, found: Mapping[str, RecordT]) -> dict[str, RecordT]:
        """Return what was found by the vendor's ids under the graph's."""
        return {self.prefix + key: value for key, value in found.items()}

    def record(self, record: RecordT, fields: Sequence[str]) -> RecordT:
        """Return a record whose `fields` hold the graph's ids; one that it has not, or that is None, stays as it is."""
        if not self.name:
            return record
        changed = {name: self.prefix + value for name in fields if (value := getattr(record, name, None)) is not None}
        return dataclasses.replace(record, **changed)  # type: ignore[type-var]  # every record is a dataclass
