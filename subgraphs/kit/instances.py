"""Several instances of one system behind one port: who may see each, and reads that ask each for its own ids.

eu = Instance(ids=InstanceIds(), port=erp, region="EU")
us = Instance(ids=InstanceIds("us"), port=other, region="US")
await by_instance([eu, us], ["7", "us:12"], read)          # read(eu, ["7"]) and read(us, ["12"]), at once

Who may not see an instance's region finds in it nothing, as if it were not there. Our own loops see all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from subgraphs.kit.adaptor import Adaptor, Capabilities
from subgraphs.kit.current_request import current_request
from subgraphs.kit.instance_ids import InstanceIds
from subgraphs.kit.system_error import FieldError

PortT = TypeVar("PortT")
RecordT = TypeVar("RecordT")
FoundT = TypeVar("FoundT")


def is_region_visible(region: str | None) -> bool:
    """Whether the caller of the request being served may see data that lives there. None: everybody may."""
    current = current_request()
    caller = current.caller if current else None
    allowed = caller.allowed("region") if caller else None
    return region is None or allowed is None or region in allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance(Generic[PortT]):
    """One instance of several."""

    ids: InstanceIds
    port: PortT
    region: str | None = None
    """Where its data lives; only callers whose claims allow the region get to see it. None: everybody."""

    @property
    def is_visible(self) -> bool:
        """Whether the caller of the request being served may see it."""
        return is_region_visible(self.region)


def visible(instances: Sequence[Instance[PortT]]) -> list[Instance[PortT]]:
    """Return the instances that the caller may see, in their order."""
    return [instance for instance in instances if instance.is_visible]


def instance_of(instances: Sequence[Instance[PortT]], graph_id: str) -> Instance[PortT] | None:
    """Return the visible instance that an id names; None for one that is hidden or unknown, which look alike."""
    return next((each for each in visible(instances) if each.ids.owns(graph_id)), None)


async def everywhere(
    instances: Sequence[Instance[PortT]], ask: Callable[[PortT], Awaitable[FoundT]]
) -> Iterable[tuple[Instance[PortT], FoundT]]:
    """Return what each visible instance answers, all asked at once. Raises what any of them raises."""
    asked = visible(instances)
    return zip(asked, await asyncio.gather(*(ask(each.port) for each in asked)), strict=True)


async def by_instance(
    instances: Sequence[Instance[PortT]],
    ids: Sequence[str],
    read: Callable[[Instance[PortT], Sequence[str]], Awaitable[Mapping[str, FoundT]]],
) -> dict[str, FoundT]:
    """Return what each visible instance has of its ids, all asked at once.

    One of several that fails has its error for each of its ids; where only one was asked, the error is raised.
    """
    parts = [(each, own) for each in visible(instances) if (own := each.ids.own(ids))]

    async def part(instance: Instance[PortT], own: Sequence[str]) -> Mapping[str, Any]:
        try:
            return instance.ids.keyed(await read(instance, own))
        except FieldError as error:
            if len(parts) == 1:
                raise
            return instance.ids.keyed(dict.fromkeys(own, error))

    found: dict[str, Any] = {}
    for each in await asyncio.gather(*(part(instance, own) for instance, own in parts)):
        found.update(each)
    return found


class InstancedRecords(Generic[PortT, RecordT]):
    """One kind of record over all instances, by ids that name the instance."""

    def __init__(
        self,
        instances: Sequence[Instance[PortT]],
        adaptor: Callable[[PortT], Adaptor[RecordT]],
        rename: Callable[[InstanceIds, RecordT], RecordT],
    ) -> None:
        """`rename` gives a record the graph's ids in place of the vendor's."""
        self._instances = instances
        self._adaptor = adaptor
        self._rename = rename

    @property
    def capabilities(self) -> Capabilities:
        """Those of the first, with the smallest batch of all."""
        sheets = [self._adaptor(each.port).capabilities for each in self._instances]
        return replace(sheets[0], max_ids_per_call=min(sheet.max_ids_per_call for sheet in sheets))

    async def read(self, ids: Sequence[str]) -> Mapping[str, RecordT]:
        """Return the records that exist, by id. An instance that fails fails its ids alone: a FieldError in their place."""

        async def read(instance: Instance[PortT], own: Sequence[str]) -> Mapping[str, RecordT]:
            found = await self._adaptor(instance.port).read(own)
            return {
                key: record if isinstance(record, FieldError) else self._rename(instance.ids, record)
                for key, record in found.items()
            }

        return await by_instance(self._instances, ids, read)
