"""Which fields of the ERP's records hold ids, so that those of a further instance name it: `us:12`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from subgraphs.erp import records
from subgraphs.kit.instance_ids import InstanceIds

RecordT = TypeVar("RecordT")

ID_FIELDS: Mapping[type, tuple[str, ...]] = {
    records.CustomerRecord: ("id", "parent_id"),
    records.InvoiceRecord: ("id", "customer_id", "journal_entry_id", "payment_ids", "credits", "applied_to"),
    records.ChargeRecord: ("id", "invoice_journal_entry_id"),
    records.InvoiceLineRecord: ("id", "invoice_id", "invoice_journal_entry_id"),
    records.PaymentRecord: ("id", "invoice_id", "journal_entry_id"),
    records.RevenueEntryRecord: ("id", "line_id", "journal_entry_id"),
    records.DeferralRecord: ("id", "line_id", "customer_id"),
    records.JournalLineRecord: ("entry_id",),
    records.JournalEntryRecord: ("id", "period_id", "invoice_id", "deferral_id"),
    records.PeriodRecord: ("id",),
    records.ProductRecord: ("id",),
}


def rename(ids: InstanceIds, record: RecordT) -> RecordT:
    """Return a record with the graph's ids in place of the vendor's."""
    renamed = ids.record(record, ID_FIELDS[type(record)])
    if isinstance(renamed, records.DeferralRecord):
        return replace(renamed, entries=tuple(rename(ids, entry) for entry in renamed.entries))
    return renamed


def restore(ids: InstanceIds, record: RecordT) -> RecordT:
    """Return a record with the vendor's ids again, as its own ERP takes it."""
    return ids.own_record(record, ID_FIELDS[type(record)])
