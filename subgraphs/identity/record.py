"""A customer record as a system of record tells it to the crosswalk."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from subgraphs.identity.match import Identifiers
from subgraphs.identity.normalise import normalise_domain, normalise_name, normalise_reference, normalise_tax_id

_SYSTEM = re.compile(r"[a-z][a-z0-9_-]{0,39}(/[a-z0-9_-]{1,40})?")
_MAX_TEXT = 500
_MAX_FACETS = 20


class RecordRefusedError(Exception):
    """A record that can't be taken; the message tells its sender why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRecord:
    """One customer record of one system."""

    system: str
    external_id: str
    reference: str | None = None
    tax_id: str | None = None
    domain: str | None = None
    name: str | None = None
    version: str | None = None
    parent: str | None = None
    """External id of the record that it belongs to; empty: to none. None: the system keeps no hierarchy."""
    facets: Mapping[str, str | None] = field(default_factory=dict)
    """What customers are found and ordered by: segment, ownerId, ownerName, status, overdueAmount. None: there is none
    anymore; what is left out stays as it was."""

    @property
    def identifiers(self) -> Identifiers:
        """What it can be recognised by, normalised."""
        return Identifiers(
            system=self.system,
            reference=normalise_reference(self.reference),
            tax_id=normalise_tax_id(self.tax_id),
            domain=normalise_domain(self.domain),
            name=normalise_name(self.name),
        )


def parse_system(value: object) -> str:
    """Return the name of a system: `crm`, or an instance of one, `erp/eu`. Raises RecordRefusedError."""
    if not isinstance(value, str) or not _SYSTEM.fullmatch(value):
        raise RecordRefusedError("`system` is the lower-case name of a system, such as crm.")
    return value


def parse_external_id(value: object) -> str:
    """Return a system's own id; "+" is kept for joining several. Raises RecordRefusedError."""
    if not isinstance(value, str) or not value or len(value) > _MAX_TEXT or "+" in value or not value.isprintable():
        raise RecordRefusedError("`externalId` is a printable text of at most 500 characters without +.")
    return value


def parse_record(entry: object) -> CustomerRecord:
    """Return the record in an entry of `POST /records`. Raises RecordRefusedError."""
    if not isinstance(entry, dict):
        raise RecordRefusedError("A record is a JSON object.")
    known = {"system", "externalId", "reference", "taxId", "domain", "name", "version", "parent", "facets"}
    if unknown := sorted(set(entry) - known):
        raise RecordRefusedError(f"A record has no field {unknown[0][:40]!r}.")
    return CustomerRecord(
        system=parse_system(entry.get("system")),
        external_id=parse_external_id(entry.get("externalId")),
        reference=_text(entry, "reference"),
        tax_id=_text(entry, "taxId"),
        domain=_text(entry, "domain"),
        name=_text(entry, "name"),
        version=_text(entry, "version"),
        parent=_parent(entry.get("parent")),
        facets=_facets(entry.get("facets") or {}),
    )


def _text(entry: Mapping[str, object], name: str) -> str | None:
    value = entry.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise RecordRefusedError(f"`{name}` is a text of at most {_MAX_TEXT} characters.")
    return value.strip() or None


def _parent(value: object) -> str | None:
    return None if value is None else "" if value == "" else parse_external_id(value)


def _facets(value: object) -> dict[str, str | None]:
    if not isinstance(value, dict) or len(value) > _MAX_FACETS:
        raise RecordRefusedError(f"`facets` is an object of at most {_MAX_FACETS} texts.")
    facets = {name: _text(value, name) for name in value}
    if (amount := facets.get("overdueAmount")) is not None:
        try:
            finite = Decimal(amount).is_finite() and abs(Decimal(amount)) < 10**12
        except InvalidOperation:
            finite = False
        if not finite:
            raise RecordRefusedError("`facets.overdueAmount` is a decimal such as 12.50.")
    return facets
