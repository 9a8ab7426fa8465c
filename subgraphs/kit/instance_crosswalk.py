"""The crosswalk as several instances use it: each under a name of its own, `crm` or `crm/<name>`, and all together."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from subgraphs.kit.crosswalk import Crosswalk, CrosswalkRecord
from subgraphs.kit.instance_ids import InstanceIds


class RecordLinks(Protocol):
    """What is asked of the crosswalk by those who tell it their customers."""

    async def push(self, records: Iterable[CrosswalkRecord]) -> Mapping[str, str]:
        """Tell the records; returns the graph's id of each → global customer id. Raises VendorError."""
        ...

    async def gone(self, external_ids: Sequence[str]) -> None:
        """Tell that records were deleted, by the graph's ids. Raises VendorError."""
        ...

    async def resolve(self, external_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the graph's id of a record → global customer id. Raises VendorError."""
        ...


@dataclass(frozen=True, slots=True)
class InstanceCrosswalk:
    """One instance's way to the crosswalk, in the graph's ids."""

    crosswalk: Crosswalk
    ids: InstanceIds

    async def push(self, records: Iterable[CrosswalkRecord]) -> Mapping[str, str]:
        """Tell the records under the vendor's own ids."""
        return self.ids.keyed(await self.crosswalk.push(map(self._own, records)))

    def _own(self, record: CrosswalkRecord) -> CrosswalkRecord:
        parent = record.parent and next(iter(self.ids.own([record.parent])), "")
        return dataclasses.replace(record, external_id=self.ids.own([record.external_id])[0], parent=parent)

    async def gone(self, external_ids: Sequence[str]) -> None:
        """Tell that records were deleted, under the vendor's own ids."""
        await self.crosswalk.gone(self.ids.own(external_ids))

    async def resolve(self, external_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the customers of the ids that are this instance's."""
        return self.ids.keyed(await self.crosswalk.resolve(self.ids.own(external_ids)))

    def forget(self) -> None:
        """Believe no link until it is asked for again."""
        self.crosswalk.forget()

    async def records_of(self, customer: str) -> tuple[str, ...]:
        """Return the graph's ids of a customer's records here."""
        return tuple(self.ids.add_all(await self.crosswalk.records_of(customer)))


@dataclass(frozen=True, slots=True)
class CustomerRecords:
    """All instances' records of a customer."""

    crosswalks: Sequence[InstanceCrosswalk]

    async def records_of(self, customer: str) -> tuple[str, ...]:
        """Return the graph's ids of a customer's records, one's own first. Raises VendorError."""
        found: list[str] = []
        for crosswalk in self.crosswalks:
            found += await crosswalk.records_of(customer)
        return tuple(found)
