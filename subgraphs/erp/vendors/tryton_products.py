"""What workflows write in Tryton's catalogue: a template's name and list price, and products with one variant each.

A product that was made here says so at the end of its description; one that is taken back stays, out of use, and does not
keep another from having its code.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from subgraphs.erp.vendors.tryton import Row
from subgraphs.erp.vendors.tryton_mapping import TAX_CODE, to_category, with_reference
from subgraphs.erp.vendors.tryton_orders import TrytonOrders
from subgraphs.kit.money import plain_decimal
from subgraphs.kit.product_copy import ProductCopy
from subgraphs.kit.system_error import BadUserInputError, ConflictError, Outcome

_FIELDS = ("code", "description", "template.name", "template.list_price")
_NAME, _PRICE = "name", "price."


class TrytonProducts(TrytonOrders):
    """`ProductCopies` of one company."""

    async def put_product(self, product: ProductCopy) -> tuple[str, bool]:
        """Find the product by its code, and write what has its value before; make it where there was none."""
        books = await self._shelf.open()
        _check(product, books.currency)
        async with self._making[f"product {product.sku}"]:
            found = await self._product(product.sku)
            if product.before is None and found is None:
                return str(await self._make(product)), True
            if found is None or (product.before is None and not _is_marked(found, product.mark)):
                raise _moved("is" if found is None else "is in", product.sku)
            held = _held(found, books.currency)
            wanted = {name: after for name, after in product.after.items() if name in held}
            for name, after in wanted.items():
                if product.before is not None and held[name] not in {product.before[name], after}:
                    raise _moved(f"has another {name} in", product.sku)
            await self._write(found, {**held, **wanted}, books.currency)
            return str(found["id"]), product.before is None

    async def take_back_product(self, product: ProductCopy) -> None:
        """Take out of use what was made here and is in no document; else put back what nobody has changed since."""
        books = await self._shelf.open()
        found = await self._product(product.sku)
        if found is None:
            return
        if product.before is not None:
            held = _held(found, books.currency)
            back = {name: product.before[name] for name, after in product.after.items() if held[name] == after}
            await self._write(found, {**held, **back}, books.currency)
        elif _is_marked(found, product.mark):
            domain = [["product", "=", found["id"]]]
            if not await self._tryton.search("account.invoice.line", domain, ("id",), limit=1):
                values = {"active": False}
                await self._tryton.call("model.product.product.write", [int(found["id"])], values, books.context)

    async def _classes(self, product: ProductCopy) -> tuple[int, int]:
        """Return the accounting category of the rule, and the category of the tax code. Raises BadUserInputError."""
        rules = [["name", "=", to_category(product.revenue_rule or "")], ["accounting", "=", True]]
        codes = [["name", "=", product.tax_code], ["parent.name", "=", TAX_CODE]]
        return await self._one("product.category", rules, "revenueRule"), await self._one(
            "product.category", codes, "taxCode"
        )

    async def _product(self, sku: str) -> Row | None:
        context = (await self._shelf.open()).context
        rows = await self._tryton.search("product.product", [["code", "=", sku]], _FIELDS, limit=1, context=context)
        return rows[0] if rows else None

    async def _make(self, product: ProductCopy) -> int:
        books = await self._shelf.open()
        rule, code = await self._classes(product)
        variant = {"suffix_code": product.sku, "description": with_reference(product.sku, product.mark)}
        values = {
            "name": product.after[_NAME],
            "type": "service",
            "default_uom": await self._one("product.uom", [["name", "=", "Unit"]], "revenueRule"),
            "list_price": _price(product.after, books.currency),
            "account_category": rule,
            "categories": [["add", [code]]],
            "products": [["create", [variant]]],
        }
        await self._tryton.call("model.product.template.create", [values], books.context)
        made = await self._product(product.sku)
        if made is None:
            raise ConflictError("The ERP gave the product another code.", outcome=Outcome.APPLIED, retryable=False)
        return int(made["id"])

    async def _write(self, found: Row, wanted: Mapping[str, str | None], currency: str) -> None:
        held = _held(found, currency)
        values: dict[str, Any] = {}
        if wanted[_NAME] != held[_NAME]:
            values["name"] = wanted[_NAME]
        if wanted[_PRICE + currency] != held[_PRICE + currency]:
            values["list_price"] = _price(wanted, currency)
        if values:
            books = await self._shelf.open()
            template = int(found["template"]["id"])
            await self._tryton.call("model.product.template.write", [template], values, books.context)


def _held(found: Row, currency: str) -> dict[str, str | None]:
    price = found["template"]["list_price"]
    return {_NAME: found["template"]["name"], _PRICE + currency: None if price is None else plain_decimal(price)}


def _price(values: Mapping[str, str | None], currency: str) -> Decimal | None:
    price = values.get(_PRICE + currency)
    return None if price is None else Decimal(price)


def _check(product: ProductCopy, currency: str) -> None:
    """Raise BadUserInputError for fields that the ERP does not copy."""
    known, given = {_NAME, _PRICE + currency}, set(product.after)
    # A new one comes with the prices in all currencies, of which the books take their own.
    if (product.before is not None and given - known) or (product.before is None and known - given):
        told = f"The ERP copies a product's name and its price in {currency}, and a new one needs both."
        raise BadUserInputError(told, outcome=Outcome.NOT_APPLIED)


def _is_marked(product: Row, mark: str) -> bool:
    return (product["description"] or "").endswith(f"[{mark}]")


def _moved(what: str, sku: str) -> ConflictError:
    told = f"The product {sku[:50]} {what} the ERP, other than when this was decided."
    return ConflictError(told, outcome=Outcome.NOT_APPLIED, retryable=False)
