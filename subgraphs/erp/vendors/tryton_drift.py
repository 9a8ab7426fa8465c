"""How a Tryton differs from the one that its mapping was written for: words we don't have, fields that it has not.

A database without a module lacks that module's fields, and Tryton answers a request for one with its page for all failures
of its own. Then, and only then, it is asked which fields it has; the others are not asked for again and are empty.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from subgraphs.erp.vendors.tryton_mapping import INVOICE_STATUS, PERIOD_STATUS
from subgraphs.kit.schema_drift import SchemaDrift

Row = Mapping[str, Any]
Fields = Mapping[str, Mapping[str, Any]]
"""Name → `{"type": "many2one", "relation": "party.party", …}`, as `fields_get` answers."""

_WORDS: Mapping[str, tuple[tuple[tuple[str, ...], Mapping[str, Any]], ...]] = {
    "account.invoice": ((("state",), INVOICE_STATUS),),
    "account.invoice.line": ((("invoice", "state"), INVOICE_STATUS),),
    "account.period": ((("state",), PERIOD_STATUS),),
}
"""Model → where its rows hold a word, and the words that we know."""
_LISTS = frozenset(
    {
        "addresses", "categories", "contact_mechanisms", "identifiers", "lines_to_pay", "moves", "origin_invoices",
        "payment_lines", "taxes",
    }
)  # fmt: skip
"""Fields that hold several: without them there is none."""


class TrytonDrift:
    """What is new about one Tryton, for its reads."""

    def __init__(self, drift: SchemaDrift, fields_of: Callable[[str], Awaitable[Fields]]) -> None:
        """`fields_of` asks for a model's fields; it raises VendorError."""
        self._drift = drift
        self._fields_of = fields_of
        self._missing: dict[str, frozenset[str]] = {}

    def known(self, model: str, fields: Sequence[str]) -> list[str]:
        """Return the fields without those that this Tryton was found not to have."""
        missing = self._missing.get(model, frozenset())
        return [path for path in fields if path not in missing]

    async def look(self, model: str, fields: Iterable[str]) -> bool:
        """Ask which of the fields there are; whether one is missing that was not known to be. Raises VendorError."""
        asked: dict[str, Fields] = {}
        missing: set[str] = set()
        for path in fields:
            at = model
            for name in path.split("."):
                if name.startswith("_") or name == "id":
                    break
                if at not in asked:
                    asked[at] = await self._fields_of(at)
                field = asked[at].get(name)
                if field is None:
                    missing.add(path)
                    self._drift.missing(at, name)
                    break
                at = field.get("relation") or at
        known = self._missing.get(model, frozenset())
        self._missing[model] = known | missing
        return not missing <= known

    def complete(self, model: str, fields: Sequence[str], rows: Sequence[Row]) -> list[Row]:
        """Return rows that have every field, empty where Tryton left it out, and report what is new about them."""
        names = dict.fromkeys(path.partition(".")[0] for path in fields)
        found: list[Row] = []
        for row in rows:
            absent = [name for name in names if name not in row]
            for name in absent:
                self._drift.missing(model, name)
            complete = {**row, **{name: () if name in _LISTS else None for name in absent}} if absent else row
            found.append(complete)
            for path, words in _WORDS.get(model, ()):
                self._drift.known(words, _at(complete, path), kind=model, field=".".join(path))
        return found


def _at(row: Row, path: Sequence[str]) -> Any:
    value: Any = row
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
