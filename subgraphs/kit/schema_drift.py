"""What a vendor sends that our mapping does not know: reported, counted and shown in the graph, never a crash.

drift = SchemaDrift("crm")
stage = drift.known(STAGES, document.get("StageName"), kind="Opportunity", field="StageName")   # None, and reported
drift.missing("Opportunity", "CurrencyIsoCode")
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

_log = logging.getLogger(__name__)
_MOST = 500
_LONGEST = 120
ValueT = TypeVar("ValueT")


class DriftKind(StrEnum):
    """How the vendor's schema differs from the one that the mapping was written for."""

    UNKNOWN_VALUE = "UNKNOWN_VALUE"
    """A value of an enumeration that we have no word for. The field is null."""
    MISSING_FIELD = "MISSING_FIELD"
    """A field that this account does not have. Our field is null."""
    UNREADABLE_VALUE = "UNREADABLE_VALUE"
    """A value that is no number, date or instant where one belongs. The field is null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One difference and how often it was met since the process started."""

    what: DriftKind
    object: str
    """The vendor's name of the kind of record: `Opportunity`."""
    field: str
    """The vendor's name of the field: `StageName`."""
    value: str | None
    """The unknown value, cut to 120 characters; None for a missing field."""
    count: int
    first_seen: dt.datetime
    last_seen: dt.datetime


class SchemaDrift:
    """The differences met with one vendor. The first meeting of each is a warning in the log."""

    def __init__(self, system: str) -> None:
        self._system = system
        self._seen: dict[tuple[DriftKind, str, str, str | None], Drift] = {}

    def known(self, table: Mapping[str, ValueT], value: object, *, kind: str, field: str) -> ValueT | None:
        """Return the word of ours for a vendor's value; None for no value, and for one that the table lacks (reported)."""
        if value is None or value == "":
            return None
        found = table.get(str(value))
        if found is None:
            self._notice(DriftKind.UNKNOWN_VALUE, kind, field, str(value))
        return found

    def missing(self, kind: str, field: str) -> None:
        """Report a field that the account does not have."""
        self._notice(DriftKind.MISSING_FIELD, kind, field, None)

    def unreadable(self, kind: str, field: str, value: object) -> None:
        """Report a value of another type than the field's."""
        self._notice(DriftKind.UNREADABLE_VALUE, kind, field, str(value))

    def seen(self) -> tuple[Drift, ...]:
        """Every difference met, oldest first."""
        return tuple(self._seen.values())

    def _notice(self, what: DriftKind, kind: str, field: str, value: str | None) -> None:
        shown = value if value is None else value[:_LONGEST]
        key = (what, kind, field, shown)
        at = dt.datetime.now(dt.UTC)
        held = self._seen.get(key)
        if held is not None:
            self._seen[key] = replace(held, count=held.count + 1, last_seen=at)
        elif len(self._seen) < _MOST:
            self._seen[key] = Drift(
                what=what, object=kind, field=field, value=shown, count=1, first_seen=at, last_seen=at
            )
            _log.warning("The %s system differs from its mapping: %s %s.%s %r", self._system, what, kind, field, shown)
