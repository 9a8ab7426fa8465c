"""The invoices, credit notes and loose ends of two years of billing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

from subgraphs.billing.sandbox.objects import invoice as shapes
from subgraphs.billing.sandbox.store import Store, StripeObject
from subgraphs.billing.sandbox.stripe_notation import midnight, minor, stable_id
from subgraphs.kit.company.model import BilledLine, Company, Invoice, InvoiceStatus

_STATUS = {
    InvoiceStatus.DRAFT: "draft",
    InvoiceStatus.POSTED: "open",
    InvoiceStatus.PAID: "paid",
    InvoiceStatus.VOIDED: "void",
}


def fill_invoices(
    store: Store, company: Company, customers: Mapping[str, StripeObject], subscriptions: Mapping[str, StripeObject]
) -> None:
    """Store one invoice per contract and billing run, carrying the ERP's number where it has one, and the credit notes."""
    known = {invoice.number: invoice for invoice in company.invoices}
    rates = {rate.code: rate.percent for rate in company.tax_rates}
    runs: dict[tuple[str, dt.date], list[BilledLine]] = {}
    for line in company.billed_lines:
        if line.contract in subscriptions:
            runs.setdefault((line.contract, line.billed_on), []).append(line)
    sequences: dict[str, int] = {}
    by_number: dict[str, StripeObject] = {}
    for (contract, _), lines in sorted(runs.items(), key=lambda run: (run[0][1], run[0][0])):
        customer = customers[lines[0].customer]
        number = next((line.invoice for line in lines if line.invoice), None)
        invoice = known.get(number) if number else None
        sequence = sequences[customer["id"]] = sequences.get(customer["id"], 0) + 1
        body = _invoice(customer, subscriptions[contract], lines, invoice, sequence, rates)
        store.put(body, parent=customer["id"])
        if invoice is not None:
            by_number[invoice.number] = body
    for reference, customer in customers.items():
        sequence = sequences.get(customer["id"], 0) + 1
        store.put({**customer, "next_invoice_sequence": sequence})
        customers[reference]["next_invoice_sequence"] = sequence
    for count, memo in enumerate(company.credit_memos, 1):
        target = by_number.get(memo.invoice)
        if target is None or target["status"] == "draft":
            continue
        note = shapes.credit_note(
            stable_id("cn_1", memo.reference, 23),
            target,
            minor(memo.total),
            f"{target['number']}-CN-{count:02d}",
            midnight(memo.issued_on),
            reason="product_unsatisfactory",
            memo=memo.reason,
            line=(stable_id("cnli_1", memo.reference, 23), memo.reason),
            metadata={"credit_memo_reference": memo.reference},
        )
        store.put(note, parent=target["id"])
        field = "post_payment_credit_notes_amount" if target["status"] == "paid" else "pre_payment_credit_notes_amount"
        target[field] += note["amount"]
        store.put(target)


def _invoice(
    customer: StripeObject,
    subscription: StripeObject,
    lines: list[BilledLine],
    invoice: Invoice | None,
    sequence: int,
    rates: Mapping[str, Decimal],
) -> StripeObject:
    first = lines[0]
    issued = midnight(first.billed_on)
    invoice_id = stable_id("in_1", f"{first.contract}:{first.billed_on}", 23)
    percent = rates[invoice.tax_code] if invoice else Decimal(0)
    items = {item["price"]["product"]: item for item in subscription["items"]["data"]}
    body_lines = []
    for line in lines:
        product_id = stable_id("prod", line.sku, 14)
        item = items.get(product_id)
        unit = {"id": stable_id("price_1", line.item, 23), "product": product_id}
        price = item["price"] if item else {**unit, "unit_amount_decimal": str(minor(line.unit_amount))}
        body_lines.append(
            shapes.line_item(
                stable_id("il_1", line.ref, 23),
                invoice_id,
                minor(line.amount),
                line.currency.lower(),
                line.description,
                (midnight(line.period_start), midnight(line.period_end + dt.timedelta(days=1))),
                quantity=line.quantity,
                price=price,
                subscription=subscription["id"],
                subscription_item=item["id"] if item else None,
                invoice_item=None if item else stable_id("ii_1", line.ref, 23),
                metadata={"billed_line_ref": line.ref},
            )
        )
    # Tax is computed on the document and shown on its lines; the last one takes the rounding.
    wanted = minor(invoice.tax) if invoice else 0
    net = sum(line["amount"] for line in body_lines)
    left = wanted
    for charged in body_lines:
        share = left if charged is body_lines[-1] else (wanted * charged["amount"] // net if net else 0)
        left -= share
        if share and percent:
            charged["taxes"] = [
                {
                    "amount": share,
                    "tax_behavior": "exclusive",
                    "tax_rate_details": None,
                    "taxability_reason": "standard_rated",
                    "taxable_amount": charged["amount"],
                    "type": "tax_rate_details",
                }
            ]
    body = shapes.invoice(
        invoice_id,
        customer,
        first.currency.lower(),
        body_lines,
        issued,
        subscription=subscription,
        metadata={
            "contract_number": first.contract,
            **({"invoice_number": invoice.number} if invoice else {}),
        },
    )
    status = _STATUS[invoice.status] if invoice else "open"
    body["status"] = status
    if status != "draft":
        body["number"] = f"{customer['invoice_prefix']}-{sequence:04d}"
        body["effective_at"] = issued
        body["status_transitions"]["finalized_at"] = issued
        body["auto_advance"] = False
        body["due_date"] = midnight(invoice.due_on) if invoice else issued + 30 * 86_400
    match status:
        case "paid":
            body |= {"amount_paid": body["amount_due"], "amount_remaining": 0, "attempted": True, "attempt_count": 1}
            body["status_transitions"]["paid_at"] = midnight(invoice.due_on) if invoice else issued
        case "void":
            body["amount_remaining"] = 0
            body["status_transitions"]["voided_at"] = issued + 86_400
        case _:
            pass
    return body
