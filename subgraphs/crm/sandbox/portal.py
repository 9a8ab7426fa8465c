"""The sandbox's portal: objects, their associations and owners, and the events that changes cause."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from subgraphs.crm.sandbox.clock import after
from subgraphs.crm.sandbox.refusal import Refusal
from subgraphs.crm.sandbox.schema import DEAL_STAGES, DEFAULT_PROPERTIES, SINGULAR, checked_values
from subgraphs.kit.sandbox.state import Document, State

PORTAL_ID = 4102000
ASSOCIATION_TYPES: Mapping[tuple[str, str], int] = {
    ("contacts", "companies"): 279,
    ("companies", "contacts"): 280,
    ("deals", "companies"): 341,
    ("companies", "deals"): 342,
    ("deals", "contacts"): 3,
    ("contacts", "deals"): 4,
}
"""HubSpot's ids of the plain associations between two object types."""
PARENT_TO_CHILD = 13
CHILD_TO_PARENT = 14


class Portal:
    """One HubSpot account over the sandbox's state."""

    def __init__(self, state: State, emit: Callable[[Mapping[str, Any]], None]) -> None:
        """`emit` takes one webhook event; it is called within the transaction of the change."""
        self._state = state
        self._emit = emit

    def objects(self, kind: str) -> Sequence[Document]:
        """All objects of a type that are not archived, oldest first."""
        return [entry for entry in self._state.collection(kind).values() if not entry["archived"]]

    def find(self, kind: str, object_id: str) -> Document | None:
        """Return an object that is not archived, or None."""
        entry = self._state.collection(kind).get(object_id)
        return None if entry is None or entry["archived"] else entry

    def find_by(self, kind: str, property_name: str, value: str) -> Document | None:
        """Return the first object with that value of a property, or None."""
        return next((entry for entry in self.objects(kind) if entry["properties"].get(property_name) == value), None)

    def owners(self) -> Sequence[Document]:
        """All owners."""
        return list(self._state.collection("owners").values())

    def create(self, kind: str, values: object) -> Document:
        """Make an object and tell it. Raises Refusal."""
        checked = checked_values(kind, values, self._owner_ids())
        with self._state.transaction():
            object_id = str(self._state.next_number(f"id:{kind}"))
            at = after(None)
            entry = {
                "id": object_id,
                "properties": {},
                "createdAt": at,
                "updatedAt": at,
                "archived": False,
            }
            stored = self._store(kind, entry, {"createdate": at, "hs_object_id": object_id, **checked}, at)
            self._tell(kind, object_id, "creation", {"changeFlag": "NEW"})
        return stored

    def update(self, kind: str, object_id: str, values: object) -> Document:
        """Change an object's properties and tell each that changed. Raises Refusal."""
        entry = self.find(kind, object_id)
        if entry is None:
            raise not_found(object_id)
        checked = checked_values(kind, values, self._owner_ids())
        changed = {name: value for name, value in checked.items() if entry["properties"].get(name, "") != value}
        if not changed:
            return entry
        with self._state.transaction():
            stored = self._store(kind, entry, changed, after(entry["updatedAt"]))
            for name, value in changed.items():
                self._tell(kind, object_id, "propertyChange", {"propertyName": name, "propertyValue": value})
        return stored

    def archive(self, kind: str, object_id: str) -> None:
        """Archive an object, if it is there, and tell it."""
        entry = self.find(kind, object_id)
        if entry is not None:
            with self._state.transaction():
                at = after(entry["updatedAt"])
                self._state.collection(kind).put(object_id, {**entry, "archived": True, "updatedAt": at})
                self._tell(kind, object_id, "deletion", {"changeFlag": "DELETED"})

    def associated(self, kind: str, object_id: str, to_kind: str) -> Sequence[tuple[str, int]]:
        """Return (id, association type) of the objects of `to_kind` that an object is associated with."""
        links = self._state.collection("associations").get(f"{kind}:{object_id}") or {}
        return [(to_id, type_id) for to_id, type_id in links.get(to_kind, ()) if self.find(to_kind, to_id) is not None]

    def associate(self, kind: str, object_id: str, to_kind: str, to_id: str, *, type_id: int | None = None) -> None:
        """Link two objects, both ways, and tell it. Raises Refusal if there is no such pair."""
        if self.find(kind, object_id) is None or self.find(to_kind, to_id) is None:
            raise not_found(object_id if self.find(kind, object_id) is None else to_id)
        there, back = self.link(kind, object_id, to_kind, to_id, type_id=type_id)
        self._emit(
            {
                **self._event(kind, object_id, "associationChange"),
                "fromObjectId": int(object_id),
                "toObjectId": int(to_id),
                "associationType": f"{SINGULAR[kind]}_to_{SINGULAR[to_kind]}".upper(),
                "associationTypeId": there,
                "inverseAssociationTypeId": back,
                "associationRemoved": False,
            }
        )

    def link(self, kind: str, object_id: str, to_kind: str, to_id: str, *, type_id: int | None) -> tuple[int, int]:
        """Link two objects without telling it; returns the association types there and back."""
        if (kind, to_kind) == ("companies", "companies"):
            there = type_id or PARENT_TO_CHILD
            back = CHILD_TO_PARENT if there == PARENT_TO_CHILD else PARENT_TO_CHILD
        else:
            there, back = ASSOCIATION_TYPES[kind, to_kind], ASSOCIATION_TYPES[to_kind, kind]
        self._add_link(kind, object_id, to_kind, to_id, there)
        self._add_link(to_kind, to_id, kind, object_id, back)
        return there, back

    def _add_link(self, kind: str, object_id: str, to_kind: str, to_id: str, type_id: int) -> None:
        associations = self._state.collection("associations")
        key = f"{kind}:{object_id}"
        links = associations.get(key) or {}
        known = links.get(to_kind, [])
        if [to_id, type_id] not in known:
            associations.put(key, {**links, to_kind: [*known, [to_id, type_id]]})

    def _store(self, kind: str, entry: Document, values: Mapping[str, str], at: str) -> Document:
        properties = {**entry["properties"], **values}
        if kind == "deals" and "dealstage" in values:
            properties["hs_deal_stage_probability"] = DEAL_STAGES[values["dealstage"]][1]
        properties["lastmodifieddate" if kind == "contacts" else "hs_lastmodifieddate"] = at
        stored = {**entry, "properties": properties, "updatedAt": at}
        self._state.collection(kind).put(entry["id"], stored)
        return stored

    def _owner_ids(self) -> frozenset[str]:
        return frozenset(self._state.collection("owners").ids())

    def _tell(self, kind: str, object_id: str, what: str, details: Mapping[str, Any]) -> None:
        if kind not in SINGULAR:  # nobody has subscribed to its events
            return
        self._emit({**self._event(kind, object_id, what), **details})

    def _event(self, kind: str, object_id: str, what: str) -> dict[str, Any]:
        return {
            "eventId": self._state.next_number("webhook_event"),
            "subscriptionId": 1000 + list(SINGULAR).index(kind),
            "portalId": PORTAL_ID,
            "appId": 1,
            "occurredAt": int(time.time() * 1000),
            "subscriptionType": f"{SINGULAR[kind]}.{what}",
            "attemptNumber": 0,
            "objectId": int(object_id),
            "changeSource": "CRM_UI",
        }


def not_found(object_id: str) -> Refusal:
    """Return the refusal for an id that names nothing."""
    return Refusal(
        404,
        "Object not found.  objectId are usually numeric.",
        category="OBJECT_NOT_FOUND",
        context={"id": [object_id]},
    )


def shown(kind: str, entry: Document, properties: Sequence[str] | None) -> Document:
    """Return an object with the properties asked for; those without a value are null."""
    names = properties or DEFAULT_PROPERTIES[kind]
    held = entry["properties"]
    wanted = dict.fromkeys((*names, "hs_object_id", "createdate"))
    return {**entry, "properties": {name: held.get(name) or None for name in wanted}}
