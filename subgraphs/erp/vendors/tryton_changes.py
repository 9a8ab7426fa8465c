"""What changed in Tryton since an instant: pages by (last modified, id), for one transaction stamps all its rows alike."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from subgraphs.erp.port import UnreadableRow
from subgraphs.erp.vendors.tryton import Domain, Row, Tryton, after

RecordT = TypeVar("RecordT")
_PAGE = 500


async def changed(
    tryton: Tryton,
    model: str,
    fields: Sequence[str],
    parse: Callable[[Row], RecordT],
    *,
    since: dt.datetime | None,
    domain: Domain,
    context: Mapping[str, Any] | None = None,
    unreadable: list[UnreadableRow] | None = None,
) -> list[RecordT]:
    """Return the records changed at or after `since`, or all; the oldest change first. Raises VendorError.

    Rows that can't be read are left out, and added to `unreadable`.
    """
    left_out: list[Row] = []
    found: list[RecordT] = []
    order = [["last_modified_at", "ASC"], ["id", "ASC"]]
    place: Domain = [] if since is None else [["last_modified_at", ">=", since]]
    while True:
        rows = await tryton.search(model, [domain, place], fields, order=order, limit=_PAGE, context=context)
        found += tryton.readable(model, rows, parse, left_out)
        if len(rows) < _PAGE:
            break
        place = after("last_modified_at", rows[-1]["last_modified_at"], rows[-1]["id"], descending=False)
    if unreadable is not None:
        unreadable += [UnreadableRow(id=str(row["id"]), stamp=str(row.get("last_modified_at"))) for row in left_out]
    return found
