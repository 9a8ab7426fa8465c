"""Which of a supergraph's demands a caller does not meet: worked out once per caller, looked up from then on."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Mapping

from gateway.access.caller import Caller
from gateway.access.demand import NO_DEMANDS, Demands, is_met, policy_names
from gateway.access.policies import ClaimPolicies, PolicyPort
from gateway.access.rules import AccessRules

_LOG = logging.getLogger("concord.access")

_MOST_KEPT = 10_000


class UnmetDemands:
    """What callers lack, for one supergraph."""

    def __init__(
        self,
        rules: AccessRules,
        *,
        policies: PolicyPort | None = None,
        classes: Mapping[str, frozenset[str]] | None = None,
        policy_ttl_s: float = 60.0,
    ) -> None:
        """`classes`: classification → roles to which it is shown as it is."""
        self._rules = rules
        self._policies = policies or ClaimPolicies()
        self._names = policy_names(rules.all)
        self._classes = classes or {}
        self._ttl_s = policy_ttl_s if self._names else float("inf")
        self._kept: OrderedDict[str, tuple[float, Demands]] = OrderedDict()
        self._same: dict[Demands, Demands] = {}

    def known(self, caller: Caller) -> Demands | None:
        """Return what is known of a caller; None where it has to be found out."""
        if not self._rules.all or caller.is_unrestricted:
            return NO_DEMANDS
        kept = self._kept.get(caller.rights)
        return kept[1] if kept is not None and time.monotonic() < kept[0] else None

    async def find(self, caller: Caller) -> Demands:
        """Find out, and remember, what a caller lacks."""
        granted = await self._granted(caller) if self._names else frozenset()
        classes = {name for name, roles in self._classes.items() if not roles.isdisjoint(caller.roles)}
        unmet = frozenset(each for each in self._rules.all if not is_met(each, caller, granted, classes))
        # One object for equal sets: plans are found by it, and identity is the quickest equality.
        unmet = self._same.setdefault(unmet, unmet)
        self._kept[caller.rights] = (time.monotonic() + self._ttl_s, unmet)
        self._kept.move_to_end(caller.rights)
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        if len(self._same) > _MOST_KEPT:
            self._same.clear()
        return unmet

    async def _granted(self, caller: Caller) -> frozenset[str]:
        try:
            granted = frozenset(await self._policies.grant(caller, self._names))
        except Exception as error:  # noqa: BLE001 - somebody else's code: whatever is wrong with it grants nothing
            _LOG.error("policy_failed", exc_info=error)
            return frozenset()
        return granted & self._names
