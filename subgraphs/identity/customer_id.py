"""Canonical customer ids: derived from the record a customer began with, so that a rebuilt crosswalk gives the same ones."""

from __future__ import annotations

import hashlib
import sqlite3

from subgraphs.identity.record import CustomerRecord
from subgraphs.kit.global_id import encode_global_id, local_id

_TYPE = "Customer"


def global_customer_id(customer_id: str) -> str:
    """Return the id that clients see."""
    return encode_global_id(_TYPE, customer_id)


def local_customer_id(global_id: str) -> str:
    """Return the id as the tables have it. Raises BadUserInputError."""
    return local_id(global_id, _TYPE)


def new_customer_id(connection: sqlite3.Connection, record: CustomerRecord) -> str:
    """Return an unused id: from the reference, else the tax id, else the record's own id; ids once given stay taken."""
    identifiers = record.identifiers
    own = f"{record.system}:{record.external_id}"
    strongest = (
        f"reference:{identifiers.reference}"
        if identifiers.reference
        else f"tax-id:{identifiers.tax_id}"
        if identifiers.tax_id
        else own
    )
    attempt = 0
    while True:
        text = strongest if attempt == 0 else f"{own}#{attempt}"
        customer_id = hashlib.sha256(text.encode()).hexdigest()[:20]
        if connection.execute("select 1 from customers where id = ?", (customer_id,)).fetchone() is None:
            return customer_id
        attempt += 1
