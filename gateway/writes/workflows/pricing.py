"""Who says what a change of a contract costs, and what is said: billing itself, or a CPQ service, as the policy decides."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from gateway.writes.minor_unit import to_minor_unit
from gateway.writes.workflows.definition import StepContext
from gateway.writes.workflows.model import Json

TERMS = (
    "number status version currency customerRef termStartsOn endsOn autoRenews isEnding periodStartsOn periodEndsOn mrr"
    " items{itemRef priceRef sku quantity unitPrice interval intervalCount} limits{feature limit}"
)
"""The selection of a contract's terms."""
_QUOTE = (
    "query($input:AmendmentQuoteInput!){amendmentQuote(input:$input){at currency mrr items{sku quantity unitPrice interval}"
    " charges{sku description quantity amount startsOn endsOn}}}"
)
_MONTHS = {"DAY": Decimal(12) / 365, "WEEK": Decimal(84) / 365, "MONTH": Decimal(1), "YEAR": Decimal(12)}


class Authority(StrEnum):
    """Who prices."""

    BILLING = "billing"
    CPQ = "cpq"


@dataclass(frozen=True, slots=True, kw_only=True)
class PricingRule:
    """Which changes an authority prices: those that meet every condition."""

    authority: Authority
    products: tuple[str, ...] = ()
    """Patterns of SKUs, `PLATFORM*`; one of the changed products fits one of them. Empty: any."""
    above: Decimal | None = None
    """Changes of the contract's yearly value, up or down, by more than this at billing's prices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PricingPolicy:
    """The first rule that fits decides."""

    rules: tuple[PricingRule, ...] = ()
    otherwise: Authority = Authority.BILLING

    @property
    def may_ask_cpq(self) -> bool:
        """Whether the CPQ service is ever asked."""
        return Authority.CPQ in {self.otherwise, *(rule.authority for rule in self.rules)}


class PriceService(Protocol):
    """A CPQ service."""

    async def quote(self, reference: str, terms: Json, wanted: Sequence[Json]) -> Json:
        """Return `at`, `items` and `charges` as billing's quote has them. Raises `CallFailed`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pricing:
    """Prices changes of contracts."""

    policy: PricingPolicy = PricingPolicy()
    cpq: PriceService | None = None
    """Needed where the policy may ask it."""

    async def quote(self, context: StepContext, terms: Json, wanted: Sequence[Json]) -> Json:
        """Return what a change costs and who says so, as JSON. Raises `CallFailed`.

        {"authority": "billing", "at": 1790000000, "currency": "EUR", "mrrBefore": "100.00", "mrr": "150.00",
         "due": "24.66", "items": [{"sku", "quantity", "unitPrice", "interval"}],
         "charges": [{"sku", "description", "quantity", "amount", "startsOn", "endsOn"}]}
        """
        known: list[Json] = []

        async def by_billing() -> Json:
            if not known:
                given = {"number": terms["number"], "items": list(wanted)}
                known.append(await context.read("billing", _QUOTE, {"input": given}))
            return known[0]

        authority = self.policy.otherwise
        for rule in self.policy.rules:
            if not _is_about(rule, wanted):
                continue
            if rule.above is not None:
                estimate = Decimal((await by_billing())["mrr"]) - Decimal(terms["mrr"])
                if abs(estimate) * 12 <= rule.above:
                    continue
            authority = rule.authority
            break
        if authority is Authority.CPQ:
            assert self.cpq is not None
            quoted = await self.cpq.quote(context.workflow, terms, wanted)
            quoted = {**quoted, "mrr": str(_monthly(terms, wanted, quoted["items"]))}
        else:
            quoted = await by_billing()
        return {
            **quoted,
            "authority": authority.value,
            "currency": terms["currency"],
            "mrrBefore": str(terms["mrr"]),
            "mrr": str(quoted["mrr"]),
            "due": str(sum((Decimal(charge["amount"]) for charge in quoted["charges"]), Decimal(0))),
        }


def yearly_change(quote: Json) -> Decimal:
    """Return by how much a quote changes the contract's yearly value, or what it charges at once if that is more."""
    by_year = abs(Decimal(quote["mrr"]) - Decimal(quote["mrrBefore"])) * 12
    return max(by_year, abs(Decimal(quote["due"])))


def _is_about(rule: PricingRule, wanted: Sequence[Json]) -> bool:
    skus = [item["sku"] for item in wanted]
    return not rule.products or any(fnmatch.fnmatchcase(sku, like) for sku in skus for like in rule.products)


def _monthly(terms: Json, wanted: Sequence[Json], priced: Sequence[Json]) -> Decimal:
    """Return what the contract costs a month afterwards, at the prices of the quote."""
    changed = {item["sku"] for item in wanted}
    kept = [item for item in terms["items"] if item["sku"] not in changed]
    total = to_minor_unit(Decimal(0), terms["currency"])
    for item in (*kept, *priced):
        months = _MONTHS.get(item.get("interval") or "", Decimal(0)) * int(item.get("intervalCount") or 1)
        if months and item["quantity"] is not None and item["unitPrice"] is not None:
            amount = Decimal(item["unitPrice"]) * item["quantity"] / months
            total += to_minor_unit(amount, terms["currency"])
    return total
