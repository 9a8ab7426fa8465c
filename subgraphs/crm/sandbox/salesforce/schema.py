"""The objects and fields of the sandbox's org, and the check of values written to them."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from subgraphs.crm.sandbox.salesforce.refusal import Refusal

STAGES: Mapping[str, int] = {
    "Prospecting": 10, "Qualification": 10, "Needs Analysis": 30, "Value Proposition": 40, "Id. Decision Makers": 50,
    "Perception Analysis": 50, "Proposal/Price Quote": 50, "Negotiation/Review": 80, "Closed Won": 100, "Closed Lost": 0,
}  # fmt: skip
"""Stage → probability in percent. The sandbox's stages weigh what HubSpot's of the same meaning do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of an object."""

    name: str
    type: str = "string"
    """string, id, reference, picklist, currency, percent, int, date, datetime or boolean."""
    options: tuple[str, ...] = ()
    """Values of a restricted picklist; none: any."""
    is_read_only: bool = False
    is_external_id: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the entry of a describe."""
        return {
            "name": self.name,
            "type": self.type,
            "updateable": not self.is_read_only,
            "externalId": self.is_external_id,
            "picklistValues": [{"value": option, "label": option, "active": True} for option in self.options],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectType:
    """One object type."""

    name: str
    prefix: str
    """The first three letters of its ids."""
    fields: Mapping[str, Field]


def _kept(name: str, type_: str) -> Field:
    return Field(name=name, type=type_, is_read_only=True)


def _object(name: str, prefix: str, *fields: Field) -> ObjectType:
    own = (
        _kept("Id", "id"),
        _kept("IsDeleted", "boolean"),
        _kept("CreatedDate", "datetime"),
        _kept("LastModifiedDate", "datetime"),
        _kept("SystemModstamp", "datetime"),
    )
    return ObjectType(name=name, prefix=prefix, fields={field.name: field for field in (*own, *fields)})


def _texts(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name=name) for name in names)


_OWNER = Field(name="OwnerId", type="reference")

OBJECTS: Mapping[str, ObjectType] = {
    each.name: each
    for each in (
        _object(
            "Account",
            "001",
            *_texts("Name", "Website", "Phone", "Industry", "BillingStreet", "BillingCity", "BillingPostalCode"),
            *_texts("BillingCountry"),
            Field(name="Type", type="picklist", options=("Prospect", "Customer", "Former Customer", "Other")),
            Field(name="NumberOfEmployees", type="int"),
            Field(name="ParentId", type="reference"),
            Field(name="Customer_Reference__c", is_external_id=True),
            Field(name="Customer_Segment__c", type="picklist", options=("Enterprise", "Mid-Market", "SMB", "Startup")),
            _OWNER,
        ),
        _object(
            "Contact",
            "003",
            *_texts("FirstName", "LastName", "Email", "Phone", "Title"),
            Field(name="AccountId", type="reference"),
            _OWNER,
        ),
        _object(
            "Opportunity",
            "006",
            *_texts("Name", "Description", "Contract_Number__c"),
            # As in an org: sales may name a type that is on no list.
            Field(name="Type", type="picklist"),
            Field(name="StageName", type="picklist", options=tuple(STAGES)),
            Field(name="Amount", type="currency"),
            Field(name="CurrencyIsoCode", type="picklist", options=("EUR", "USD", "GBP")),
            Field(name="CloseDate", type="date"),
            Field(name="Probability", type="percent"),
            Field(name="AccountId", type="reference"),
            Field(
                name="Renewal_Stage__c",
                type="picklist",
                options=("Not Started", "In Review", "Quoted", "Committed", "Renewed", "Lost"),
            ),
            Field(name="Renewal_Risk__c", type="picklist", options=("Low", "Medium", "High")),
            _OWNER,
        ),
        _object("User", "005", *_texts("Name", "FirstName", "LastName", "Email"), _kept("IsActive", "boolean")),
    )
}


def object_type(name: str) -> ObjectType:
    """Return an object type. Raises Refusal."""
    known = OBJECTS.get(name)
    if known is None:
        raise Refusal(404, "NOT_FOUND", "The requested resource does not exist")
    return known


def checked_values(kind: ObjectType, values: object, users: frozenset[str]) -> dict[str, Any]:
    """Return the values of a write. Raises Refusal for unknown fields and wrong values."""
    if not isinstance(values, dict):
        raise Refusal(400, "JSON_PARSER_ERROR", "The HTTP entity body is required to be a JSON object.")
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name == "attributes":
            continue
        field = kind.fields.get(name)
        if field is None:
            message = f"No such column '{name}' on sobject of type {kind.name}"
            raise Refusal(400, "INVALID_FIELD", message)
        if field.is_read_only:
            message = f"Unable to create/update fields: {name}. Please check the security settings of this field."
            raise Refusal(400, "INVALID_FIELD_FOR_INSERT_UPDATE", message, (name,))
        problem = None if value is None else _problem(field, value, users)
        if problem is not None:
            raise Refusal(400, problem, f"{name}: value not of required type or list: {str(value)[:60]}", (name,))
        checked[name] = value
    return checked


def _problem(field: Field, value: object, users: frozenset[str]) -> str | None:
    match field.type, value:
        case (("currency" | "percent" | "int"), bool()):
            return "JSON_PARSER_ERROR"
        case (("currency" | "percent"), int() | float()):
            return None if math.isfinite(value) and abs(value) < 10**16 else "NUMBER_OUTSIDE_VALID_RANGE"
        case "int", int():
            return None if abs(value) < 10**8 else "NUMBER_OUTSIDE_VALID_RANGE"
        case "reference", str() if field is _OWNER:
            return None if value in users else "INVALID_CROSS_REFERENCE_KEY"
        case "picklist", str() if field.options:
            return None if value in field.options else "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
        case "date", str():
            try:
                dt.date.fromisoformat(value)
            except ValueError:
                return "JSON_PARSER_ERROR"
            return None
        case (("string" | "picklist" | "reference"), str()):
            if field.name == "Email" and "@" not in value:
                return "INVALID_EMAIL_ADDRESS"
            return None if len(value) <= 255 else "STRING_TOO_LONG"
        case _:
            return "JSON_PARSER_ERROR"
