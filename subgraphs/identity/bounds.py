"""Which customers a caller may see, where claims confine it to some: by a dimension's facet of the customers themselves.

`{"business_unit": "segment", "tenant": "reference"}` says that a caller whose claims say `business_unit` sees the customers
whose segment is one of its values, and one who acts for a tenant the customer with that business key. Regions are no
dimension of customers: they confine systems.

A claim that confines in a dimension nobody configured leaves nothing to see. It is so for tenants too, unless the
configuration says that they don't confine: a setting that was forgotten must not show everybody to everybody.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from sqlite3 import Connection
from typing import TypeAlias

from subgraphs.kit.caller import Caller

Bounds: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]
"""(facet, allowed values), all of which hold; empty where nothing confines."""

NOBODY: Bounds = (("", ()),)
"""What nobody meets."""

_REGION, _TENANT = "region", "tenant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimensions:
    """How claims confine."""

    facets: Mapping[str, str] = field(default_factory=dict)
    """Dimension of claims → the facet of customers that it means."""
    tenants_confine: bool = True
    """Whether whoever acts for a tenant sees that customer only."""


def bounds_of(dimensions: Dimensions, *, tenant: str | None, filters: Mapping[str, Sequence[str]]) -> Bounds:
    """Return what confines a caller."""
    claims = [(dimension, tuple(values)) for dimension, values in sorted(filters.items()) if dimension != _REGION]
    if tenant is not None and dimensions.tenants_confine:
        claims.append((_TENANT, (tenant,)))
    if any(dimension not in dimensions.facets for dimension, _ in claims):
        return NOBODY
    return tuple((dimensions.facets[dimension], values) for dimension, values in claims)


def bounds_of_caller(dimensions: Dimensions, caller: Caller | None) -> Bounds:
    """Return what confines the caller of a request; our own loops have none, and nothing confines them."""
    if caller is None or caller.is_unrestricted:
        return ()
    return bounds_of(dimensions, tenant=caller.tenant, filters=caller.filters)


def within(bounds: Bounds, column: str) -> tuple[str, list[str]]:
    """Return the SQL condition, and its parameters, that a column names a customer within bounds."""
    one = f"{column} in (select customer_id from customer_facets where facet = ? and value in (select value from json_each(?)))"  # noqa: S608 - a column of ours
    parameters = [text for facet, values in bounds for text in (facet, json.dumps(values))]
    return " and ".join(one for _ in bounds) or "true", parameters


def write_facets(connection: Connection, customer_id: str, facets: Iterable[tuple[str, str]]) -> None:
    """Note a customer's facets in place of those before."""
    connection.execute("delete from customer_facets where customer_id = ?", (customer_id,))
    connection.executemany(
        "insert into customer_facets (customer_id, facet, value) values (?, ?, ?)",
        [(customer_id, facet, value) for facet, value in facets],
    )
