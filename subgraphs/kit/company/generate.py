"""Makes the believable company: the same seed, size and day give the same facts, in every process."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from random import Random

from subgraphs.kit.company.billing import choose_never_invoiced, make_billed_lines
from subgraphs.kit.company.catalogue import make_owners, make_prices, make_products, make_tax_rates
from subgraphs.kit.company.consumption import make_consumption
from subgraphs.kit.company.contracts import Catalogue, make_contracts
from subgraphs.kit.company.customers import make_contacts, make_customers
from subgraphs.kit.company.invoices import make_receivables
from subgraphs.kit.company.ledger import make_journal, make_periods, make_revenue
from subgraphs.kit.company.model import Company
from subgraphs.kit.company.opportunities import make_opportunities


def generate(seed: int, customers: int, today: dt.date) -> Company:
    """Return a company with `customers` customers and two years of history that ends `today`."""
    products, prices, tax_rates, owners = make_products(), make_prices(), make_tax_rates(), make_owners(seed)
    catalogue = Catalogue.of(products, prices)
    people = make_customers(seed, customers, today, owners)
    contracts, amendments = make_contracts(seed, people, catalogue, today)
    entitlements, usage = make_consumption(seed, contracts, catalogue, today)
    lines = make_billed_lines(contracts, amendments, usage, catalogue, today)
    never_invoiced = choose_never_invoiced(seed, lines, customers)
    receivables = make_receivables(seed, people, lines, never_invoiced, tax_rates, today)
    revenue = make_revenue(receivables, catalogue, today)
    journal = make_journal(receivables, revenue)
    late = sorted(receivables.late)
    on_hold = set(Random(f"{seed}:hold").sample(late, -(-len(late) // 3)))  # noqa: S311 - no secret
    return Company(
        today=today,
        products=products,
        prices=prices,
        tax_rates=tax_rates,
        owners=owners,
        customers=tuple(
            replace(customer, credit_hold=True) if customer.reference in on_hold else customer for customer in people
        ),
        contacts=make_contacts(seed, people),
        opportunities=make_opportunities(seed, people, contracts, amendments, today),
        contracts=contracts,
        amendments=amendments,
        usage=usage,
        entitlements=entitlements,
        billed_lines=receivables.billed_lines,
        invoices=receivables.invoices,
        invoice_lines=receivables.invoice_lines,
        payments=receivables.payments,
        credit_memos=receivables.credit_memos,
        revenue_entries=revenue,
        journal_entries=journal,
        periods=make_periods(revenue, journal, today),
    )
