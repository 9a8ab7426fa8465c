"""The step budget: planning is bounded work, whatever the operation."""

from __future__ import annotations

from gateway.errors import GatewayError


class Budget:
    """Counts the steps of one planning. A step is one candidate path looked at, or one combination tried."""

    __slots__ = ("_limit", "_spent")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._spent = 0

    def spend(self, steps: int = 1) -> None:
        """Take steps from the budget. Raises GatewayError with PLAN_BUDGET_EXCEEDED once it is empty."""
        self._spent += steps
        if self._spent > self._limit:
            message = f"The operation needs more than {self._limit} planning steps; split it or select less of it."
            raise GatewayError("PLAN_BUDGET_EXCEEDED", message, extensions={"limit": self._limit})

    @property
    def spent(self) -> int:
        """Steps taken so far."""
        return self._spent
