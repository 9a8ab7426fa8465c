"""Batched reads of Tryton: each is one filtered search, for thousands of ids, keyed by what was asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from subgraphs.erp.vendors.tryton import Domain, Order, Row, Tryton
from subgraphs.erp.vendors.tryton_mapping import many_to_one
from subgraphs.kit.adaptor import Absence, BatchMode, Capabilities, EventSource, Idempotency
from subgraphs.kit.system_error import FieldError, VendorBadResponseError

RecordT = TypeVar("RecordT")
MAX_ID = 2**31 - 1
"""Larger than any row's."""

Complete = Callable[[list[Row]], Awaitable[list[Row]]]
"""Adds to rows what is read by a request of its own, where nested rows would repeat it."""

CAPABILITIES = Capabilities(
    batch_mode=BatchMode.FILTER,
    # An id costs about ten characters of the URL: 2,000 stay below the 64 KiB that servers commonly take.
    max_ids_per_call=2000,
    absence=Absence.LEFT_OUT,
    writes=frozenset({"setCreditHold", "recordPayment", "issueCreditMemo", "voidInvoice"}),
    events=EventSource.POLL,
    idempotency=Idempotency.OURS,
)


def row_ids(ids: Iterable[str]) -> list[int]:
    """Return the ids as Tryton's numbers; what can't be one is no record of Tryton's and is left out."""
    return [int(i) for i in ids if i.isascii() and i.isdigit() and int(i) <= MAX_ID]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrytonRecords(Generic[RecordT]):
    """Reads records by a key: their id, unless `key` says otherwise."""

    tryton: Tryton
    model: str
    fields: Sequence[str]
    parse: Callable[[Row], Sequence[RecordT]]
    """Row → its record, or none."""
    key: Callable[[RecordT], str]
    domain: Callable[[Sequence[str]], Domain]
    row_key: str = "id"
    """The row's field that holds the key."""
    context: Callable[[], Awaitable[Mapping[str, Any]]] | None = None
    complete: Complete | None = None

    @property
    def capabilities(self) -> Capabilities:
        """The same for all of Tryton."""
        return CAPABILITIES

    async def read(self, ids: Sequence[str]) -> Mapping[str, RecordT]:
        """Return the records that exist, by key; a FieldError for one of several that can't be read. Raises VendorError."""
        domain = self.domain(ids)
        if not domain:
            return {}
        context = await self.context() if self.context else None
        rows = await self.tryton.search(self.model, domain, self.fields, context=context)
        if self.complete is not None:
            rows = await self.complete(rows)
        asked = set(ids)
        found: dict[str, Any] = {}
        for row in rows:
            try:
                found.update(
                    {
                        self.key(record): record
                        for each in self.tryton.parsed(self.model, [row], self.parse)
                        for record in each
                    }
                )
            except VendorBadResponseError as error:
                # One that can't be read fails alone, where others were asked for with it.
                key = str(row.get(self.row_key))
                if len(asked) == 1 or key not in asked:
                    raise
                found[key] = error
        return {key: record for key, record in found.items() if key in asked}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrytonRelated(Generic[RecordT]):
    """Reads records by those they belong to."""

    tryton: Tryton
    model: str
    fields: Sequence[str]
    parse: Callable[[Row], Sequence[RecordT]]
    owners: Callable[[RecordT], Iterable[str]]
    row_owner: str
    """Path of the row's field that says the same, for rows that are no record: `invoice.reference`."""
    domain: Callable[[Sequence[str]], Domain]
    order: Order
    keep: Callable[[RecordT], bool] = lambda _record: True
    complete: Complete | None = None

    @property
    def capabilities(self) -> Capabilities:
        """The same for all of Tryton."""
        return CAPABILITIES

    async def read(self, ids: Sequence[str]) -> Mapping[str, Sequence[RecordT]]:
        """Return the records by the id they belong to. Raises VendorError.

        Where one can't be read, nobody may take the rest for all: its owners have a FieldError, and the others theirs.
        """
        domain = self.domain(ids)
        if not domain:
            return {}
        rows = await self.tryton.search(self.model, domain, self.fields, order=self.order)
        if self.complete is not None:
            rows = await self.complete(rows)
        asked = set(ids)
        found: dict[str, Any] = defaultdict(list)
        failed: dict[str, FieldError] = {}
        for row in rows:
            try:
                (records,) = self.tryton.parsed(self.model, [row], self.parse)
            except VendorBadResponseError as error:
                owners = [owner for owner in _owners_in(row, self.row_owner) if owner in asked]
                if not owners or len(asked) == 1:
                    raise
                failed.update(dict.fromkeys(owners, error))
                continue
            for record in records:
                for owner in self.owners(record):
                    if owner in asked and self.keep(record):
                        found[owner].append(record)
        return {**found, **failed}


def _owners_in(row: Row, path: str) -> list[str]:
    """Return the ids or business keys in a field of a row, whatever else the row lacks."""
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    values = value if isinstance(value, list | tuple) else [value]
    return [each if isinstance(each, str) else many_to_one(each) or "" for each in values]


def ids_in(field: str = "id", *more: Any) -> Callable[[Sequence[str]], Domain]:
    """Return the domain maker for `field in [numbers]`, with further clauses; empty for no possible id."""

    def domain(ids: Sequence[str]) -> Domain:
        numbers = row_ids(ids)
        return [[field, "in", numbers], *more] if numbers else []

    return domain


def texts_in(field: str, *more: Any) -> Callable[[Sequence[str]], Domain]:
    """Return the domain maker for `field in [texts]`, with further clauses."""
    return lambda texts: [[field, "in", list(texts)], *more] if texts else []
