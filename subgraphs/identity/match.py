"""Decides which customer a record belongs to. Pure: the store finds candidates, this chooses.

Rules from strong to weak: customer reference, tax id, domain, name. The first rule that finds a candidate decides.
A candidate known by another reference is out, and by another tax id unless the reference is the same; so a subsidiary
that shares its parent's domain stays a customer of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from subgraphs.identity.normalise import name_similarity

LINK_AT = 0.92
"""Names at least this alike are the same customer, if only one is."""
REVIEW_AT = 0.8
"""Names at least this alike are put before a person."""
_MAX_SUGGESTIONS = 5


class Rule(StrEnum):
    """Why a record belongs to a customer."""

    REFERENCE = "REFERENCE"
    TAX_ID = "TAX_ID"
    DOMAIN = "DOMAIN"
    NAME = "NAME"
    FOUNDING = "FOUNDING"
    """The customer was made from this record."""
    MANUAL = "MANUAL"
    """A person said so; no rule changes it."""


class HoldReason(StrEnum):
    """Why a record waits for a person."""

    AMBIGUOUS = "AMBIGUOUS"
    """Several customers fit equally well."""
    NEEDS_REVIEW = "NEEDS_REVIEW"
    """A customer has a similar name, and nothing else speaks for or against it."""
    NO_IDENTIFIER = "NO_IDENTIFIER"
    """The record has neither reference, tax id, domain nor name."""
    CONFLICT = "CONFLICT"
    """It is linked by one rule while another rule points to somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifiers:
    """What a record can be recognised by; normalised."""

    system: str
    reference: str | None = None
    tax_id: str | None = None
    domain: str | None = None
    name: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to recognise it by."""
        return (self.reference or self.tax_id or self.domain or self.name) is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is known of a customer from all its records; normalised."""

    customer_id: str
    systems: frozenset[str] = frozenset()
    references: frozenset[str] = frozenset()
    tax_ids: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, order=True)
class Suggestion:
    """A customer that a record may belong to."""

    score: float
    customer_id: str
    rule: Rule


@dataclass(frozen=True, slots=True)
class Link:
    """The record belongs to this customer."""

    customer_id: str
    rule: Rule
    score: float
    conflicts: tuple[Suggestion, ...] = ()
    """Other customers that a weaker rule points to."""


@dataclass(frozen=True, slots=True)
class Found:
    """Nobody fits: the record is a new customer."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A person has to decide."""

    reason: HoldReason
    suggestions: tuple[Suggestion, ...] = ()
    """Best first."""


Decision: TypeAlias = Link | Found | Hold


def decide(record: Identifiers, candidates: Iterable[Profile]) -> Decision:
    """Return where a record belongs. The order of candidates does not matter."""
    if record.is_empty:
        return Hold(HoldReason.NO_IDENTIFIER)
    profiles = list(candidates)
    by_reference = [p for p in profiles if record.reference in p.references]
    by_tax_id = [p for p in profiles if record.tax_id in p.tax_ids]
    if by_reference:
        return _choose(by_reference, Rule.REFERENCE, by_tax_id)
    allowed = [p for p in profiles if not _differ(record.reference, p.references)]
    if same_tax_id := [p for p in allowed if record.tax_id in p.tax_ids]:
        return _choose(same_tax_id, Rule.TAX_ID, by_tax_id)
    # Weak rules join systems; two records of one system that merely look alike are two customers until somebody says so.
    allowed = [p for p in allowed if not _differ(record.tax_id, p.tax_ids) and record.system not in p.systems]
    if same_domain := [p for p in allowed if record.domain in p.domains]:
        same_name = [p for p in same_domain if record.name in p.names]
        return _choose(same_name or same_domain, Rule.DOMAIN, by_tax_id)
    return _choose_by_name(record, allowed)


def _differ(own: str | None, theirs: frozenset[str]) -> bool:
    return own is not None and bool(theirs) and own not in theirs


def _choose(fitting: list[Profile], rule: Rule, by_tax_id: list[Profile]) -> Decision:
    if len(fitting) > 1:
        return Hold(HoldReason.AMBIGUOUS, _best(Suggestion(1.0, p.customer_id, rule) for p in fitting))
    (chosen,) = fitting
    others = (Suggestion(1.0, p.customer_id, Rule.TAX_ID) for p in by_tax_id if p is not chosen)
    return Link(chosen.customer_id, rule, 1.0, _best(others))


def _choose_by_name(record: Identifiers, allowed: list[Profile]) -> Decision:
    if record.name is None:
        return Found()
    scored = [
        Suggestion(max(name_similarity(record.name, name) for name in p.names), p.customer_id, Rule.NAME)
        for p in allowed
        if p.names and not _differ(record.domain, p.domains)
    ]
    alike = _best(s for s in scored if s.score >= REVIEW_AT)
    match [s for s in alike if s.score == alike[0].score]:
        case []:
            return Found()
        case [only] if only.score >= LINK_AT:
            return Link(only.customer_id, Rule.NAME, only.score)
        case [_, _, *_] as equals if equals[0].score >= LINK_AT:
            return Hold(HoldReason.AMBIGUOUS, tuple(equals))
        case _:
            return Hold(HoldReason.NEEDS_REVIEW, alike)


def _best(suggestions: Iterable[Suggestion]) -> tuple[Suggestion, ...]:
    return tuple(sorted(suggestions, key=lambda s: (-s.score, s.customer_id))[:_MAX_SUGGESTIONS])
