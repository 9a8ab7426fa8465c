"""What use means to consumers: recorded, near the limit, at it, beyond it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from decimal import Decimal

from subgraphs.billing.lifecycle import EventDraft
from subgraphs.billing.records import Entitlement, EntitlementState
from subgraphs.kit.canonical_event import FieldChange


def usage_drafts(
    entitlement: Entitlement,
    used_before: Decimal,
    *,
    identity: str,
    at: dt.datetime,
    period_start: dt.date,
    threshold_percents: Sequence[int],
) -> Iterator[EventDraft]:
    """Yield the events of use that grew from `used_before` to what the entitlement says now.

    `identity` names the recording; thresholds are told once per period and limit, whoever crosses them.
    """

    def draft(kind: str, what: tuple[str, ...], *changes: FieldChange) -> EventDraft:
        return EventDraft(
            type=kind,
            identity=what,
            time=at,
            customer=entitlement.customer,
            contract=entitlement.contract,
            feature=entitlement.feature.key,
            changes=changes,
        )

    used = FieldChange("used", f"{used_before:f}", f"{entitlement.used:f}")
    yield draft("usage.recorded", (identity,), used)
    limit = entitlement.limit
    if not limit or entitlement.used <= used_before:
        return
    once = (period_start.isoformat(), str(limit))
    for percent in threshold_percents:
        mark = Decimal(limit) * percent / 100
        if used_before < mark <= entitlement.used:
            threshold = FieldChange("thresholdPercent", None, str(percent))
            yield draft("usage.threshold_reached", (*once, str(percent)), used, threshold)
    if used_before < limit <= entitlement.used:
        state = FieldChange("state", EntitlementState.ACTIVE, EntitlementState.EXHAUSTED)
        yield draft("entitlement.exhausted", once, state, used)
    if used_before <= limit < entitlement.used:
        yield draft("usage.overage", once, used)
