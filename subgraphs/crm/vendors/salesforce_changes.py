"""What changed in Salesforce since the last look, by `SystemModstamp`: no change is missed, and none needs a push.

The clock of changes ticks in seconds and a change becomes visible when its transaction ends, which may be after a later one
was seen. So each look goes back half a minute behind the last change, and whoever gets the changes compares them with what
is known already: a change seen twice tells nothing twice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from subgraphs.crm.vendors.salesforce import SalesforceObjects
from subgraphs.crm.vendors.salesforce_mapping import instant
from subgraphs.crm.vendors.soql import print_instant
from subgraphs.kit.change_feed import Changes

RecordT_co = TypeVar("RecordT_co", covariant=True)

_OVERLAP = dt.timedelta(seconds=30)
_FIRST_LOOK = dt.timedelta(hours=1)
"""How far the very first look goes back. Whatever is older was read whole when the process started."""


@dataclass(frozen=True, slots=True)
class Changed(Generic[RecordT_co]):
    """What one look at one object type found."""

    records: Sequence[RecordT_co]
    deleted: Mapping[str, str]
    """Id → version of the deletion."""


async def look(objects: SalesforceObjects[RecordT_co], mark: str | None) -> Changes[Changed[RecordT_co]]:
    """Return what changed since the high-water mark, an instant; None: within the last hour. Raises VendorError."""
    since = dt.datetime.fromisoformat(mark) - _OVERLAP if mark else dt.datetime.now(dt.UTC) - _FIRST_LOOK
    records, deleted, last = await objects.changed(print_instant(since))
    return Changes(
        items=(Changed(records, deleted),) if records or deleted else (),
        mark=instant(last).isoformat() if last is not None else None,
    )
