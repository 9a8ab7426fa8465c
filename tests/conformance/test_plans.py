"""No plan of ours needs more requests, or more of them in a row, than the best of two other gateways' planners."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_spec = spec_from_file_location("concord_plans", Path(__file__).parent / "plans.py")
assert _spec is not None
assert _spec.loader is not None
plans = module_from_spec(_spec)
sys.modules["concord_plans"] = plans
_spec.loader.exec_module(plans)


def test_no_plan_is_larger_than_the_best_of_others() -> None:
    found = plans.compare(plans.asked())
    assert f"planners on {len(found)} operations" in (Path(__file__).parents[2] / "README.md").read_text()
    assert sum(each.apollo.error is None for each in found) > 190
    assert sum(each.hive.error is None for each in found) > 190
    assert [each for each in found if each.is_worse] == []
