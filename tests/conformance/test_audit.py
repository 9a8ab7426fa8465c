"""The public federation audit passes whole, through our engine."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

_spec = spec_from_file_location("concord_audit", Path(__file__).parent / "audit.py")
assert _spec is not None
assert _spec.loader is not None
audit = module_from_spec(_spec)
sys.modules["concord_audit"] = audit
_spec.loader.exec_module(audit)


@pytest.mark.parametrize("composed", [False, True], ids=["given", "composed"])
@pytest.mark.parametrize("suite", audit.suites())
async def test_suite(suite: str, composed: bool) -> None:
    """On the supergraph that comes with the audit, and on the one that we compose of its subgraphs."""
    outcomes = await audit.run_suite(suite, composed=composed)
    assert outcomes
    assert [outcome for outcome in outcomes if not outcome.passed] == []


def test_the_audit_is_complete() -> None:
    assert len(audit.suites()) == 46


@pytest.mark.parametrize("suite", audit.suites())
def test_our_composition_plans_alike(suite: str) -> None:
    """A supergraph that we compose of the audit's subgraphs leads to the same plans as the given one."""
    given, composed = audit.plans(suite)
    assert composed == given
