"""The port to a system of record: what an adaptor answers, and what it says it can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeVar

RecordT_co = TypeVar("RecordT_co", covariant=True)


class BatchMode(StrEnum):
    """How many objects are read by id."""

    NATIVE = "native"
    """The vendor has a batch read."""
    FILTER = "filter"
    """The vendor's list can be filtered by a set of ids."""
    NONE = "none"
    """One request per id: fan out within a bound, or read a projection that events keep fresh."""


class Absence(StrEnum):
    """How the vendor shows that an id does not exist. Whatever it is, `read` leaves absent ids out."""

    LEFT_OUT = "left_out"
    ERROR_ENTRY = "error_entry"
    NOT_FOUND = "not_found"


class EventSource(StrEnum):
    """How the vendor tells what changed."""

    WEBHOOK = "webhook"
    POLL = "poll"
    NONE = "none"


class Idempotency(StrEnum):
    """What makes a repeated write safe."""

    VENDOR_KEY = "vendor_key"
    """The vendor honours an idempotency key."""
    UNIQUE_FIELD = "unique_field"
    """The vendor refuses a second object with the same business key."""
    OURS = "ours"
    """The subgraph keeps the answers itself (`IdempotentWrites`)."""


class Consistency(StrEnum):
    """Whether a read after a write sees it."""

    READ_YOUR_WRITES = "read_your_writes"
    EVENTUAL = "eventual"


class Concurrency(StrEnum):
    """What happens when two write to one object."""

    CHECKED = "checked"
    """The vendor refuses a write for a version that is not current."""
    READ_FIRST = "read_first"
    """We read the version before writing; a change between the two is not noticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What an adaptor can do; the kit's loader, feed and write path follow it."""

    batch_mode: BatchMode
    max_ids_per_call: int
    absence: Absence
    writes: frozenset[str] = frozenset()
    """Names of the mutations the adaptor carries out."""
    events: EventSource = EventSource.NONE
    idempotency: Idempotency = Idempotency.OURS
    consistency: Consistency = Consistency.READ_YOUR_WRITES
    concurrency: Concurrency = Concurrency.READ_FIRST
    max_writes_per_call: int = 1
    cannot: Mapping[str, str] = field(default_factory=dict)
    """Name of a conformance check, or of a group of them (`write`, `poll`, `webhook`), to why the vendor can't."""


class Adaptor(Protocol[RecordT_co]):
    """One kind of record of one system of record."""

    @property
    def capabilities(self) -> Capabilities:
        """What this adaptor can do."""
        ...

    async def read(self, ids: Sequence[str]) -> Mapping[str, RecordT_co]:
        """Return the records that exist, by id; at most `max_ids_per_call` ids. Raises VendorError for the whole call."""
        ...
