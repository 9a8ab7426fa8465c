"""What workflows write in the ERP's catalogue, in the sandbox and in a real Tryton: once, only where nobody else did, and back."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from subgraphs.kit.product_copy import ProductCopy
from subgraphs.kit.system_error import BadUserInputError, ConflictError

NEW = ProductCopy(
    sku="CODE-REVIEW",
    before=None,
    after={"name": "Code review", "price.EUR": "42", "price.USD": "46.2"},
    revenue_rule="RATABLE_MONTHLY",
    tax_code="SAAS",
    mark="concord-1",
)
ANY = ["active", "in", [True, False]]


async def held(system: Any, sku: str) -> tuple[Any, ...] | None:
    found = (await system.erp.products.read([sku])).get(sku)
    if found is None:
        return None
    price = None if found.list_price is None else found.list_price.normalize()
    return found.name, format(price, "f"), found.books_currency, found.revenue_rule, found.tax_code


async def made(system: Any, sku: str) -> int:
    return len(await system.rows("product.product", [["code", "=", sku], ANY], "code"))


async def test_a_product_is_made_once_taken_out_of_use_and_made_again(system: Any) -> None:
    first = await system.erp.put_product(NEW)
    assert first[1] is True
    assert await system.erp.put_product(NEW) == first
    assert await held(system, NEW.sku) == ("Code review", "42", "EUR", "RATABLE_MONTHLY", "SAAS")
    other = dataclasses.replace(NEW, mark="concord-2")
    with pytest.raises(ConflictError):
        await system.erp.put_product(other)  # somebody else has made it meanwhile
    await system.erp.take_back_product(other)
    assert await held(system, NEW.sku) is not None
    for _ in range(2):
        await system.erp.take_back_product(NEW)
        assert await held(system, NEW.sku) is None
    again = dataclasses.replace(other, tax_code="SERVICE", after={**NEW.after, "name": "Review"})
    second = await system.erp.put_product(again)
    assert await system.erp.put_product(again) == second != first
    assert await held(system, NEW.sku) == ("Review", "42", "EUR", "RATABLE_MONTHLY", "SERVICE")
    assert await made(system, NEW.sku) == 2
    await system.erp.take_back_product(again)


async def test_a_name_and_a_price_are_changed_where_nobody_else_did_and_put_back(system: Any) -> None:
    name, price, *_ = await held(system, "SSO")
    before = {"name": name, "price.EUR": price}
    after = {"name": "Sign-on", "price.EUR": "130"}
    change = dataclasses.replace(NEW, sku="SSO", before=before, after=after)
    for _ in range(2):
        assert (await system.erp.put_product(change))[1] is False
        assert (await held(system, "SSO"))[:2] == ("Sign-on", "130")
    stale = dataclasses.replace(change, before={**before, "price.EUR": "1"}, after={**after, "price.EUR": "2"})
    with pytest.raises(ConflictError):
        await system.erp.put_product(stale)
    await system.erp.take_back_product(stale)  # its name is what the step made it, its price is not
    assert (await held(system, "SSO"))[:2] == (name, "130")
    await system.erp.take_back_product(change)
    assert (await held(system, "SSO"))[:2] == (name, price)


@pytest.mark.parametrize(
    "given",
    [
        {"revenue_rule": "BY_THE_MOON"},
        {"tax_code": "NONE"},
        {"after": {"name": "X", "price.USD": "1"}},
        {"before": {"name": "Core seat"}, "after": {"price.USD": "1"}, "sku": "CORE-SEAT"},
    ],
)
async def test_what_the_books_do_not_know_is_refused(system: Any, given: dict[str, Any]) -> None:
    with pytest.raises(BadUserInputError):
        await system.erp.put_product(dataclasses.replace(NEW, **{"sku": "NOTHING", **given}))
    assert await made(system, "NOTHING") == 0


async def test_a_product_that_is_gone_is_not_made_by_a_change(system: Any) -> None:
    change = dataclasses.replace(NEW, sku="NOTHING", before={"name": "a"}, after={"name": "b"})
    with pytest.raises(ConflictError):
        await system.erp.put_product(change)
    await system.erp.take_back_product(change)
    assert await made(system, "NOTHING") == 0
