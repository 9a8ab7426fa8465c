"""Which progressive overrides hold for one request: `@override(from: "old", label: "beta")`.

`percent(25)` is active in a quarter of all requests. Any other label is what `[overrides]` of the configuration makes of it,
and inactive where that says nothing.

https://www.apollographql.com/docs/graphos/schema-design/federated-schemas/entities/migrate-fields
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from gateway.access.caller import Caller

ChooseLabels = Callable[[frozenset[str], Caller], frozenset[str]]
"""Returns the labels that are active for a caller, out of those the supergraph knows; asked for each request."""

_PERCENT = re.compile(r"percent\((\d{1,3}(?:\.\d{1,8})?)\)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRule:
    """For whom a label is active: whoever one of these lets in."""

    is_active: bool = False
    """For everybody."""
    roles: frozenset[str] = frozenset()
    """For callers with one of these."""
    share: float = 0.0
    """For so many percent of callers, the same ones each time; of anonymous ones, for so many of their requests."""

    def holds(self, label: str, caller: Caller) -> bool:
        """Whether the label is active for a caller."""
        if self.is_active or not self.roles.isdisjoint(caller.roles):
            return True
        return self.share > 0 and _place(label, caller) < self.share


class Overrides:
    """What is decided of labels."""

    def __init__(self, rules: Mapping[str, LabelRule] | None = None) -> None:
        self._rules = rules or {}

    def __call__(self, labels: frozenset[str], caller: Caller) -> frozenset[str]:
        """Return the labels that are active for a request of a caller."""
        return frozenset(label for label in labels if self._is_active(label, caller))

    def undecided(self, labels: frozenset[str]) -> frozenset[str]:
        """Return the labels that can't become active, since nothing says when."""
        return frozenset(each for each in labels if each not in self._rules and not _PERCENT.match(each))

    def _is_active(self, label: str, caller: Caller) -> bool:
        rule = self._rules.get(label)
        if rule is not None:
            return rule.holds(label, caller)
        match = _PERCENT.match(label)
        return match is not None and _roll() < float(match[1])


def _place(label: str, caller: Caller) -> float:
    """Return where a caller stands among all, from 0 to below 100; elsewhere for each label."""
    if caller.subject is None:
        return _roll()
    digest = sha256("\0".join((label, caller.issuer or "", caller.subject)).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6], "big") / (1 << 48) * 100


def _roll() -> float:
    return random.random() * 100  # noqa: S311 - a dice, no secret
