"""How a Stripe differs from the one that the mapping was written for, looked at once for each object that is taken in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from subgraphs.billing.records import UsageKind
from subgraphs.billing.vendors.stripe_mapping import (
    DOCUMENT_STATUS,
    INTERVAL,
    PAYMENT_METHOD,
    STATUS,
    StripeDoc,
    contract_record,
    customer_record,
    document_record,
    price_record,
)
from subgraphs.billing.vendors.stripe_wire import day
from subgraphs.kit.schema_drift import SchemaDrift
from subgraphs.kit.system_error import VendorBadResponseError

_USAGE = {kind.value.lower(): kind for kind in UsageKind}
_WORDS: Mapping[str, tuple[tuple[str, Mapping[str, Any]], ...]] = {
    "subscription": (("status", STATUS),),
    "invoice": (("status", DOCUMENT_STATUS),),
    "price": (("recurring.interval", INTERVAL), ("recurring.usage_type", _USAGE)),
    "customer": (("invoice_settings.default_payment_method.type", PAYMENT_METHOD),),
}
"""Kind of object → where it holds a word, and the words that we know."""
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "subscription": ("status", "customer", "currency", "start_date", "items", "metadata", "created"),
    "invoice": ("status", "customer", "currency", "subtotal", "total", "lines", "metadata", "created"),
    "price": ("product", "currency", "unit_amount", "active"),
    "product": ("name", "active"),
    "customer": ("name", "address", "metadata", "created"),
}
"""What an object always has, if only as null."""


def report(docs: Iterable[StripeDoc], drift: SchemaDrift) -> None:
    """Report what the mapping does not know of objects, those in them included."""
    for outer in docs:
        for doc in (outer, *_within(outer)):
            kind = str(doc.get("object"))
            for path, words in _WORDS.get(kind, ()):
                drift.known(words, _at(doc, path), kind=kind, field=path)
            for name in _FIELDS.get(kind, ()):
                if name not in doc:
                    drift.missing(kind, name)
            try:
                _read(kind, doc)
            except VendorBadResponseError as error:
                drift.unreadable(kind, "id", f"{doc.get('id')}: {error.__cause__!r}")


def _within(doc: StripeDoc) -> Iterator[StripeDoc]:
    items = doc.get("items")
    for item in (items.get("data") or ()) if isinstance(items, Mapping) else ():
        if isinstance(item, Mapping) and isinstance(item.get("price"), Mapping):
            yield item["price"]


def _read(kind: str, doc: StripeDoc) -> None:
    match kind:
        case "subscription":
            contract_record(doc, day(0))
        case "invoice":
            document_record(doc)
        case "price":
            price_record(doc)
        case "customer":
            customer_record(doc)
        case _:
            pass


def _at(doc: StripeDoc, path: str) -> Any:
    value: Any = doc
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
