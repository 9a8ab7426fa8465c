"""What catalogues say of a product, compared with billing, which owns its name and list prices. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any

from gateway.writes.product_values import TwoPrices, held_values, owned_values
from gateway.writes.reconciliation.model import DriftKind, Finding, Place
from gateway.writes.reconciliation.tolerance import Tolerances

_RECORDS = {"crm": "crmRecord", "erp": "erpRecord"}
_PRICE = "price."


def compare_product(node: Mapping[str, Any], failed: Collection[str], tolerances: Tolerances) -> Iterator[Finding]:
    """Yield what became of comparing each field. Nothing is said of a copy whose system `failed`."""
    try:
        owned = owned_values(node)
    except TwoPrices:
        return  # billing itself does not say what the price is
    for system, name in _RECORDS.items():
        held = held_values(node[name])
        if held is None and (system in failed or (system == "crm" and not node["isKeptInCrm"])):
            continue
        if held is not None or node["active"]:
            yield _finding(node, system, "record", (node["sku"], None if held is None else node["sku"]))
        for field, value in owned.items():
            if held is not None and field in held:
                yield _finding(node, system, field, (value, held[field]), tolerances)


def _finding(
    node: Mapping[str, Any],
    system: str,
    field: str,
    values: tuple[str, str | None],
    tolerances: Tolerances | None = None,
) -> Finding:
    owner, copy = values
    is_price = field.startswith(_PRICE) and copy is not None
    if is_price:
        assert tolerances is not None
        agrees = tolerances.of("price").covers(Decimal(owner), Decimal(copy or 0), field.removeprefix(_PRICE))
    else:
        agrees = owner == copy if tolerances is None else tolerances.same_text(owner, copy)
    return Finding(
        place=Place(kind=DriftKind.PRODUCT, subject=str(node["sku"]), field=field, system=system),
        owner="billing",
        owner_value=owner,
        copy_value=copy,
        difference=Decimal(copy or 0) - Decimal(owner) if is_price else None,
        currency=field.removeprefix(_PRICE) if field.startswith(_PRICE) else None,
        differs=not agrees,
    )


def skipped(node: Mapping[str, Any], failed: Collection[str]) -> frozenset[str]:
    """Return the systems for whose silence a product is not wholly compared."""
    return frozenset(system for system, name in _RECORDS.items() if node[name] is None and system in failed)
