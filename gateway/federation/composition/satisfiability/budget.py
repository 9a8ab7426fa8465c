"""Bounds the work that a check of satisfiability may do."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_STEPS = 10_000_000
"""Enough for thousands of types in dozens of subgraphs; schemas beyond it are refused with a code."""


class BudgetExceededError(Exception):
    """The check took more steps than allowed."""


@dataclass(slots=True)
class Budget:
    """Steps left. A step is one look at an edge of the query graph."""

    steps: int = DEFAULT_STEPS

    def spend(self) -> None:
        """Take a step. Raises BudgetExceededError when none is left."""
        self.steps -= 1
        if self.steps < 0:
            raise BudgetExceededError
