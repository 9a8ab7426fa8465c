"""A worker that was stopped past its lease, and then goes on, has no effect: not on a workflow, not in any system."""

from __future__ import annotations

import random
import signal

from campaign import Campaign, a_store
from contract_books import known_deals
from crash_worker import Place, fork_worker
from landscape import started_landscape
from scenarios import Closing
from waiting import wait_until

WITHIN_S = 90.0


def test_what_a_stopped_worker_does_late_has_no_effect(tmp_path):
    with started_landscape(tmp_path) as landscape, a_store("postgres") as (url, _):
        place = Place(tmp_path, url, landscape.urls)
        campaign = Campaign(landscape, place, 1, random.Random(1))
        scenario = Closing(landscape, known_deals(landscape, 1)[0], "CORE-SEAT")
        given = {"kind": scenario.kind, "field": scenario.mutation, "input": scenario.given(), "key": "stale"}
        stale = fork_worker(place, [("order", "before")], [], by=signal.SIGSTOP)
        begun = wait_until(lambda: stale.ask(do="begin", **given), WITHIN_S)["id"]
        wait_until(stale.is_stopped, WITHIN_S)
        # Another worker takes over once the lease has run out, and carries the workflow to its end, and back.
        completed = campaign.settle([begun], kill=False)
        assert completed[begun][0] == "COMPLETED"
        campaign.check({begun: scenario}, completed)
        assert stale.is_stopped()
        campaign.ask(kill=False, do="compensate", id=begun)
        undone = campaign.settle([begun], kill=False)
        assert undone[begun][0] == "COMPENSATED"
        # The first goes on where it stood, and sends the order that was undone meanwhile: the owner refuses it.
        stale.go_on()
        late = {"key": f"{begun}:order", "refused": "CONFLICT"}
        wait_until(lambda: stale.ask(do="heard") == late, WITHIN_S)
        assert wait_until(lambda: stale.ask(do="look"), WITHIN_S)[begun][0] == "COMPENSATED"
        campaign.check({begun: scenario}, campaign.ask(kill=False, do="look"))
        stale.kill()
        campaign.end()
        assert campaign.tally.wrong == []
