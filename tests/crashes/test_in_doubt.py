"""A write that was cut off is asked after before it is sent again: each kind of write, at each vendor, cut in each way."""

from __future__ import annotations

import random

import pytest
from campaign import Campaign, closing
from crash_worker import Place
from landscape import started_landscape

MODES = ("before", "after", "middle")
WRITES = {
    "crm": {"PATCH /crm/v3/objects/deals/*"},
    "billing": {"POST /v1/subscriptions", "POST /v1/invoices/*", "DELETE /v1/subscriptions/*", "POST /v1/invoices/*/void"},
    "erp": {
        "POST /erp/rpc/model.account.invoice.create", "POST /erp/rest/model/account.invoice/*/post",
        "POST /erp/rest/model/account.invoice.deferred/*/run", "POST /erp/rpc/model.account.invoice.cancel",
        "POST /erp/rpc/model.account.move.create", "POST /erp/rpc/model.account.move.post",
    },
}  # fmt: skip
"""What a contract of a known customer needs, and its taking back: every one of these is cut, once a direction and mode."""


@pytest.fixture(scope="module")
def cut_landscape(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("in-doubt")
    with started_landscape(folder, cuts=True) as landscape:
        yield landscape, folder


def test_every_write_that_is_cut_takes_effect_once(cut_landscape):
    landscape, folder = cut_landscape
    campaign = Campaign(landscape, Place(folder, None, landscape.urls), 1, random.Random(1))
    known = [deal for deal in landscape.open_deals() if landscape.is_known_everywhere(deal)]
    for number, (mode, deal) in enumerate(zip(MODES, known, strict=False)):
        landscape.cut(mode)
        given = closing(deal["id"], landscape.deal(deal["id"])["version"], "CORE-SEAT")
        begun = campaign.ask(kill=False, do="begin", input=given, key=f"in-doubt {number}")["id"]
        subject = {begun: {**deal, "before": deal["stage"], "sku": "CORE-SEAT"}}
        found = campaign.settle([begun], kill=False)
        assert found[begun][0] == "COMPLETED", (mode, found)
        campaign.check(subject, found)
        forward = landscape.were_cut()
        landscape.cut(mode)
        campaign.ask(kill=False, do="compensate", id=begun)
        found = campaign.settle([begun], kill=False)
        assert found[begun][0] == "COMPENSATED", (mode, found)
        campaign.check(subject, found)
        back = landscape.were_cut()
        assert campaign.tally.wrong == [], mode
        for system, writes in WRITES.items():
            assert writes <= {*forward[system], *back[system]}, mode
    landscape.cut("none")
    campaign.end()
    assert campaign.tally.wrong == []
