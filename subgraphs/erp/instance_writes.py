"""Writes to several ERPs: to the one that an id names, and for a new customer to the one that the routes choose.

A customer that an ERP has already stays where it is; its orders, invoices and payments follow it. Of several that have it,
or for one that none has, the routes of the configuration decide, and where none of them fits, one's own ERP.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from subgraphs.erp.instance_records import restore
from subgraphs.erp.instances import InstancedReads
from subgraphs.erp.port import CreditLine, Erp, NewOrder, NewParty
from subgraphs.erp.records import CustomerRecord, InvoiceRecord
from subgraphs.kit.instances import Instance, instance_of, visible
from subgraphs.kit.product_copy import ProductCopy
from subgraphs.kit.system_error import FieldError, ForbiddenError, NotFoundError, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which ERP gets a new customer; every part that is stated must fit."""

    instance: str
    """Its name; empty for one's own."""
    countries: frozenset[str] = frozenset()
    """ISO 3166 alpha-2."""
    currencies: frozenset[str] = frozenset()
    business_units: frozenset[str] = frozenset()

    def fits(self, party: NewParty) -> bool:
        """Whether it is for this customer."""
        parts = (
            (self.countries, party.country),
            (self.currencies, party.currency),
            (self.business_units, party.business_unit),
        )
        return all(value in wanted for wanted, value in parts if wanted)


