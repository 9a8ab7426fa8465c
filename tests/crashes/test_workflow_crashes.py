"""Workers that are killed at boundaries and at random moments leave each effect once, or none: a share of the campaign."""

from __future__ import annotations

from campaign import run
from landscape import started_landscape

FATAL = (
    ("contract", "sent"), ("win", "before undo"), ("revenue", "sent"), ("order", "sent undo"), ("tell", "sent"),
    ("contract", "kept undo"), ("invoice", "before"), ("win", "sent"),
)  # fmt: skip
"""Where workers die, one after the other."""


def test_killed_workers_leave_each_effect_once_or_its_compensation(tmp_path):
    with started_landscape(tmp_path) as landscape:
        tally = run(landscape, tmp_path, "sqlite", kills=6, seconds=20, at_once=5, seed=7, fatal=FATAL)
    assert tally.wrong == []
    assert sum(tally.kills.values()) >= 2
    assert set(tally.workflows) <= {"COMPLETED", "COMPENSATED"}
    assert tally.workflows["COMPENSATED"]
