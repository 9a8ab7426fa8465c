"""What a customer's records say, compared: each field with what its owner says of it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from gateway.writes.reconciliation.model import DriftKind, Finding, Place
from gateway.writes.reconciliation.tolerance import Tolerances, same_tax_ids

_RECORDS = {"crm": "crmRecord", "billing": "billingRecord", "erp": "erpRecord"}
_COPIES: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    ("reference", "customerReference", {"billing": "reference", "erp": "reference"}),
    ("street", "address", {"erp": "street"}),
    ("city", "city", {"billing": "city", "erp": "city"}),
    ("country", "country", {"billing": "country", "erp": "country"}),
)
"""(field, what the CRM's record calls it, system → what its record calls it): sales enters these, the others copy them."""


def compare_customer(node: Mapping[str, Any], failed: Collection[str], tolerances: Tolerances) -> Iterator[Finding]:
    """Yield what became of comparing each field. Nothing is said of a record whose system `failed`."""
    customer = str(node["id"])
    held = {system: node[name] for system, name in _RECORDS.items() if node[name] is not None}
    silent = {system for system in _RECORDS if system not in held and system in failed}

    def finding(name: str, owner: str, system: str, values: tuple[Any, Any], *, agrees: bool) -> Finding:
        place = Place(kind=DriftKind.CUSTOMER, subject=customer, field=name, system=system)
        before, after = (None if value is None else str(value) for value in values)
        return Finding(
            place=place, owner=owner, customer=customer, owner_value=before, copy_value=after, differs=not agrees
        )

    if held and not silent:
        owner = next(iter(held))
        for system in sorted(_needed(node, held)):
            agrees = system in held
            reference = _reference(held[owner])
            yield finding("record", owner, system, (reference, reference if agrees else None), agrees=agrees)
    if "crm" in held:
        for name, source, copies in _COPIES:
            value = _field(held["crm"], source)
            if value is None:  # what the owner does not know is not contradicted
                continue
            for system, called in copies.items():
                if system in held:
                    copy = _field(held[system], called)
                    yield finding(name, "crm", system, (value, copy), agrees=tolerances.same_text(value, copy))
        name = held["crm"]["name"]
        if "billing" in held:
            copy = held["billing"]["name"]
            yield finding("name", "crm", "billing", (name, copy), agrees=tolerances.same_text(name, copy))
        if "erp" in held:
            copy = held["erp"]["name"]
            yield finding("name", "crm", "erp", (name, copy), agrees=tolerances.same_name(name, copy))
        if "erp" in held and (domain := _field(held["crm"], "domain")) is not None:
            site = _field(held["erp"], "website")
            agrees = site is not None and domain.lower() in site.lower()
            yield finding("website", "crm", "erp", (domain, site), agrees=agrees)
    if "erp" in held and "billing" in held and node["taxIds"] is not None:
        copy = _field(held["billing"], "taxId")
        agrees = same_tax_ids(node["taxIds"], () if copy is None else (copy,))
        yield finding("taxIds", "erp", "billing", (", ".join(node["taxIds"]) or None, copy), agrees=agrees)


def skipped(node: Mapping[str, Any], failed: Collection[str]) -> frozenset[str]:
    """Return the systems for whose silence a customer is not wholly compared."""
    return frozenset(system for system, name in _RECORDS.items() if node[name] is None and system in failed)


def _needed(node: Mapping[str, Any], held: Mapping[str, Any]) -> frozenset[str]:
    """Return the systems that should have a record: of a prospect, or a customer of old, the CRM alone."""
    if "crm" not in held or node["status"] == "ACTIVE":
        return frozenset(_RECORDS)
    return frozenset(held)


def _reference(record: Mapping[str, Any]) -> str | None:
    return _field(record, "customerReference") or _field(record, "reference") or record["name"]


def _field(record: Mapping[str, Any], name: str) -> str | None:
    return next((each["value"] or None for each in record["fields"] if each["name"] == name), None)
