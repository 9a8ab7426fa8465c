"""Ids of several instances of one system beside each other: the first keeps the vendor's own, further ones begin with a name.

`InstanceIds("acme").add("9100001")` → `"acme:9100001"`; an instance without a name changes nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
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
        """Return a record whose `fields`, an id or a tuple of them, hold the graph's; one that is empty or missing stays so."""
        return _changed(record, fields, self.add) if self.name else record

    def own_record(self, record: RecordT, fields: Sequence[str]) -> RecordT:
        """Return a record whose `fields` hold the vendor's ids again: the way back from `record`."""
        return _changed(record, fields, lambda graph_id: graph_id.removeprefix(self.prefix)) if self.name else record


def instance_of_id(system: str, graph_id: str) -> tuple[str, str]:
    """Return what the crosswalk calls the instance that an id names, and its own id: ("erp", "us:12") → ("erp/us", "12")."""
    name, separator, own = graph_id.partition(":")
    return (f"{system}/{name}", own) if separator else (system, graph_id)


def _changed(record: RecordT, fields: Sequence[str], change: Callable[[str], str]) -> RecordT:
    held = {name: value for name in fields if (value := getattr(record, name, None))}
    values = {
        name: change(value) if isinstance(value, str) else tuple(map(change, value)) for name, value in held.items()
    }
    return dataclasses.replace(record, **values)  # type: ignore[type-var]  # every record is a dataclass


def id_order(graph_id: str) -> tuple[str, int, str]:
    """Return a sort key: by instance, one's own first, then by number where ids are numbers.

    `"7"` → `("", 7, "7")`, `"us:12"` → `("us", 12, "12")`.
    """
    name, _, own = graph_id.rpartition(":")
    return name, int(own) if own.isascii() and own.isdigit() else 0, own
