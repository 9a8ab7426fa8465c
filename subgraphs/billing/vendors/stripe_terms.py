"""Terms and credits at Stripe: a term is metadata of the subscription, a credit is a credit note of the invoice.

The metadata has `renewed.<mark>` for each renewal, so that a repetition finds it and taking it back knows that there is
one. Stripe itself goes on billing by cycle; a renewed term is billed when its first cycle begins.
"""

from __future__ import annotations

import datetime as dt

from subgraphs.billing.port import Books
from subgraphs.billing.records import Contract
from subgraphs.billing.term_port import Credit, Term
from subgraphs.billing.vendors import stripe_mirror as mirror
from subgraphs.billing.vendors.stripe import StripeAdaptor, StripeDoc
from subgraphs.billing.vendors.stripe_books import today
from subgraphs.billing.vendors.stripe_ledger import now_ms, vendor_key
from subgraphs.billing.vendors.stripe_mapping import contract_record
from subgraphs.billing.vendors.stripe_refunds import StripeRefunds
from subgraphs.billing.vendors.stripe_wire import FormValue, minor_amount, start_of
from subgraphs.kit.database import Database
from subgraphs.kit.system_error import ConflictError, NotFoundError, Outcome

_MARK = "concord_mark"
_ONE_DAY = dt.timedelta(days=1)


class StripeTerms:
    """The `Terms` of Stripe."""

    def __init__(self, adaptor: StripeAdaptor, database: Database, books: Books) -> None:
        self._adaptor = adaptor
        self._database = database
        self._books = books
        self._refunds = StripeRefunds(adaptor)

    async def renew(self, contract: Contract, term: Term, *, version: str, mark: str, key: str) -> Contract:
        """Write the term into the metadata, unless it says that this was done; an agreed end is withdrawn."""
        found = await self._subscription(contract.id)
        if _name(mark) not in (found.get("metadata") or {}):
            present = contract_record(found, today())
            if present.version != version:
                told = f"The contract has changed: its version is {present.version}."
                raise ConflictError(told, outcome=Outcome.NOT_APPLIED)
            values = _as_term(term, **{_name(mark): term.starts_on.isoformat()})
            found = await self._adaptor.post(f"/v1/subscriptions/{contract.id}", values, key=vendor_key(key))
            await self._keep(found)
        return contract_record(found, today())

    async def unrenew(self, contract: Contract, term: Term, *, mark: str, key: str) -> None:
        """Write the earlier term back, if the renewal took effect."""
        found = await self._subscription(contract.id)
        metadata = found.get("metadata") or {}
        if _name(mark) not in metadata:
            return
        renewals = [name for name in metadata if name.startswith("renewed.")]
        if max(renewals, key=lambda name: (str(metadata[name]), name)) != _name(mark):
            told = "The contract was renewed again since; the earlier term can't be put back."
            raise ConflictError(told, outcome=Outcome.NOT_APPLIED, retryable=False)
        values = _as_term(term, **{_name(mark): ""})
        await self._keep(await self._adaptor.post(f"/v1/subscriptions/{contract.id}", values, key=vendor_key(key)))

    async def credit(self, credit: Credit, *, key: str) -> str | None:
        """Credit the invoice: what is open is reduced, what is paid goes onto the customer's balance."""
        invoice = await self._invoice(credit.document)
        if invoice is None:
            return None
        note = await self._note(invoice, credit.mark)
        if note is None:
            amount = minor_amount(credit.amount, invoice["currency"])
            is_paid = invoice["status"] == "paid"
            if not is_paid and amount > int(invoice["amount_remaining"]):
                told = "The credit is more than what is left to pay of billing's copy, which is paid in part."
                raise ConflictError(told, outcome=Outcome.NOT_APPLIED, retryable=False)
            values: dict[str, FormValue] = {
                "invoice": invoice["id"],
                "amount": amount,
                "metadata": {_MARK: credit.mark, "credit_memo": credit.memo},
            }
            if is_paid:
                values["credit_amount"] = amount
            note = await self._adaptor.post("/v1/credit_notes", values, key=vendor_key(key))
            await self._reread(invoice)
        return str(note["id"])

    async def uncredit(self, document: str, mark: str, *, key: str) -> None:
        """Void the credit note while its invoice is open; else the customer's balance takes the amount back."""
        invoice = await self._invoice(document)
        note = None if invoice is None else await self._note(invoice, mark)
        if invoice is None or note is None or note["status"] == "void":
            return
        if invoice["status"] == "open" and note["type"] == "pre_payment":
            await self._adaptor.post(f"/v1/credit_notes/{note['id']}/void", {}, key=vendor_key(key))
        else:
            await self._refunds.change_balance(invoice, int(note["amount"]), mark, key=key)
        await self._reread(invoice)

    async def _invoice(self, number: str) -> StripeDoc | None:
        """Return the invoice as Stripe has it; the copy says which one it is."""
        document = (await self._books.documents([number])).get(number)
        return None if document is None else (await self._adaptor.read([document.id])).get(document.id)

    async def _note(self, invoice: StripeDoc, mark: str) -> StripeDoc | None:
        notes = await self._adaptor.list_all("/v1/credit_notes", {"invoice": invoice["id"]})
        return next((note for note in notes if (note.get("metadata") or {}).get(_MARK) == mark), None)

    async def _subscription(self, subscription_id: str) -> StripeDoc:
        found = (await self._adaptor.read([subscription_id])).get(subscription_id)
        if found is None:
            raise NotFoundError("There is no such contract in billing.", outcome=Outcome.NOT_APPLIED)
        return found

    async def _reread(self, doc: StripeDoc) -> None:
        for found in (await self._adaptor.read([str(doc["id"])])).values():
            await self._keep(found)

    async def _keep(self, doc: StripeDoc) -> None:
        at_ms = now_ms()
        await self._database.run(lambda connection: mirror.put_docs(connection, [doc], read_at_ms=at_ms))


def _name(mark: str) -> str:
    return f"renewed.{mark.removeprefix('concord-')[:24]}"


def _as_term(term: Term, **noted: str) -> dict[str, FormValue]:
    metadata: dict[str, FormValue] = {
        "term_starts_on": term.starts_on.isoformat(),
        "term_ends_on": term.ends_on.isoformat(),
        "non_renewal": "" if term.auto_renews else "true",
        **noted,
    }
    return {"metadata": metadata, "cancel_at": None if term.auto_renews else start_of(term.ends_on + _ONE_DAY)}
