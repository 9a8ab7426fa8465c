"""The files in schema/events are the catalogue, and every event is held against them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.events.catalogue import CATALOGUE
from gateway.events.contracts import BrokenContract
from gateway.events.event import Change, Event, parse_event, print_event
from gateway.events.print_contracts import print_contracts

# The lists of the domain's reference model, in its own words.
DOMAIN = """
customer: created, updated, merged, credit_hold_changed · opportunity: stage_changed, won
· contract: created, activated, amended, paused, resumed, cancellation_scheduled, cancelled, expired
· renewal: due, notice_deadline, stage_changed, completed, lost · usage: recorded, threshold_reached, overage
· entitlement: granted, changed, exhausted, revoked · invoice: posted, due_soon, overdue, paid, voided · credit_memo: issued
· payment: received, failed, refunded · revenue: schedule_created, recognized · journal: posted
· workflow: started, step_failed, completed, compensated · drift: detected, resolved · source: degraded, recovered · dead_letter: created
"""


def test_the_files_are_what_the_catalogue_prints(schemas):
    """Run `python -m gateway.events.print_contracts` after a change of the catalogue."""
    assert {path.name: path.read_text() for path in schemas.iterdir()} == print_contracts()


def test_every_event_of_the_domain_has_a_contract(contracts):
    named = set()
    for group in DOMAIN.replace("\n", " ").split("·"):
        subject, _, names = group.partition(":")
        named |= {f"concord.{subject.strip()}.{name.strip()}.v1" for name in names.split(",")}
    assert contracts.types == named


@pytest.mark.parametrize("row", CATALOGUE, ids=lambda row: row.name)
def test_each_contract_takes_a_plain_event_of_its_type_from_every_emitter(row, contracts, gid):
    match row.changes:
        case field if hasattr(field, "field"):
            changes = (Change(field=field.field, before=None, after="NEW"),)
        case _:
            changes = (Change(field="total", before=None, after="12.50"),)
    keys = {"customer": gid("Customer", "1")} | {
        key: gid("Customer", "1")
        if key == "customer"
        else gid(key.capitalize(), "7")
        if key in {"opportunity", "entitlement"}
        else "K-1"
        for key in row.keys
    }
    for emitter in row.emitters:
        for subject in row.subjects:
            event = parse_event(
                {
                    "id": f"{emitter}:1",
                    "type": row.type,
                    "source": f"concord/{emitter}",
                    "subject": gid(subject, "local-1"),
                    "time": "2026-03-01T10:30:00.25+01:00",
                    "dataschema": row.data_schema,
                    "data": {"keys": keys, "changes": []},
                }
            )
            event = replace(event, changes=changes)
            assert contracts.parse(print_event(event)) == event


def changed(envelope, path, value):
    """The envelope with one place set, or removed if the value is Ellipsis."""
    *outer, last = path
    inner = envelope
    for step in outer:
        inner = inner[step]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return envelope


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        (["specversion"], "0.3", "specversion: const"),
        (["id"], ..., "event: required"),
        (["id"], "", "id: minLength"),
        (["type"], "concord.contract.invented.v1", "unknown type"),
        (["type"], ["concord.contract.activated.v1"], "unknown type"),
        (["source"], "concord/crm", "source: pattern"),
        (["source"], "https://elsewhere.example", "source: pattern"),
        (["subject"], "SW52b2ljZTox", "subject: pattern"),
        (["time"], "yesterday", "time: format"),
        (["time"], "2026-03-01T09:30:00", "time: format"),
        (["time"], "0001-01-01T00:00:00+14:00", "time: format"),
        (["dataschema"], "urn:concord:event:contract.paused:1.0", "dataschema: pattern"),
        (["data", "keys", "contract"], ..., "data.keys: required"),
        (["data", "keys", "customer"], "CUST-0001", "data.keys.customer: pattern"),
        (["data", "keys", "favourite"], "x", "data.keys: additionalProperties"),
        (["data", "record"], {"name": "Acme"}, "data: additionalProperties"),
        (["data", "changes"], [], "data.changes: contains"),
        (["data", "changes", 0, "to"], {"name": "Acme"}, "data.changes[].to: type"),
        (["data", "changes", 0, "from"], ..., "data.changes[]: required"),
    ],
)
def test_an_event_that_breaks_its_contract_is_told_which_rule(path, value, rule, contracts, activated):
    match contracts.parse(changed(activated(1), path, value)):
        case BrokenContract(rule=found):
            assert found.startswith(rule)
        case Event():
            pytest.fail("taken")


def test_extension_attributes_of_cloudevents_are_let_through(contracts, activated):
    assert isinstance(contracts.parse(activated(1, traceparent="00-1-2-01")), Event)
    assert isinstance(contracts.parse(activated(1, Not_An_Attribute=1)), BrokenContract)


ROOT = Path(__file__).parents[2]
PAUSED = "concord.contract.paused.v1"


@pytest.fixture
def check(tmp_path, schemas):
    """Run `concord check` on the product's contracts and a changed copy of them; `edit` changes one contract's schema."""
    folder = tmp_path / "events"
    shutil.copytree(schemas, folder)

    def check(edit=None, *, version="1.9"):
        path = folder / f"{PAUSED}.json"
        if edit is not None:
            contract = json.loads(path.read_text())
            contract["$id"] = f"urn:concord:event:contract.paused:{version}"
            edit(contract)
            path.write_text(json.dumps(contract))
        command = ["check", "schema/supergraph.graphql", "schema/supergraph.graphql", "--old-events", str(schemas)]
        told = subprocess.run(
            [sys.executable, "-m", "gateway.cli.main", *command, "--json"],
            cwd=ROOT,
            env={**os.environ, "CONCORD_EVENTS__CONTRACTS": str(folder)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        changes = [(each["level"], each["code"], each["coordinate"]) for each in json.loads(told.stdout)]
        return told.returncode, changes

    check.folder = folder
    return check


def edit_data(change):
    return lambda contract: change(contract["properties"]["data"]["properties"], contract)


@pytest.mark.parametrize(
    ("edit", "code", "change"),
    [
        (lambda c: c["required"].append("correlationid"), 1, ("BREAKING", "EVENT_FIELD_REQUIRED", ".correlationid")),
        (
            edit_data(lambda data, _: data["keys"]["required"].append("customer")),
            1,
            ("BREAKING", "EVENT_FIELD_REQUIRED", ".data.keys.customer"),
        ),
        (
            edit_data(lambda data, _: data["keys"]["properties"].pop("feature")),
            1,
            ("BREAKING", "EVENT_FIELD_REMOVED", ".data.keys.feature"),
        ),
        (
            edit_data(lambda data, _: data["version"].update(type="string")),
            1,
            ("BREAKING", "EVENT_FIELD_TYPE_NARROWED", ".data.version"),
        ),
        (
            edit_data(lambda data, _: data["changes"].update(maxItems=5)),
            1,
            ("BREAKING", "EVENT_FIELD_BOUND_NARROWED", ".data.changes"),
        ),
        (
            edit_data(lambda data, _: data["changes"]["items"]["properties"]["field"].update(pattern="^x")),
            1,
            ("BREAKING", "EVENT_FIELD_CONDITION_NARROWED", ".data.changes[].field"),
        ),
        (
            edit_data(lambda data, _: data["changes"]["contains"]["properties"]["field"].update(const="state")),
            1,
            ("BREAKING", "EVENT_FIELD_CONDITION_NARROWED", ".data.changes"),
        ),
        (
            edit_data(lambda data, _: data.update(amount={"type": "string"})),
            0,
            ("SAFE", "EVENT_FIELD_ADDED", ".data.amount"),
        ),
        (
            edit_data(lambda data, _: data["version"].update(maxLength=400)),
            0,
            ("DANGEROUS", "EVENT_FIELD_BOUND_WIDENED", ".data.version"),
        ),
        (
            lambda c: c["properties"]["source"].update(pattern="^concord/(billing|erp)(/[a-z0-9_-]{1,40})?$"),
            0,
            ("DANGEROUS", "EVENT_FIELD_CONDITION_WIDENED", ".source"),
        ),
        (
            lambda c: c["required"].remove("datacontenttype"),
            0,
            ("DANGEROUS", "EVENT_FIELD_OPTIONAL", ".datacontenttype"),
        ),
    ],
    ids=[
        "attribute required",
        "key required",
        "key removed",
        "type",
        "bound",
        "pattern",
        "contains",
        "field added",
        "bound widened",
        "emitter added",
        "attribute optional",
    ],
)
def test_an_incompatible_change_of_a_contract_is_refused(check, edit, code, change):
    level, name, coordinate = change
    assert check(edit) == (code, [(level, name, f"{PAUSED}{coordinate}")])


def test_contracts_that_did_not_change_pass_and_gone_new_or_unversioned_ones_are_told(check):
    assert check() == (0, [])
    path = check.folder / f"{PAUSED}.json"
    shutil.copy(path, check.folder / "concord.contract.paused.v2.json")
    second = check.folder / "concord.contract.paused.v2.json"
    second.write_text(path.read_text().replace(PAUSED, "concord.contract.paused.v2"))
    (check.folder / "concord.contract.resumed.v1.json").unlink()
    grown = json.loads(path.read_text())
    version = grown["$id"].rpartition(":")[2]
    returncode, changes = check(lambda c: c["properties"]["data"]["properties"].update(more={}), version=version)
    assert (returncode, changes) == (
        1,
        [
            ("BREAKING", "EVENT_CONTRACT_VERSION_KEPT", PAUSED),
            ("BREAKING", "EVENT_CONTRACT_REMOVED", "concord.contract.resumed.v1"),
            ("SAFE", "EVENT_FIELD_ADDED", f"{PAUSED}.data.more"),
            ("SAFE", "EVENT_CONTRACT_ADDED", "concord.contract.paused.v2"),
        ],
    )


@pytest.mark.parametrize(
    ("time", "is_valid"),
    [
        ("2026-03-01T09:30:00Z", True),
        ("2026-03-01T09:30:00.123456+01:00", True),
        ("2026-03-01 09:30:00+00:00", True),
        ("2026-06-30T23:59:60Z", False),  # a leap second, which no clock of ours has
        ("2026-03-01T09:30:00", False),
        ("2026-02-30T09:30:00Z", False),
        ("9999-12-31T23:59:59-23:59", False),
        ("yesterday", False),
    ],
)
def test_an_instant_is_read_or_refused_whichever_validator_sees_it(contracts, activated, time, is_valid):
    parsed = contracts.parse(activated(1, time=time))
    assert isinstance(parsed, Event) is is_valid
    if not is_valid:
        assert parsed.rule == "time: format"
