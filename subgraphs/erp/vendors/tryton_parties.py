"""What workflows write in Tryton's copies of a customer's fields: its first address and its web site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from subgraphs.erp.vendors.tryton_orders import TrytonOrders
from subgraphs.kit.system_error import ConflictError, NotFoundError, Outcome

_ADDRESS = ("street", "city", "country.code")


class TrytonParties(TrytonOrders):
    """`Parties` of one company."""

    async def change_party_fields(
        self, party_id: str, changes: Mapping[str, tuple[str | None, str | None]], *, refuses: bool
    ) -> None:
        """Write each field that has its value before; one that has the value after already is left as it is."""
        party = int(party_id)
        rows = await self._tryton.search("party.party", [["id", "=", party]], ("code",), limit=1)
        if not rows:
            raise NotFoundError("The ERP has no record of this customer.", outcome=Outcome.NOT_APPLIED)
        addresses = await self._tryton.search(
            "party.address", [["party", "=", party]], _ADDRESS, order=[["id", "ASC"]], limit=1
        )
        sites = await self._tryton.search(
            "party.contact_mechanism",
            [["party", "=", party], ["type", "=", "website"]],
            ("value",),
            order=[["id", "ASC"]],
            limit=1,
        )
        address = addresses[0] if addresses else {}
        held = {
            "street": address.get("street"),
            "city": address.get("city"),
            "country": (address.get("country") or {}).get("code"),
            "website": sites[0]["value"] if sites else None,
        }
        wanted: dict[str, str | None] = {}
        for name, (before, after) in changes.items():
            if (held[name] or None) == (after or None):
                continue
            if (held[name] or None) == (before or None):
                wanted[name] = after
            elif refuses:
                told = f"The customer's {name} was changed in the ERP meanwhile."
                raise ConflictError(told, outcome=Outcome.NOT_APPLIED, retryable=False)
        books = await self._shelf.open()
        values: dict[str, Any] = {name: wanted[name] for name in ("street", "city") if name in wanted}
        if "country" in wanted:
            values["country"] = await self._country(wanted["country"])
        if values and addresses:
            await self._tryton.call("model.party.address.write", [int(addresses[0]["id"])], values, books.context)
        elif values:
            await self._tryton.call("model.party.address.create", [{"party": party, **values}], books.context)
        if "website" not in wanted:
            return
        site = wanted["website"]
        model = "model.party.contact_mechanism"
        if sites and site is None:
            await self._tryton.call(f"{model}.delete", [int(sites[0]["id"])], books.context)
        elif sites:
            await self._tryton.call(f"{model}.write", [int(sites[0]["id"])], {"value": site}, books.context)
        elif site is not None:
            row = {"party": party, "type": "website", "value": site}
            await self._tryton.call(f"{model}.create", [row], books.context)
