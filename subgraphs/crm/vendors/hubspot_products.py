"""HubSpot's product library: a price per currency, found by SKU. https://developers.hubspot.com/docs/api/crm/products

All products are listed, since the search's index follows writes only after seconds and SKUs are not unique to HubSpot.
A product that was made here says so at the end of its description; one that is taken back is archived.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

from subgraphs.crm.records import CatalogueProduct
from subgraphs.kit.money import plain_decimal
from subgraphs.kit.product_copy import ProductCopy
from subgraphs.kit.system_error import BadUserInputError, ConflictError, Outcome, VendorBadResponseError
from subgraphs.kit.vendor_client import VendorClient, items, pages

_PATH = "/crm/v3/objects/products"
_PRICE = re.compile(r"hs_price_([a-z]{3})")
_PREFIX = "price."
_PAGE = 100


class HubSpotProducts:
    """`ProductCopies` of one account."""

    keeps_products = True

    def __init__(self, client: VendorClient) -> None:
        self._client = client
        self._currencies: tuple[str, ...] | None = None

    async def products(self, skus: Sequence[str]) -> Mapping[str, CatalogueProduct]:
        """Return the products with these SKUs; of several with one SKU the oldest."""
        currencies = await self._account_currencies()
        properties = ",".join(("hs_sku", "name", "description", *map(_property, currencies)))

        async def fetch(after: str | None) -> tuple[Sequence[Any], str | None]:
            params: dict[str, str | int] = {"limit": _PAGE, "properties": properties}
            if after is not None:
                params["after"] = after
            reply = await self._client.read("GET", _PATH, params=params)
            match reply.body:
                case {"results": list() as results, "paging": {"next": {"after": str() | int() as following}}}:
                    return results, str(following)
                case {"results": list() as results}:
                    return results, None
                case _:
                    raise VendorBadResponseError("The crm system's answer has no results.", system="crm")

        found: dict[str, CatalogueProduct] = {}
        try:
            for document in await items(pages(fetch)):
                product = _to_product(document, currencies)
                if product.sku in skus:
                    found.setdefault(product.sku, product)
        except (AttributeError, InvalidOperation, KeyError, TypeError) as error:
            raise VendorBadResponseError("The crm system's answer has an unexpected shape.", system="crm") from error
        return found

    async def put_product(self, product: ProductCopy) -> tuple[str, bool]:
        """Write what has its value before, in one request; make the product where there was none."""
        found = (await self.products([product.sku])).get(product.sku)
        if product.before is None and found is None:
            return await self._make(product), True
        if found is None or (product.before is None and not _is_marked(found, product.mark)):
            raise _moved("is" if found is None else "is in", product.sku)
        held = fields_of(found)
        _check(product, held)
        wanted = {name: after for name, after in product.after.items() if name in held}
        for name, after in wanted.items():
            if product.before is not None and held[name] not in {product.before[name], after}:
                raise _moved(f"has another {name} in", product.sku)
        await self._write(found, {name: after for name, after in wanted.items() if held[name] != after})
        return found.id, product.before is None

    async def take_back_product(self, product: ProductCopy) -> None:
        """Archive what was made here; else put back what nobody has changed since."""
        found = (await self.products([product.sku])).get(product.sku)
        if found is None:
            return
        if product.before is not None:
            held = fields_of(found)
            _check(product, held)
            await self._write(found, {n: product.before[n] for n, after in product.after.items() if held[n] == after})
        elif _is_marked(found, product.mark):
            await self._client.write("DELETE", f"{_PATH}/{quote(found.id, safe='')}")

    async def _make(self, product: ProductCopy) -> str:
        known = {"name", *(_PREFIX + currency for currency in await self._account_currencies())}
        values = {name: after for name, after in product.after.items() if name in known}
        properties = {"hs_sku": product.sku, "description": f"{product.sku} [{product.mark}]", **_properties(values)}
        reply = await self._client.write("POST", _PATH, json={"properties": properties})
        match reply.body:
            case {"id": str() | int() as product_id}:
                return str(product_id)
            case _:
                raise VendorBadResponseError("The crm system's answer has no id.", system="crm")

    async def _write(self, found: CatalogueProduct, values: Mapping[str, str | None]) -> None:
        if values:
            path = f"{_PATH}/{quote(found.id, safe='')}"
            await self._client.write("PATCH", path, json={"properties": _properties(values)})

    async def _account_currencies(self) -> tuple[str, ...]:
        """Return the currencies that this account has prices in; they change with its settings, so once a process will do."""
        if self._currencies is None:
            reply = await self._client.read("GET", "/crm/v3/properties/products")
            match reply.body:
                case {"results": [*properties]} if all(isinstance(each, dict) for each in properties):
                    names = (_PRICE.fullmatch(str(each.get("name"))) for each in properties)
                    self._currencies = tuple(sorted(name[1].upper() for name in names if name))
                case _:
                    raise VendorBadResponseError("The crm system's answer has no results.", system="crm")
        return self._currencies


def fields_of(product: CatalogueProduct) -> dict[str, str | None]:
    """Return the copied fields as workflows name them: `name`, `price.EUR`."""
    prices = {
        _PREFIX + currency: None if price is None else plain_decimal(price)
        for currency, price in product.prices.items()
    }
    return {"name": product.name, **prices}


def _to_product(document: Mapping[str, Any], currencies: Sequence[str]) -> CatalogueProduct:
    held = document["properties"]
    return CatalogueProduct(
        id=str(document["id"]),
        sku=held.get("hs_sku") or "",
        name=held.get("name"),
        prices={
            currency: Decimal(price) if (price := held.get(_property(currency))) else None for currency in currencies
        },
        note=held.get("description"),
    )


def _property(currency: str) -> str:
    return f"hs_price_{currency.lower()}"


def _properties(values: Mapping[str, str | None]) -> dict[str, str]:
    return {
        _property(name.removeprefix(_PREFIX)) if name.startswith(_PREFIX) else name: value or ""
        for name, value in values.items()
    }


def _check(product: ProductCopy, held: Mapping[str, str | None]) -> None:
    """Raise BadUserInputError for fields that the CRM does not copy; a new one comes with the prices in all currencies."""
    unknown = sorted(set(product.after) - set(held))
    if unknown and product.before is not None:
        raise BadUserInputError(f"The CRM copies no {', '.join(unknown)[:100]}.", outcome=Outcome.NOT_APPLIED)


def _is_marked(product: CatalogueProduct, mark: str) -> bool:
    return (product.note or "").endswith(f"[{mark}]")


def _moved(what: str, sku: str) -> ConflictError:
    told = f"The product {sku[:50]} {what} the CRM, other than when this was decided."
    return ConflictError(told, outcome=Outcome.NOT_APPLIED, retryable=False)
