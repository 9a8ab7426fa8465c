"""The object types and properties of the sandbox's portal, and the check of values written to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from subgraphs.crm.sandbox.clock import parse_instant
from subgraphs.crm.sandbox.refusal import Refusal

DEAL_STAGES: Mapping[str, tuple[str, str]] = {
    "appointmentscheduled": ("Appointment scheduled", "0.1"),
    "qualifiedtobuy": ("Qualified to buy", "0.3"),
    "presentationscheduled": ("Presentation scheduled", "0.5"),
    "decisionmakerboughtin": ("Decision maker bought-in", "0.6"),
    "contractsent": ("Contract sent", "0.8"),
    "closedwon": ("Closed won", "1.0"),
    "closedlost": ("Closed lost", "0.0"),
}
"""Stage of the default pipeline → label, probability."""

LIFECYCLE_STAGES = (
    "subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer", "evangelist", "churned",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One property of an object type."""

    name: str
    label: str
    type: str = "string"
    """string, number, enumeration, datetime or bool."""
    options: tuple[str, ...] = ()
    is_read_only: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the definition as the properties API shows it."""
        return {
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "fieldType": {"enumeration": "select", "number": "number", "datetime": "date"}.get(self.type, "text"),
            "options": [{"label": option, "value": option, "hidden": False} for option in self.options],
            "modificationMetadata": {"readOnlyValue": self.is_read_only},
        }


def _properties(*properties: Property) -> Mapping[str, Property]:
    return {entry.name: entry for entry in properties}


def _texts(*names: str) -> tuple[Property, ...]:
    return tuple(Property(name=name, label=name.replace("_", " ").capitalize()) for name in names)


def _kept_by_hubspot(*names: str, kind: str = "datetime") -> tuple[Property, ...]:
    return tuple(Property(name=name, label=name, type=kind, is_read_only=True) for name in names)


_OWNER = Property(name="hubspot_owner_id", label="Owner", type="enumeration")

PROPERTIES: Mapping[str, Mapping[str, Property]] = {
    "companies": _properties(
        *_texts("name", "domain", "industry", "phone", "address", "city", "zip", "country", "customer_reference"),
        *_kept_by_hubspot("createdate", "hs_lastmodifieddate"),
        *_kept_by_hubspot("hs_object_id", "hs_parent_company_id", kind="number"),
        Property(name="numberofemployees", label="Number of employees", type="number"),
        Property(name="lifecyclestage", label="Lifecycle stage", type="enumeration", options=LIFECYCLE_STAGES),
        Property(
            name="customer_segment",
            label="Customer segment",
            type="enumeration",
            options=("enterprise", "mid_market", "smb", "startup"),
        ),
        _OWNER,
    ),
    "contacts": _properties(
        *_texts("firstname", "lastname", "email", "phone", "jobtitle", "company"),
        *_kept_by_hubspot("createdate", "lastmodifieddate"),
        *_kept_by_hubspot("hs_object_id", "associatedcompanyid", kind="number"),
        _OWNER,
    ),
    "deals": _properties(
        *_texts("dealname", "description", "contract_number"),
        *_kept_by_hubspot("createdate", "hs_lastmodifieddate"),
        *_kept_by_hubspot("hs_object_id", "hs_deal_stage_probability", kind="number"),
        Property(name="closedate", label="Close date", type="datetime"),
        Property(name="amount", label="Amount", type="number"),
        Property(name="deal_currency_code", label="Currency", type="enumeration", options=("EUR", "USD", "GBP")),
        Property(name="pipeline", label="Pipeline", type="enumeration", options=("default",)),
        Property(name="dealstage", label="Deal stage", type="enumeration", options=tuple(DEAL_STAGES)),
        Property(name="dealtype", label="Deal type", type="enumeration", options=("newbusiness", "existingbusiness")),
        Property(
            name="renewal_stage",
            label="Renewal stage",
            type="enumeration",
            options=("not_started", "in_review", "quoted", "committed", "renewed", "lost"),
        ),
        Property(name="renewal_risk", label="Renewal risk", type="enumeration", options=("low", "medium", "high")),
        _OWNER,
    ),
    "products": _properties(
        *_texts("name", "description", "hs_sku"),
        *_kept_by_hubspot("createdate", "hs_lastmodifieddate"),
        *_kept_by_hubspot("hs_object_id", kind="number"),
        *(
            Property(name=f"hs_price_{code}", label=f"Unit price {code}", type="number")
            for code in ("eur", "gbp", "usd")
        ),
    ),
}
"""Object type → its properties by name."""

DEFAULT_PROPERTIES: Mapping[str, tuple[str, ...]] = {
    "companies": ("name", "domain", "createdate", "hs_lastmodifieddate", "hs_object_id"),
    "contacts": ("firstname", "lastname", "email", "createdate", "lastmodifieddate", "hs_object_id"),
    "deals": (
        "dealname", "amount", "closedate", "dealstage", "pipeline", "createdate", "hs_lastmodifieddate", "hs_object_id",
    ),
    "products": ("name", "description", "createdate", "hs_lastmodifieddate", "hs_object_id"),
}  # fmt: skip
"""What is answered when a request names no properties."""

_NAMES = {
    "companies": "companies", "company": "companies", "0-2": "companies",
    "contacts": "contacts", "contact": "contacts", "0-1": "contacts",
    "deals": "deals", "deal": "deals", "0-3": "deals",
    "products": "products", "product": "products", "0-7": "products",
}  # fmt: skip

SINGULAR: Mapping[str, str] = {"companies": "company", "contacts": "contact", "deals": "deal"}


def object_type(name: str) -> str:
    """Return the plural name of an object type in any of its spellings. Raises Refusal."""
    known = _NAMES.get(name.lower())
    if known is None:
        raise Refusal(400, f"Unable to infer object type from: {name}")
    return known


def checked_values(kind: str, values: object, owners: frozenset[str]) -> dict[str, str]:
    """Return the values of a write as HubSpot keeps them: text. Raises Refusal for unknown names and wrong values."""
    if not isinstance(values, dict) or not values:
        raise Refusal(400, "Invalid input JSON: `properties` is an object with at least one property")
    checked: dict[str, str] = {}
    for name, value in values.items():
        entry = PROPERTIES[kind].get(name)
        if entry is None:
            raise Refusal(
                400,
                f'Property values were not valid: [{{"isValid":false,"message":"Property \\"{name}\\" does not exist",'
                f'"error":"PROPERTY_DOESNT_EXIST","name":"{name}"}}]',
            )
        text = "" if value is None else str(value)
        problem = _problem(entry, text, owners)
        if problem is not None:
            raise Refusal(
                400,
                f'Property values were not valid: [{{"isValid":false,"message":"{text[:60]} is not valid",'
                f'"error":"{problem}","name":"{name}"}}]',
            )
        checked[name] = text
    return checked


def _problem(entry: Property, text: str, owners: frozenset[str]) -> str | None:
    if entry.is_read_only:
        return "READ_ONLY_VALUE"
    if not text:
        return None
    match entry.type:
        case "enumeration" if entry is _OWNER:
            return None if text in owners else "INVALID_OWNER_ID"
        case "enumeration":
            return None if text in entry.options else "INVALID_OPTION"
        case "number":
            try:
                return None if Decimal(text).is_finite() else "INVALID_DOUBLE"
            except InvalidOperation:
                return "INVALID_DOUBLE"
        case "datetime":
            return None if parse_instant(text) is not None else "INVALID_DATE"
        case _:
            return "INVALID_EMAIL" if entry.name == "email" and "@" not in text else None
