"""Finds the customers that a record might belong to, by every rule, without looking at all of them."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable

from subgraphs.identity.match import Identifiers, Profile

_RARE = 200
"""A word in more names than this tells nobody apart; equal whole names are found all the same."""
_MAX_CANDIDATES = 200


def find_candidates(
    connection: sqlite3.Connection, identifiers: Identifiers, *, apart_from: tuple[str, str] | None = None
) -> list[Profile]:
    """Return the profiles of customers with any likeness; `apart_from` is a record whose own word does not count."""
    found: dict[str, None] = {}
    for column, value in (
        ("plain_reference", identifiers.reference),
        ("plain_tax_id", identifiers.tax_id),
        ("plain_domain", identifiers.domain),
        ("plain_name", identifiers.name),
    ):
        if value is not None:
            found.update(
                dict.fromkeys(
                    row[0]
                    for row in connection.execute(
                        f"select distinct customer_id from records where {column} = ? and customer_id is not null limit ?",  # noqa: S608 - the columns above
                        (value, _MAX_CANDIDATES),
                    )
                )
            )
    if not found and identifiers.name is not None:
        found.update(dict.fromkeys(_with_a_rare_word(connection, identifiers.name)))
    return load_profiles(connection, found, apart_from=apart_from)


def load_profiles(
    connection: sqlite3.Connection, customer_ids: Iterable[str], *, apart_from: tuple[str, str] | None = None
) -> list[Profile]:
    """Return what is known of customers from their records."""
    rows = connection.execute(
        "select customer_id, system, external_id, plain_reference, plain_tax_id, plain_domain, plain_name from records"
        " where customer_id in (select value from json_each(?))",
        (json.dumps(list(customer_ids)),),
    )
    known: defaultdict[str, tuple[set[str], ...]] = defaultdict(lambda: (set(), set(), set(), set(), set()))
    for customer_id, system, external_id, *identifiers in rows:
        if (system, external_id) != apart_from:
            for values, value in zip(known[customer_id], (system, *identifiers), strict=True):
                values.add(value)
    return [
        Profile(
            customer_id=customer_id,
            systems=frozenset(systems),
            references=frozenset(references - {None}),
            tax_ids=frozenset(tax_ids - {None}),
            domains=frozenset(domains - {None}),
            names=frozenset(names - {None}),
        )
        for customer_id, (systems, references, tax_ids, domains, names) in known.items()
    ]


def _with_a_rare_word(connection: sqlite3.Connection, name: str) -> list[str]:
    rows = connection.execute(
        "with rare (word) as ("
        " select value from json_each(?) where"
        " (select count(*) from (select 1 from name_words where word = value limit ?)) < ?"
        ") select distinct customer_id from rare join name_words using (word) join records using (system, external_id)"
        " where customer_id is not null limit ?",
        (json.dumps(sorted(set(name.split()))), _RARE, _RARE, _MAX_CANDIDATES),
    )
    return [row[0] for row in rows]
