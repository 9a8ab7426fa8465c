"""The tables of the configuration file on writes: where they are kept, workflows over several systems, and their prices."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from gateway.table import Table


class WritesSettings(Table, frozen=True, kw_only=True):
    """Where answered writes are kept by their idempotency key."""

    hidden: ClassVar[frozenset[str]] = frozenset({"postgres_url", "redis_url"})

    postgres_url: Annotated[str, Meta(pattern=r"^postgres(ql)?://")] | None = None
    """The Postgres that several gateways share; without it one gateway keeps a SQLite file."""
    redis_url: Annotated[str, Meta(pattern=r"^rediss?://")] | None = None
    """The Redis that several gateways keep keys and answers in, in place of either; workflows stay where they are."""
    keep_s: Annotated[float, Meta(gt=0)] = 24 * 3600.0
    """How long a key is remembered."""


class PricingRuleSettings(Table, frozen=True, kw_only=True):
    """Which changes of contracts an authority prices: those that meet every condition."""

    authority: Literal["billing", "cpq"]
    products: tuple[str, ...] = ()
    """Patterns of SKUs, such as `PLATFORM*`, of which one of the changed products fits one; empty: any."""
    above: Decimal | None = None
    """Changes of the yearly value, up or down, by more than this at billing's prices."""

    def __post_init__(self) -> None:
        _check_amounts(above=self.above)


class PricingSettings(Table, frozen=True, kw_only=True):
    """Who prices changes of contracts: the first rule that fits decides, else `authority`."""

    hidden: ClassVar[frozenset[str]] = frozenset({"cpq_token"})

    authority: Literal["billing", "cpq"] = "billing"
    rules: tuple[PricingRuleSettings, ...] = ()
    cpq_url: Annotated[str, Meta(pattern=r"^https?://")] | None = None
    """Where the CPQ service takes the requests that `schema/cpq` describes."""
    cpq_token: str | None = None
    """Sent to it as a bearer token."""
    cpq_timeout_s: Annotated[float, Meta(gt=0)] = 5.0

    def __post_init__(self) -> None:
        may_ask = "cpq" in {self.authority, *(rule.authority for rule in self.rules)}
        if may_ask and self.cpq_url is None:
            raise ValueError("`cpq_url` is needed where the CPQ service prices")


class WorkflowsSettings(Table, frozen=True, kw_only=True):
    """Writes over several systems. They are kept where `[writes]` says."""

    enabled: bool = False
    lease_s: Annotated[float, Meta(gt=0)] = 10.0
    """How long a gateway that says nothing is taken for alive; then others resume its workflows."""
    approval_above: Decimal | None = None
    """The amount, in the currency of the request, beyond which somebody else has to approve."""
    pricing: PricingSettings = PricingSettings()

    def __post_init__(self) -> None:
        _check_amounts(approval_above=self.approval_above)


class ToleranceSettings(Table, frozen=True, kw_only=True):
    """Amounts that differ by no more than the larger of the two agree."""

    amount: Decimal = Decimal(0)
    percent: Decimal = Decimal(0)
    """Of the owner's amount."""

    def __post_init__(self) -> None:
        _check_amounts(amount=self.amount, percent=self.percent)


class ReconciliationSettings(Table, frozen=True, kw_only=True):
    """Comparing owners with copies. Drift is kept beside the workflows."""

    interval_s: Annotated[float, Meta(ge=1)] | None = None
    """Time from one run to the next, over all gateways together; absent: only when somebody asks."""
    page_size: Annotated[int, Meta(ge=1, le=200)] = 50
    """Customers, or contracts, that one request reads."""
    parallel: Annotated[int, Meta(ge=1, le=8)] = 2
    """Kinds of things that are read at once."""
    patience_s: Annotated[float, Meta(ge=0)] = 30.0
    """How long a run waits, in all, for a system that does not answer."""
    tolerances: Mapping[Literal["contractValue", "invoiced", "paid", "recognized"], ToleranceSettings] = field(
        default_factory=dict
    )
    recognized_within_days: Annotated[int, Meta(ge=0, le=90)] = 5
    """How long after a month's end the ERP may take to recognise it."""
    legal_forms: tuple[str, ...] = ()
    """Ends of a legal name, such as `GmbH`, that a customer's name need not have; absent: the usual ones."""
    ignore_case: bool = False
    """Whether texts agree that differ in capitals only."""


def _check_amounts(**amounts: Decimal | None) -> None:
    for name, amount in amounts.items():
        if amount is not None and not (amount.is_finite() and amount >= 0):
            raise ValueError(f"`{name}` must be 0 or more")
