"""Workers are killed where a renewal ends and where its order is posted: the posting follows once, and posts once."""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import closing
from decimal import Decimal

from campaign import MOMENTS, Campaign
from contract_books import read_books
from crash_worker import Place
from landscape import started_landscape
from scenarios import Renewing
from subjects import Subjects

REVENUE, DEFERRED = "4000", "2500"
FATAL = [
    ("complete", "sent"), ("complete", "kept"),
    *((step, moment) for step in ("check", "invoice", "revenue") for moment in MOMENTS),
]  # fmt: skip
"""Where workers die, one after the other."""


def test_killed_workers_post_the_order_of_a_renewal_once_on_its_day(tmp_path):
    with started_landscape(tmp_path) as landscape:
        campaign = Campaign(landscape, Place(tmp_path, None, landscape.urls), 1, random.Random(5), fatal=FATAL)
        campaign.trouble_s, campaign.every_s = 10.0, 1.0
        begun = {}
        for place, scenario in enumerate(Subjects(landscape, campaign.chance, ("renewal",)).scenarios(4)):
            assert isinstance(scenario, Renewing)
            campaign.heal()
            asked = {"do": "begin", "kind": scenario.kind, "field": scenario.mutation, "input": scenario.given()}
            begun[campaign.ask_at_once(kill=True, **asked, key=str(place))["id"]] = scenario
        found = campaign.settle(list(begun), kill=True)
        campaign.check(begun, found)
        renewed = [scenario for each, scenario in begun.items() if found[each][0] == "COMPLETED"]
        assert len(renewed) >= 2
        postings = {each: state for each, state in campaign.ask(kill=False, do="look").items() if each not in begun}
        assert sorted((state, number) for state, number, _ in postings.values()) == sorted(
            ("SCHEDULED", scenario.contract["number"]) for scenario in renewed
        )
        with closing(sqlite3.connect(tmp_path / "workflows.sqlite", timeout=30)) as records, records:
            records.execute("UPDATE concord_workflow_due SET due_at = 0")
        until = time.monotonic() + 120
        while "SCHEDULED" in (state for state, _, _ in campaign.ask(kill=True, do="look").values()):
            assert time.monotonic() < until
            time.sleep(0.05)
        ended = campaign.settle(list(postings), kill=True)
        campaign.heal()
        campaign.end()
        assert {ended[each][0] for each in postings} == {"COMPLETED"}, ended
        for scenario in renewed:
            before, after = scenario.before, read_books(landscape, scenario.contract)
            assert before is not None
            ((state, net),) = (each for key, each in after.documents.items() if key not in before.documents)
            earned = {name: after.ledger[name] - before.ledger.get(name, 0) for name in after.ledger}
            in_books = earned.get(REVENUE, Decimal(0)) + earned.get(DEFERRED, Decimal(0))
            assert (state, in_books) == ("posted", -net), earned
            assert sum(earned.values()) == 0
        assert (campaign.tally.wrong, landscape.duplicates()) == ([], [])
        assert {step for step, _ in campaign.tally.died_at} & {"invoice", "revenue"}
