"""Operation to query plan, in five calls: paths, best paths, query tree, fetch graph and its passes, schedule."""

from gateway.federation.planner.planner import DEFAULT_BUDGET, Planner
from gateway.federation.planner.trace import Trace

__all__ = ["DEFAULT_BUDGET", "Planner", "Trace"]
