"""Stripe's events → lifecycle events. Read from the event alone (`previous_attributes`), so a copy gives the same answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from subgraphs.billing.lifecycle import EventDraft
from subgraphs.billing.records import Contract, ContractItem, ContractStatus, monthly_value
from subgraphs.billing.vendors.stripe_mapping import contract_record, price_record, quantities
from subgraphs.billing.vendors.stripe_wire import day, instant, major_amount
from subgraphs.kit.canonical_event import FieldChange

_ALIVE = {ContractStatus.ACTIVE, ContractStatus.TRIAL}


def event_drafts(event: Mapping[str, Any]) -> list[EventDraft]:
    """Return what one Stripe event means, in the order it should be told; an empty list for events of no concern."""
    subject = event["data"]["object"]
    match event["type"]:
        case "customer.subscription.created":
            return list(_created(event, subject))
        case "customer.subscription.updated":
            return list(_updated(event, subject, event["data"].get("previous_attributes") or {}))
        case "customer.subscription.deleted":
            return list(_ended(event, subject))
        case "entitlements.active_entitlement_summary.updated":
            return list(_entitled(event, subject, event["data"].get("previous_attributes") or {}))
        case "invoice.payment_failed":
            return [_payment_failed(event, subject)]
        case _:
            return []


def _about(event: Mapping[str, Any], contract: Contract, kind: str, *changes: FieldChange) -> EventDraft:
    return EventDraft(
        type=kind,
        identity=(str(event["id"]),),
        time=instant(event["created"]),
        customer=contract.customer,
        contract=contract.number,
        version=contract.version,
        changes=changes,
    )


def _limit_changed(event: Mapping[str, Any], contract: Contract, key: str, *changes: FieldChange) -> EventDraft:
    return EventDraft(
        type="entitlement.changed",
        identity=(str(event["id"]),),
        time=instant(event["created"]),
        customer=contract.customer,
        contract=None if contract.granted_feature else contract.number,
        feature=key,
        changes=changes,
    )


def _created(event: Mapping[str, Any], subject: Mapping[str, Any]) -> Iterator[EventDraft]:
    contract = contract_record(subject, day(event["created"]))
    if contract.granted_feature is not None:
        limit = contract.limits.get(contract.granted_feature)
        change = FieldChange("limit", None, None if limit is None else str(limit))
        yield _limit_changed(event, contract, contract.granted_feature, change)
        return
    yield _about(event, contract, "contract.created", FieldChange("status", None, contract.status))
    if contract.status in _ALIVE:
        yield _about(event, contract, "contract.activated", FieldChange("status", None, contract.status))


def _updated(event: Mapping[str, Any], subject: Mapping[str, Any], previous: Mapping[str, Any]) -> Iterator[EventDraft]:
    on = day(event["created"])
    after, before = contract_record(subject, on), contract_record(_undone(subject, previous), on)
    for key in sorted({*before.limits, *after.limits}):
        old, new = before.limits.get(key), after.limits.get(key)
        if old != new:
            yield _limit_changed(event, after, key, FieldChange("limit", _text(old), _text(new)))
    if after.granted_feature is not None:
        return
    if before.status != after.status:
        change = FieldChange("status", before.status, after.status)
        match before.status, after.status:
            case (ContractStatus.UNKNOWN, _) | (_, ContractStatus.UNKNOWN):
                pass  # what that means is for people to say
            case _, ContractStatus.PAUSED:
                yield _about(event, after, "contract.paused", change)
            case ContractStatus.PAUSED, _:
                yield _about(event, after, "contract.resumed", change)
            case _, ContractStatus.ACTIVE:
                yield _about(event, after, "contract.activated", change)
            case _:
                pass
    ends = [after.cancellation.effective_on if after.cancellation else None]
    ends.insert(0, before.cancellation.effective_on if before.cancellation else None)
    if ends[0] != ends[1]:
        change = FieldChange("cancellation.effectiveOn", _text(ends[0]), _text(ends[1]))
        yield _about(event, after, "contract.cancellation_scheduled", change)
    changes = list(_term_changes(before, after))
    if quantities(_items(subject, {})) != quantities(_items(subject, previous)):
        changes.append(FieldChange("mrr", str(_value(before)), str(_value(after))))
    if changes:
        yield _about(event, after, "contract.amended", *changes)


def _term_changes(before: Contract, after: Contract) -> Iterator[FieldChange]:
    if before.auto_renews != after.auto_renews and before.cancellation is None and after.cancellation is None:
        yield FieldChange("autoRenews", str(before.auto_renews).lower(), str(after.auto_renews).lower())
    for name in ("ends_on", "trial_ends_on"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new and before.auto_renews == after.auto_renews:
            yield FieldChange({"ends_on": "endsOn", "trial_ends_on": "trialEndsOn"}[name], _text(old), _text(new))


def _ended(event: Mapping[str, Any], subject: Mapping[str, Any]) -> Iterator[EventDraft]:
    contract = contract_record(subject, day(event["created"]))
    if contract.granted_feature is None:
        kind = "contract.expired" if contract.status is ContractStatus.EXPIRED else "contract.cancelled"
        yield _about(event, contract, kind, FieldChange("status", ContractStatus.ACTIVE, contract.status))


def _entitled(
    event: Mapping[str, Any], subject: Mapping[str, Any], previous: Mapping[str, Any]
) -> Iterator[EventDraft]:
    def keys(summary: Mapping[str, Any]) -> set[str]:
        return {entry["lookup_key"] for entry in (summary.get("entitlements") or {}).get("data", ())}

    before, after = keys(previous), keys(subject)
    for key in sorted(before ^ after):
        kind, states = (
            ("entitlement.granted", (None, "ACTIVE"))
            if key in after
            else ("entitlement.revoked", ("ACTIVE", "REVOKED"))
        )
        yield EventDraft(
            type=kind,
            identity=(str(event["id"]),),
            time=instant(event["created"]),
            customer=subject["customer"],
            feature=key,
            changes=(FieldChange("state", *states),),
        )


def _payment_failed(event: Mapping[str, Any], subject: Mapping[str, Any]) -> EventDraft:
    """Return the event of a try to collect an invoice; all tries for one invoice are about one payment, and so in order."""
    origin = (subject.get("parent") or {}).get("subscription_details") or subject.get("subscription_details") or {}
    amount = major_amount(subject["amount_due"], subject["currency"])
    return EventDraft(
        type="payment.failed",
        identity=(str(event["id"]),),
        time=instant(event["created"]),
        customer=subject["customer"],
        contract=(origin.get("metadata") or {}).get("contract_number"),
        payment=subject["id"],
        invoice=(subject.get("metadata") or {}).get("invoice_number"),
        changes=(
            FieldChange("amount", None, f"{amount} {subject['currency'].upper()}"),
            FieldChange("attempt", None, str(subject.get("attempt_count") or 1)),
        ),
    )


def amendment_rows(event: Mapping[str, Any], skus: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the changes of items in a subscription update, as the mirror keeps them.

    A subscription with a schedule records its phases itself.
    """
    if event["type"] != "customer.subscription.updated":
        return []
    subject, previous = event["data"]["object"], event["data"].get("previous_attributes") or {}
    old, new = quantities(_items(subject, previous)), quantities(_items(subject, {}))
    prices = {
        price.id: price
        for state in ({}, previous)
        for item in _items(subject, state)
        for price in (price_record(item.get("price") or item["plan"]),)
    }
    contract = contract_record(subject, day(event["created"]))
    rows = []
    for key in sorted({*old, *new}):
        was, becomes = old.get(key, 0), new.get(key, 0)
        if was != becomes and contract.granted_feature is None:
            price = prices[key[1]]
            rows.append(
                {
                    "reference": f"{event['id']}.{key[1]}",
                    "contract": contract.number,
                    "effectiveOn": day(event["created"]).isoformat(),
                    "sku": skus.get(key[0], key[0]),
                    "quantityFrom": was,
                    "quantityTo": becomes,
                    "mrrChange": str(price.per_month(becomes) - price.per_month(was)),
                    "currency": price.currency,
                }
            )
    return rows


def _items(subject: Mapping[str, Any], previous: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = (previous.get("items") or {}).get("data") or subject["items"]["data"]
    return list(found)


def _value(contract: Contract) -> Any:
    items: tuple[ContractItem, ...] = contract.items
    return monthly_value(items, contract.currency)


def _undone(subject: Mapping[str, Any], previous: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object as it was: Stripe sends changed members, objects member by member, lists whole."""
    undone = dict(subject)
    for key, old in previous.items():
        here = undone.get(key)
        is_part = isinstance(old, Mapping) and isinstance(here, Mapping) and old.get("object") != "list"
        undone[key] = _undone(here, old) if is_part and isinstance(here, Mapping) else old
    if isinstance(undone.get("metadata"), Mapping):
        undone["metadata"] = {key: value for key, value in undone["metadata"].items() if value is not None}
    return undone


def _text(value: object) -> str | None:
    return None if value is None else str(value)
