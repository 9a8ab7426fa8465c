"""Workers that are killed at boundaries and at random moments leave each effect once, or none: a share of the campaign."""

from __future__ import annotations

from campaign import KINDS, run
from landscape import started_landscape

FATAL = (
    ("contract", "sent"), ("amend", "sent"), ("win", "before undo"), ("renew", "sent"), ("memo", "sent"), ("revenue", "sent"),
    ("order", "sent undo"), ("complete", "sent"), ("credit", "before"), ("amend", "kept undo"), ("memo", "sent undo"),
    ("invoice", "before"), ("win", "sent"), ("product in the CRM", "sent"), ("company", "sent"), ("fields in billing", "kept"),
    ("product in the ERP", "sent undo"), ("customer in billing", "sent undo"), ("identity", "before"),
)  # fmt: skip
"""Where workers die, one after the other."""


def test_killed_workers_leave_each_effect_once_or_its_compensation(tmp_path):
    with started_landscape(tmp_path) as landscape:
        tally = run(landscape, tmp_path, "sqlite", kills=8, seconds=25, at_once=8, seed=7, fatal=FATAL)
    assert tally.wrong == []
    assert tally.killed >= 2
    assert {ended.partition(" ")[2] for ended in tally.workflows} <= {"COMPLETED", "COMPENSATED"}
    assert {ended.partition(" ")[0] for ended in tally.workflows} == set(KINDS)
