"""Tryton's tables over the kit's state: rows by number, one-to-many fields by index, times of change kept as Tryton does.

A row keeps text for dates, instants and decimals, numbers for many2one, lists of numbers for many2many.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from subgraphs.erp.sandbox.models import MODELS, Kind
from subgraphs.erp.sandbox.refusal import ServerError
from subgraphs.kit.sandbox.state import State

Row = dict[str, Any]

_INDEXED_TEXT = {
    "account.invoice": ("number", "reference", "description", "state"),
    "account.invoice.line": ("note", "origin"),
    "account.move": ("origin", "description"),
    "party.party": ("code",),
    "product.product": ("code",),
}


def instant(at: dt.datetime) -> str:
    """Return fixed-width text, so that instants compare as text."""
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


class Tables:
    """All rows of the sandbox."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._indexes: dict[tuple[str, str], dict[Any, dict[int, None]]] = {}
        self._last_stamp = dt.datetime.min.replace(tzinfo=dt.UTC)
        self.stamp: str | None = None
        """The instant that this transaction's rows carry; while the history is filled in, the instant it happened."""

    def get(self, model: str, row_id: int) -> Row | None:
        """Return a row, or None."""
        return self.state.collection(model).get(str(row_id))

    def row(self, model: str, row_id: int | None) -> Row:
        """Return a row that must exist."""
        found = None if row_id is None else self.get(model, row_id)
        if found is None:
            raise ServerError(f"{model},{row_id}")
        return found

    def rows(self, model: str) -> Iterable[Row]:
        """All rows of a model."""
        return self.state.collection(model).values()

    def ids_where(self, model: str, field: str, value: Any) -> Iterable[int]:
        """Return the ids of the rows whose indexed field has that value; many2many: among its values."""
        return self._index(model, field).get(value, ())

    def is_indexed(self, model: str, field: str) -> bool:
        """Whether `ids_where` takes this field: relations, and the business keys."""
        kind = MODELS[model][field].kind
        is_relation = kind in {Kind.MANY2ONE, Kind.MANY2MANY} and not MODELS[model][field].is_function
        return is_relation or field in _INDEXED_TEXT.get(model, ())

    def related(self, model: str, row: Row, field: str) -> list[int]:
        """Return the ids of a one2many or many2many field, in order."""
        spec = MODELS[model][field]
        if spec.kind is Kind.MANY2MANY:
            return list(row.get(field) or ())
        back = MODELS[spec.target][spec.inverse]
        value = f"{model},{row['id']}" if back.kind is Kind.REFERENCE else row["id"]
        return list(self.ids_where(spec.target, spec.inverse, value))

    def create(self, model: str, **values: Any) -> Row:
        """Store a new row."""
        row_id = self.state.next_number(model)
        at = self.now()
        return self._put(model, {"id": row_id, "create_date": at, "write_date": None, "last_modified_at": at, **values})

    def write(self, model: str, row_id: int, **values: Any) -> Row:
        """Change a row, and with it its time of change."""
        at = self.now()
        return self._put(model, {**self.row(model, row_id), **values, "write_date": at, "last_modified_at": at})

    def remove(self, model: str, row_id: int) -> None:
        """Forget a row."""
        row = self.row(model, row_id)
        self._unindex(model, row)
        self.state.collection(model).remove(str(row_id))

    def now(self) -> str:
        """Return the transaction's instant."""
        return self.stamp or instant(dt.datetime.now(dt.UTC))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all of the block or nothing; all its rows carry one instant, later than any transaction's before."""
        at = max(dt.datetime.now(dt.UTC), self._last_stamp + dt.timedelta(microseconds=1))
        self._last_stamp, self.stamp = at, instant(at)
        try:
            with self.state.transaction():
                yield
        except BaseException:
            self._indexes.clear()
            raise
        finally:
            self.stamp = None

    def _put(self, model: str, row: Row) -> Row:
        old = self.get(model, row["id"])
        if old is not None:
            self._unindex(model, old)
        self.state.collection(model).put(str(row["id"]), row)
        for (indexed, field), index in self._indexes.items():
            if indexed == model:
                for value in _index_values(row, field):
                    index[value][row["id"]] = None
        return row

    def _unindex(self, model: str, row: Row) -> None:
        for (indexed, field), index in self._indexes.items():
            if indexed == model:
                for value in _index_values(row, field):
                    index[value].pop(row["id"], None)

    def _index(self, model: str, field: str) -> Mapping[Any, Iterable[int]]:
        index = self._indexes.get((model, field))
        if index is None:
            index = defaultdict(dict)
            for row in self.rows(model):
                for value in _index_values(row, field):
                    index[value][row["id"]] = None
            self._indexes[model, field] = index
        return index


def _index_values(row: Row, field: str) -> Iterable[Any]:
    value = row.get(field)
    return value if isinstance(value, list) else (value,)
