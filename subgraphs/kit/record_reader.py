"""A vendor's documents as records: one that can't be read fails alone, and is reported as a difference of the schema.

reader = RecordReader(system="crm", kind="Account", id_field="Id", parse=to_company, drift=drift)
reader.keyed(documents)       # {"001…": Company(…), "002…": UnreadableRecordError(…)}, for those who asked by id
reader.readable(documents)    # [Company(…)], for lists, which would otherwise be gone for one bad record
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from subgraphs.kit.schema_drift import SchemaDrift
from subgraphs.kit.system_error import VendorBadResponseError

_log = logging.getLogger(__name__)
RecordT_co = TypeVar("RecordT_co", covariant=True)


class UnreadableRecordError(VendorBadResponseError):
    """One record that can't be read; the rest of the answer can."""


def alone(found: dict[str, Any], asked: int) -> dict[str, Any]:
    """Return what was found by `asked` ids, errors in the place of records. Raises the error if it is all that was asked for."""
    if asked == 1:
        for record in found.values():
            if isinstance(record, UnreadableRecordError):
                raise record
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordReader(Generic[RecordT_co]):
    """Reads one kind of record of one vendor."""

    system: str
    """The logical name that errors carry."""
    kind: str
    """The vendor's name of the kind."""
    id_field: str
    parse: Callable[[Mapping[str, Any]], RecordT_co]
    drift: SchemaDrift

    def keyed(self, documents: Iterable[Any]) -> dict[str, RecordT_co | UnreadableRecordError]:
        """Return id → record, or the error in its place. Raises VendorBadResponseError for what has no id."""
        found: dict[str, RecordT_co | UnreadableRecordError] = {}
        for document in documents:
            key = document.get(self.id_field) if isinstance(document, Mapping) else None
            if key is None:
                raise VendorBadResponseError(
                    f"The {self.system} system's answer has an unexpected shape.", system=self.system
                )
            found[str(key)] = self._read(document)
        return found

    def readable(self, documents: Iterable[Any]) -> list[RecordT_co]:
        """Return the records that can be read, in their order."""
        return [each for each in map(self._read, documents) if not isinstance(each, UnreadableRecordError)]

    def _read(self, document: Any) -> RecordT_co | UnreadableRecordError:
        try:
            return self.parse(document)
        except (AttributeError, KeyError, TypeError, ValueError, ArithmeticError) as error:
            named = document.get(self.id_field) if isinstance(document, Mapping) else None
            self.drift.unreadable(self.kind, "record", f"{type(error).__name__}: {error}")
            _log.warning("A %s of the %s system can't be read: %s", self.kind, self.system, named)
            return UnreadableRecordError(f"A record of the {self.system} system can't be read.", system=self.system)
