"""A write that was cut off is asked after before it is sent again: each kind of write, at each vendor, cut in each way."""

from __future__ import annotations

import random

import pytest
from campaign import Campaign
from contract_books import known_contracts, known_deals
from crash_worker import Place
from customer_scenarios import Onboarding, Syncing
from landscape import started_landscape
from product_scenarios import NEW, RENAMED, Distributing, changed_catalogue
from scenarios import Amending, Closing, Crediting, Renewing

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
CHANGES = {
    "crm": {"PATCH /crm/v3/objects/deals/*"},
    "billing": {"POST /v1/subscriptions/*", "POST /v1/invoices/*", "POST /v1/credit_notes"},
    "erp": {
        "POST /erp/rpc/model.account.invoice.create", "POST /erp/rest/model/account.invoice/*/post",
        "POST /erp/rest/model/account.invoice.deferred/*/run", "POST /erp/rpc/model.account.invoice.cancel",
    },
}  # fmt: skip
"""The same of amending, renewing and crediting."""
RECORDS = {
    "crm": {
        "POST /crm/v3/objects/companies", "DELETE /crm/v3/objects/companies/*", "POST /crm/v3/objects/products",
        "PATCH /crm/v3/objects/products/*", "DELETE /crm/v3/objects/products/*",
    },
    "billing": {"POST /v1/customers", "POST /v1/customers/*", "DELETE /v1/customers/*"},
    "erp": {
        "POST /erp/rpc/model.party.party.create", "POST /erp/rpc/model.party.party.write",
        "POST /erp/rpc/model.party.address.write", "POST /erp/rpc/model.product.template.create",
        "POST /erp/rpc/model.product.template.write", "POST /erp/rpc/model.product.product.write",
    },
}  # fmt: skip
"""The same of onboarding and synchronising customers, and of distributing products."""


@pytest.fixture(scope="module")
def cut_landscape(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("in-doubt")
    with started_landscape(folder, cuts=True) as landscape:
        yield landscape, folder


def carried_there_and_back(campaign, scenarios, mode, name):
    """Begin the workflows while every write is cut once, and take them back while every one is cut once more."""
    landscape = campaign.landscape
    given = [(scenario, scenario.given()) for scenario in scenarios]
    landscape.cut(mode)
    begun = {}
    for place, (scenario, asked) in enumerate(given):
        command = {"do": "begin", "kind": scenario.kind, "field": scenario.mutation, "input": asked}
        begun[campaign.ask(kill=False, **command, key=f"{name} {mode} {place}")["id"]] = scenario
    found = campaign.settle(list(begun), kill=False)
    assert {each: found[each][0] for each in begun} == dict.fromkeys(begun, "COMPLETED"), mode
    campaign.check(begun, found)
    forward = landscape.were_cut()
    landscape.cut(mode)
    for each in begun:
        campaign.ask(kill=False, do="compensate", id=each)
    found = campaign.settle(list(begun), kill=False)
    assert {each: found[each][0] for each in begun} == dict.fromkeys(begun, "COMPENSATED"), mode
    campaign.check(begun, found)
    back = landscape.were_cut()
    landscape.cut("none")
    assert campaign.tally.wrong == [], mode
    return {system: {*forward[system], *back[system]} for system in forward}


def test_every_write_that_is_cut_takes_effect_once(cut_landscape):
    landscape, folder = cut_landscape
    campaign = Campaign(landscape, Place(folder, None, landscape.urls), 1, random.Random(1))
    for mode, deal in zip(MODES, known_deals(landscape, len(MODES)), strict=False):
        cut = carried_there_and_back(campaign, [Closing(landscape, deal, "CORE-SEAT")], mode, "close")
        assert [(system, each) for system in WRITES for each in WRITES[system] - cut[system]] == [], mode
    campaign.end()
    assert campaign.tally.wrong == []


def test_changes_of_contracts_that_are_cut_take_effect_once(cut_landscape):
    landscape, folder = cut_landscape
    chance = random.Random(2)
    campaign = Campaign(landscape, Place(folder, None, landscape.urls), 1, chance)
    contracts = known_contracts(landscape, 6)
    for place, mode in enumerate(MODES[1:]):
        amended, renewed, credited = contracts[3 * place : 3 * place + 3]
        scenarios = [
            Upgrading(landscape, amended, chance), Renewing(landscape, renewed, chance), Crediting(landscape, credited, chance),
        ]  # fmt: skip
        cut = carried_there_and_back(campaign, scenarios, mode, "change")
        assert [(system, each) for system in CHANGES for each in CHANGES[system] - cut[system]] == [], mode
    campaign.end()
    assert campaign.tally.wrong == []


def test_records_of_customers_and_products_that_are_cut_are_made_once(cut_landscape):
    landscape, folder = cut_landscape
    chance = random.Random(3)
    campaign = Campaign(landscape, Place(folder, None, landscape.urls), 1, chance)
    changed_catalogue(landscape)
    _, references = landscape.references()
    contracts = known_contracts(landscape, len(MODES))
    for mode, contract, new, renamed in zip(MODES, contracts, NEW, RENAMED, strict=False):
        billing_ref = contract["customer"]["billingRef"]
        customer = landscape.customer(billingRef=billing_ref)
        scenarios = [
            Onboarding(landscape, f"CUST-D-{mode}"), Syncing(landscape, references[billing_ref], customer, chance),
            Distributing(landscape, new), Distributing(landscape, renamed),
        ]  # fmt: skip
        cut = carried_there_and_back(campaign, scenarios, mode, "records")
        assert [(system, each) for system in RECORDS for each in RECORDS[system] - cut[system]] == [], mode
    campaign.end()
    assert campaign.tally.wrong == []


class Upgrading(Amending):
    """More of a product: a bill that is to be paid."""

    def wanted(self):
        asked = super().wanted()
        item = next(each for each in self.contract["items"] if each["quantity"])
        wanted = {"sku": item["product"]["sku"], "quantity": self._quantity(item) + 4, "interval": None}
        return {**asked, "items": [wanted]}
