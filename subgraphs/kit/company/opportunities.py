"""The deals of the CRM: those that became contracts, those that did not, and those still open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from random import Random

from subgraphs.kit.company.model import (
    Amendment,
    Contract,
    ContractStatus,
    Customer,
    CustomerStatus,
    Opportunity,
    OpportunityKind,
    OpportunityStage,
    Source,
)

PROBABILITIES: Mapping[OpportunityStage, Decimal] = {
    OpportunityStage.QUALIFICATION: Decimal("0.10"),
    OpportunityStage.DISCOVERY: Decimal("0.30"),
    OpportunityStage.PROPOSAL: Decimal("0.50"),
    OpportunityStage.NEGOTIATION: Decimal("0.80"),
    OpportunityStage.WON: Decimal("1.00"),
    OpportunityStage.LOST: Decimal("0.00"),
}
_OPEN = tuple(PROBABILITIES)[:4]


def make_opportunities(
    seed: int,
    customers: Sequence[Customer],
    contracts: Sequence[Contract],
    amendments: Sequence[Amendment],
    today: dt.date,
) -> tuple[Opportunity, ...]:
    """Return the deals, none of customers that the CRM does not know; a few won deals never got a contract."""
    by_customer: dict[str, list[Contract]] = {}
    for contract in contracts:
        by_customer.setdefault(contract.customer, []).append(contract)
    changes = {amendment.contract: amendment for amendment in amendments}
    opportunities = []
    for place, customer in enumerate(customers):
        if Source.CRM in customer.missing_in:
            continue
        rng = Random(f"{seed}:opportunities:{customer.reference}")  # noqa: S311 - a believable company, not a secret
        lacks_contract = place % 40 == 5
        deals = _deals(rng, customer, by_customer.get(customer.reference, []), changes, today, lacks_contract)
        number = customer.reference.removeprefix("CUST-")
        opportunities += [replace(deal, reference=f"OPP-{number}-{index}") for index, deal in enumerate(deals, 1)]
    return tuple(opportunities)


def _deals(
    rng: Random,
    customer: Customer,
    contracts: Sequence[Contract],
    changes: Mapping[str, Amendment],
    today: dt.date,
    lacks_contract: bool,
) -> Iterator[Opportunity]:
    for contract in contracts:
        is_open = contract.status is ContractStatus.DRAFT
        closed = min(contract.starts_on - dt.timedelta(days=rng.randint(3, 20)), today)
        yield _deal(
            f"{customer.name} {contract.starts_on.year}",
            OpportunityKind.NEW_BUSINESS,
            OpportunityStage.NEGOTIATION if is_open else OpportunityStage.WON,
            contract.total_value,
            customer,
            created_on=closed - dt.timedelta(days=rng.randint(20, 120)),
            close_on=contract.starts_on if is_open else closed,
            contract=contract.number,
        )
        amendment = changes.get(contract.number)
        if amendment and amendment.mrr_change > 0:
            yield _deal(
                f"{customer.name} expansion",
                OpportunityKind.EXPANSION,
                OpportunityStage.WON,
                amendment.mrr_change * 12,
                customer,
                created_on=amendment.effective_on - dt.timedelta(days=rng.randint(10, 60)),
                close_on=amendment.effective_on,
                contract=contract.number,
            )
    if lacks_contract:
        yield _past_deal(rng, f"{customer.name} pilot", OpportunityStage.WON, customer, today)
    if rng.random() < 0.25:
        yield _past_deal(rng, f"{customer.name} add-on", OpportunityStage.LOST, customer, today)
    is_prospect = customer.status is CustomerStatus.PROSPECT
    for index in range(rng.choices((0, 1, 2), (55, 33, 12))[0] + is_prospect):
        kind = OpportunityKind.NEW_BUSINESS if is_prospect else OpportunityKind.EXPANSION
        created = today - dt.timedelta(days=rng.randint(2, 90))
        yield _deal(
            f"{customer.name} {'new business' if is_prospect else 'upgrade'} {index + 1}",
            kind,
            rng.choice(_OPEN),
            Decimal(rng.randint(12, 900) * 100),
            customer,
            created_on=created,
            close_on=today + dt.timedelta(days=rng.randint(5, 120)),
        )


def _past_deal(rng: Random, name: str, stage: OpportunityStage, customer: Customer, today: dt.date) -> Opportunity:
    closed = today - dt.timedelta(days=rng.randint(10, 600))
    return _deal(
        name,
        OpportunityKind.EXPANSION,
        stage,
        Decimal(rng.randint(12, 400) * 100),
        customer,
        created_on=closed - dt.timedelta(days=45),
        close_on=closed,
    )


def _deal(
    name: str,
    kind: OpportunityKind,
    stage: OpportunityStage,
    amount: Decimal,
    customer: Customer,
    *,
    created_on: dt.date,
    close_on: dt.date,
    contract: str | None = None,
) -> Opportunity:
    return Opportunity(
        reference="",  # numbered per customer once all its deals are known
        customer=customer.reference,
        name=name,
        kind=kind,
        stage=stage,
        amount=amount,
        currency=customer.currency,
        probability=PROBABILITIES[stage],
        created_on=created_on,
        close_on=close_on,
        owner=customer.owner,
        contract=contract,
    )
