"""The customers and their people, with the disagreements that real systems have."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from random import Random

from subgraphs.kit.company.model import (
    Address,
    Contact,
    Customer,
    CustomerStatus,
    Owner,
    PaymentMethod,
    Segment,
    Source,
)
from subgraphs.kit.company.words import (
    FIRST_NAMES,
    INDUSTRIES,
    JOB_TITLES,
    LAST_NAMES,
    NAME_ENDS,
    NAME_STARTS,
    PLACE_WEIGHTS,
    PLACES,
    REGIONS,
    STREETS,
)

_SEGMENTS = (Segment.ENTERPRISE, Segment.MID_MARKET, Segment.SMB, Segment.STARTUP)
_SEGMENT_WEIGHTS = (12, 28, 40, 20)
_EMPLOYEES = {
    Segment.ENTERPRISE: (1200, 9000),
    Segment.MID_MARKET: (200, 1199),
    Segment.SMB: (20, 199),
    Segment.STARTUP: (3, 40),
}
_CREDIT_LIMITS = {Segment.ENTERPRISE: 250_000, Segment.MID_MARKET: 80_000, Segment.SMB: 20_000, Segment.STARTUP: 5_000}
_CONTACTS = {Segment.ENTERPRISE: (3, 5), Segment.MID_MARKET: (2, 4), Segment.SMB: (1, 3), Segment.STARTUP: (1, 2)}
_STATUSES = (CustomerStatus.ACTIVE, CustomerStatus.CHURNED, CustomerStatus.PROSPECT)
_STATUS_WEIGHTS = (85, 7, 8)


def make_customers(seed: int, count: int, today: dt.date, owners: Sequence[Owner]) -> tuple[Customer, ...]:
    """Return `count` customers, the first ones possible parents of later ones; none on credit hold yet."""
    taken: set[str] = set()
    customers: list[Customer] = []
    for number in range(1, count + 1):
        rng = Random(f"{seed}:customer:{number}")  # noqa: S311 - a believable company, not a secret
        made = _make_customer(rng, number, today, owners, customers, taken)
        customers.append(replace(made, parents=_other_parents(seed, made, customers)))
    return _with_gaps(seed, tuple(customers))


def _make_customer(
    rng: Random, number: int, today: dt.date, owners: Sequence[Owner], earlier: Sequence[Customer], taken: set[str]
) -> Customer:
    word, industry = rng.choice(INDUSTRIES)
    segment = rng.choices(_SEGMENTS, _SEGMENT_WEIGHTS)[0]
    country, currency, legal_form, cities = rng.choices(PLACES, PLACE_WEIGHTS)[0]
    parents = [c for c in earlier[-40:] if c.parent is None and c.segment in {Segment.ENTERPRISE, Segment.MID_MARKET}]
    parent = rng.choice(parents) if parents and rng.random() < 0.12 else None
    if parent is None:
        name = f"{rng.choice(NAME_STARTS)}{rng.choice(NAME_ENDS)} {word}"
    else:
        name = f"{parent.name} {rng.choice(REGIONS)}"
    while name in taken:
        name = f"{rng.choice(NAME_STARTS)}{rng.choice(NAME_ENDS)} {rng.choice(NAME_STARTS)} {word}"
        parent = None
    taken.add(name)
    city = rng.choice(cities)
    # Billing and the ERP meet a customer with the first contract; the CRM alone knows a prospect.
    status = rng.choices(_STATUSES, _STATUS_WEIGHTS)[0] if parent is None else CustomerStatus.ACTIVE
    names, towns = _disagreements(rng, name, legal_form, city, cities)
    return Customer(
        reference=f"CUST-{number:04}",
        name=name,
        legal_name=f"{name} {legal_form}",
        domain=f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}.example",
        segment=segment,
        status=status,
        owner=rng.choice(owners).reference,
        parent=parent.reference if parent else None,
        currency=currency,
        tax_id=f"{country}{number:05}{rng.randrange(10_000):04}",
        industry=industry,
        employees=rng.randint(*_EMPLOYEES[segment]),
        address=Address(
            street=f"{rng.randint(1, 180)} {rng.choice(STREETS)}",
            city=city,
            postal_code=f"{rng.randrange(10_000, 99_999)}",
            country=country,
        ),
        created_on=today - dt.timedelta(days=rng.randint(760, 1500)),
        payment_method=_payment_method(rng, segment, currency),
        credit_limit=Decimal(_CREDIT_LIMITS[segment]),
        credit_hold=False,
        names=names,
        cities=towns,
        missing_in=frozenset({Source.BILLING, Source.ERP}) if status is CustomerStatus.PROSPECT else frozenset(),
    )


def _disagreements(
    rng: Random, name: str, legal_form: str, city: str, cities: Sequence[str]
) -> tuple[tuple[tuple[Source, str], ...], tuple[tuple[Source, str], ...]]:
    """Return the names and cities that single systems have differently: about one customer in eight."""
    names: tuple[tuple[Source, str], ...] = ()
    match rng.randrange(100):
        case draw if draw < 4:
            names = ((Source.ERP, f"{name} Holding {legal_form}"),)
        case draw if draw < 7:
            names = ((Source.BILLING, name.upper()),)
        case draw if draw < 9:
            names = ((Source.CRM, f"{name} (formerly {name.split(maxsplit=1)[0]})"),)
        case _:
            pass
    others = [other for other in cities if other != city]
    towns = ((rng.choice((Source.ERP, Source.CRM)), rng.choice(others)),) if rng.random() < 0.05 else ()
    return names, towns


def _other_parents(seed: int, made: Customer, earlier: Sequence[Customer]) -> tuple[tuple[Source, str | None], ...]:
    """Return where single systems have a customer in another place of the hierarchy: one in three that has a parent."""
    rng = Random(f"{seed}:hierarchy:{made.reference}")  # noqa: S311 - a believable company, not a secret
    others = [c for c in earlier[-40:] if c.parent is None and not c.missing_in and c.reference != made.parent]
    match rng.randrange(100):
        case draw if draw < 15 and made.parent is not None:
            return ((Source.BILLING, None),)
        case draw if draw < 30 and made.parent is not None and others:
            return ((Source.ERP, rng.choice(others).reference),)
        case draw if draw < 3 and others and Source.ERP not in made.missing_in:
            return ((Source.ERP, rng.choice(others).reference),)
        case _:
            return ()


def _payment_method(rng: Random, segment: Segment, currency: str) -> PaymentMethod:
    if segment in {Segment.ENTERPRISE, Segment.MID_MARKET}:
        return PaymentMethod.BANK_TRANSFER
    if currency == "EUR" and rng.random() < 0.4:
        return PaymentMethod.SEPA_DEBIT
    return PaymentMethod.CARD


def _with_gaps(seed: int, customers: tuple[Customer, ...]) -> tuple[Customer, ...]:
    """Take some active customers out of one system: signed up without sales, or never carried over to the ERP."""
    rng = Random(f"{seed}:gaps")  # noqa: S311 - a believable company, not a secret
    parents = {customer.parent for customer in customers}
    eligible = [
        place
        for place, customer in enumerate(customers)
        if customer.status is CustomerStatus.ACTIVE and customer.parent is None and customer.reference not in parents
    ]
    if len(customers) < 10:
        return customers
    per_system = max(1, len(customers) // 100)
    changed = list(customers)
    chosen = rng.sample(eligible, min(len(eligible), 2 * per_system))
    for order, place in enumerate(chosen):
        source = Source.CRM if order < per_system else Source.ERP
        changed[place] = replace(changed[place], missing_in=frozenset({source}))
    return tuple(changed)


def make_contacts(seed: int, customers: Sequence[Customer]) -> tuple[Contact, ...]:
    """Return the people the CRM knows, none at customers that the CRM does not know."""
    contacts = []
    for customer in customers:
        if Source.CRM in customer.missing_in:
            continue
        rng = Random(f"{seed}:contacts:{customer.reference}")  # noqa: S311 - a believable company, not a secret
        for number in range(1, rng.randint(*_CONTACTS[customer.segment]) + 1):
            first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
            contacts.append(
                Contact(
                    reference=f"CONT-{customer.reference.removeprefix('CUST-')}-{number}",
                    customer=customer.reference,
                    first_name=first,
                    last_name=last,
                    email=f"{first}.{last}.{number}@{customer.domain}".lower(),
                    phone=f"+49 30 {rng.randrange(1_000_000, 9_999_999)}",
                    job_title=rng.choice(JOB_TITLES),
                    created_on=customer.created_on + dt.timedelta(days=rng.randint(0, 300)),
                )
            )
    return tuple(contacts)
