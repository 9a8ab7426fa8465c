"""kill -9 of publishers, gateways, consumers and Redis loses nothing: a share of `make test-events-crashes`."""

from __future__ import annotations

import pytest
from crashes import run


@pytest.mark.parametrize(("engine", "kills"), [("sqlite", 4), ("redis", 5)])
def test_nothing_acknowledged_is_lost_doubled_or_out_of_order(engine, kills, tmp_path):
    tally = run(engine, 600, tmp_path, kills=kills, seed=7, most_per_connection=40)
    assert tally.faults == 0, str(tally)
    assert (tally.published, tally.poison) == (600, 6)
    assert sum(tally.kills.values()) == kills
    assert tally.reconnects > 4 * 600 / 40