class InstancedErp(InstancedReads):
    """The whole port over several ERPs."""

    def __init__(self, instances: Sequence[Instance[Erp]], routes: Sequence[Route] = ()) -> None:
        super().__init__(instances)
        self._routes = routes

    async def ensure_party(self, party: NewParty) -> tuple[str, bool]:
        """Return the customer's id where it is known, else where its route leads. Raises ForbiddenError where the caller may not go."""
        chosen = self._routed(party)
        candidates = [each for each in (chosen, *self._instances) if each.is_visible]
        for instance in candidates:
            own = instance.ids.own(party.known_as)
            found = await instance.port.customers.read(own) if own else {}
            if found:
                return instance.ids.add(next(each for each in own if each in found)), False
        for instance in candidates:
            if await instance.port.knows_party(party):
                break
        else:
            instance = chosen
        if not instance.is_visible:
            # Said of every customer on this route, so that nobody learns by it whether one is there.
            raise ForbiddenError(
                "Customers like this one are kept in a region that you may not work in.", outcome=Outcome.NOT_APPLIED
            )
        party_id, was_created = await instance.port.ensure_party(party)
        return instance.ids.add(party_id), was_created

    def _routed(self, party: NewParty) -> Instance[Erp]:
        name = next((route.instance for route in self._routes if route.fits(party)), "")
        return next(each for each in self._instances if each.ids.name == name)

    async def knows_party(self, party: NewParty) -> bool:
        """Whether any of them has the customer."""
        return any(await asyncio.gather(*(each.port.knows_party(party) for each in visible(self._instances))))

    async def retire_party(self, reference: str, mark: str) -> None:
        """Take the customer out of use wherever it was made under that mark."""
        await asyncio.gather(*(each.port.retire_party(reference, mark) for each in visible(self._instances)))

    async def change_party_fields(
        self, party_id: str, changes: Mapping[str, tuple[str | None, str | None]], *, refuses: bool
    ) -> None:
        """Write the fields where the customer is."""
        instance, own = self._of(party_id)
        await instance.port.change_party_fields(own, changes, refuses=refuses)

    async def put_product(self, product: ProductCopy) -> tuple[str, bool]:
        """Write the product in one's own ERP, which is the first."""
        instance = self._own()
        product_id, was_created = await instance.port.put_product(product)
        return instance.ids.add(product_id), was_created

    async def take_back_product(self, product: ProductCopy) -> None:
        """Take the product's change back in one's own ERP."""
        await self._own().port.take_back_product(product)

    def _own(self) -> Instance[Erp]:
        instance = self._instances[0]
        if not instance.is_visible:
            raise ForbiddenError(
                "The catalogue is kept in a region that you may not work in.", outcome=Outcome.NOT_APPLIED
            )
        return instance

    async def place_order(self, order: NewOrder) -> str:
        """Return the id of the draft invoice, in the ERP that has the customer."""
        instance, own = self._of(order.customer_id)
        return instance.ids.add(await instance.port.place_order(replace(order, customer_id=own)))

    async def find_order(self, reference: str) -> str | None:
        """Return the id of the invoice that carries our reference, wherever it is."""
        return await self._find(lambda erp: erp.find_order(reference))

    async def post_order(self, invoice_id: str) -> None:
        """Post the invoice where it is."""
        instance, own = self._of(invoice_id)
        await instance.port.post_order(own)

    async def schedule_revenue(self, invoice_id: str) -> tuple[str, ...]:
        """Defer the invoice's revenue where it is."""
        instance, own = self._of(invoice_id)
        return tuple(instance.ids.add_all(await instance.port.schedule_revenue(own)))

    async def reverse_revenue(self, invoice_id: str) -> None:
        """Reverse the invoice's revenue where it is."""
        instance, own = self._of(invoice_id)
        await instance.port.reverse_revenue(own)

    async def cancel_order(self, invoice_id: str) -> None:
        """Cancel the invoice where it is."""
        instance, own = self._of(invoice_id)
        await instance.port.cancel_order(own)

    async def set_credit_hold(self, customer: CustomerRecord, *, on_hold: bool, version: str) -> None:
        """Hold or release the customer where it is."""
        instance, _ = self._of(customer.id)
        await instance.port.set_credit_hold(restore(instance.ids, customer), on_hold=on_hold, version=version)

    async def record_payment(
        self, invoice: InvoiceRecord, *, amount: Decimal, received_on: dt.date, method: str | None, reference: str
    ) -> str:
        """Return the payment's id, in the books of the invoice."""
        instance, _ = self._of(invoice.id)
        payment_id = await instance.port.record_payment(
            restore(instance.ids, invoice), amount=amount, received_on=received_on, method=method, reference=reference
        )
        return instance.ids.add(payment_id)

    async def find_payment(self, invoice: InvoiceRecord, reference: str) -> str | None:
        """Return the id of the invoice's payment that carries our reference."""
        instance, _ = self._of(invoice.id)
        found = await instance.port.find_payment(restore(instance.ids, invoice), reference)
        return None if found is None else instance.ids.add(found)

    async def issue_credit_memo(
        self, invoice: InvoiceRecord, lines: Sequence[CreditLine], *, issued_on: dt.date, reason: str, reference: str
    ) -> str:
        """Return the credit memo's id, in the books of the invoice."""
        instance, _ = self._of(invoice.id)
        own = [replace(line, line_id=instance.ids.own([line.line_id])[0]) for line in lines]
        memo_id = await instance.port.issue_credit_memo(
            restore(instance.ids, invoice), own, issued_on=issued_on, reason=reason, reference=reference
        )
        return instance.ids.add(memo_id)

    async def find_credit_memo(self, invoice: InvoiceRecord, reference: str) -> str | None:
        """Return the id of the credit memo that carries our reference, in the books of the invoice."""
        instance, _ = self._of(invoice.id)
        found = await instance.port.find_credit_memo(restore(instance.ids, invoice), reference)
        return None if found is None else instance.ids.add(found)

    async def take_back_credit_memo(self, invoice_id: str, reference: str) -> None:
        """Take the credit memo back in the books of the invoice."""
        instance, own = self._of(invoice_id)
        await instance.port.take_back_credit_memo(own, reference)

    async def void_invoice(self, invoice: InvoiceRecord, *, version: str) -> None:
        """Void the invoice where it is."""
        instance, _ = self._of(invoice.id)
        await instance.port.void_invoice(restore(instance.ids, invoice), version=version)

    def _of(self, graph_id: str) -> tuple[Instance[Erp], str]:
        """Return the instance that an id names, and its own id. Raises NotFoundError, for a hidden one too."""
        instance = instance_of(self._instances, graph_id)
        if instance is None:
            raise NotFoundError("There is no such object in the ERP.", outcome=Outcome.NOT_APPLIED)
        return instance, instance.ids.own([graph_id])[0]

    async def _find(self, look: Callable[[Erp], Awaitable[str | None]]) -> str | None:
        """Return what one of them has. Raises what one raises only if none of the others has it."""

        async def ask(instance: Instance[Erp]) -> str | FieldError | None:
            try:
                found = await look(instance.port)
            except FieldError as error:
                return error
            return None if found is None else instance.ids.add(found)

        answers = await asyncio.gather(*map(ask, visible(self._instances)))
        errors = [answer for answer in answers if isinstance(answer, FieldError)]
        found = [answer for answer in answers if isinstance(answer, str)]
        if not found and errors:
            raise errors[0]
        return found[0] if found else None
