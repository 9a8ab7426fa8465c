"""The command line as a person meets it: helpful when it works, and when it does not."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from running_processes import process_of

ROOT = Path(__file__).parents[2]


def concord(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway.cli.main", *arguments]
    environment = {**os.environ, "COLUMNS": "120", **environment}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False, env=environment)


def test_it_says_which_version_it_is():
    told = concord("--version")
    assert (told.returncode, told.stderr) == (0, "")
    assert re.fullmatch(r"concord \d+\.\d+\.\d+\n", told.stdout)
    assert "--version" in concord("--help").stdout


@pytest.mark.parametrize(
    "command",
    [
        "up",
        "serve",
        "compose",
        "check",
        "plan",
        "simulate",
        "events",
        "events tail",
        "events dead-letters",
        "events replay",
        "events discard",
        "events webhooks",
        "events enable-webhook",
        "events replay-to",
        "workflows",
        "reconcile",
        "access",
        "access key",
        "access token",
        "documents",
        "documents check",
        "documents publish",
        "adaptor",
        "adaptor check",
    ],
)
def test_every_command_helps_with_an_example(command):
    shown = concord(*command.split(), "--help")
    assert shown.returncode == 0
    assert "Example: " in shown.stdout
    assert f"concord {command}" in shown.stdout


def test_what_is_checked_in_is_what_the_code_prints_and_composes():
    checked = concord("compose", "--print-subgraphs", "--check")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_subgraphs_that_do_not_compose_are_refused_with_place_and_mend(tmp_path):
    (tmp_path / "a.graphql").write_text("type Query { a: Item }\ntype Item { id: ID! name: String }\n")
    (tmp_path / "b.graphql").write_text("type Query { b: Item }\ntype Item { id: ID! name: Int }\n")
    config = tmp_path / "concord.toml"
    config.write_text(
        "".join(
            f'[subgraphs.{name}]\nurl = "http://127.0.0.1:1/"\nschema = "{tmp_path / name}.graphql"\n' for name in "ab"
        )
    )
    told = concord("compose", "--config", str(config))
    assert told.returncode == 1
    assert "FIELD_TYPE_MISMATCH Item.name" in told.stdout
    assert "a.graphql:2:" in told.stdout.replace("\n", "")
    as_json = concord("compose", "--config", str(config), "--json")
    assert "FIELD_TYPE_MISMATCH" in {error["code"] for error in json.loads(as_json.stdout)["errors"]}


def test_what_would_break_clients_is_told_before_it_does(tmp_path):
    now = (ROOT / "schema/supergraph.graphql").read_text()
    before, without = tmp_path / "before.graphql", tmp_path / "without.graphql"
    before.write_text(now)
    same = concord("check", str(before))
    assert (same.returncode, same.stdout) == (0, "No changes.\n")
    without.write_text(re.sub(r'\n  """[^"]*"""\n  legalName: String @join__field\(graph: ERP\)', "", now))
    told = concord("check", str(before), str(without))
    assert told.returncode == 1
    assert "breaking" in told.stdout
    assert "Customer.legalName" in told.stdout
    back = concord("check", str(without), str(before), "--json")
    assert back.returncode == 0
    assert {change["level"] for change in json.loads(back.stdout)} == {"SAFE"}
    refused = concord("check", str(ROOT / "README.md"), str(before))
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("directive", ['@classified(as: "PII")', "@authenticated", '@policy(policies: [["finance"]])'])
def test_whatever_the_gateway_keeps_from_callers_would_break_them(directive, tmp_path):
    """Also where no link names the directive, and under any name that one gives it."""
    now = (ROOT / "schema/supergraph.graphql").read_text()
    field = "legalName: String @join__field(graph: ERP)"
    assert field in now
    before, guarded, renamed = (tmp_path / f"{name}.graphql" for name in ("before", "guarded", "renamed"))
    before.write_text(now)
    guarded.write_text(now.replace(field, f"{field} {directive}"))
    told = concord("check", str(before), str(guarded))
    assert told.returncode == 1
    assert f"ACCESS_RESTRICTED                Customer.legalName now asks for {directive}" in told.stdout
    opened = concord("check", str(guarded), str(before))
    assert (opened.returncode, "ACCESS_OPENED" in opened.stdout) == (0, True)
    link = '@link(url: "https://concord.invalid/classified/v1.0", import: [{name: "@classified", as: "@private"}])'
    linked = re.sub(r"@link\(url: \"https://concord.invalid/classified[^)]*\)", link, now)
    renamed.write_text(linked.replace("@classified(", "@private("))
    assert concord("check", str(before), str(renamed)).stdout == "No changes.\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("serve", "--config", "nowhere.toml"), "There is no configuration file nowhere.toml"),
        (("plan", "nowhere.graphql"), "nowhere.graphql"),
    ],
)
def test_a_mistake_is_answered_by_a_sentence_and_no_trace(arguments, sentence):
    told = concord(*arguments)
    assert told.returncode == 2
    assert sentence in told.stderr
    assert "Traceback" not in told.stderr


def test_an_unknown_key_is_refused_with_the_nearest_name():
    told = concord("serve", CONCORD_SERVER__PROT="1")
    assert told.returncode == 2
    assert "did you mean `port`?" in told.stderr


def test_an_operation_that_does_not_fit_the_schema_is_located(tmp_path):
    document = tmp_path / "wrong.graphql"
    document.write_text("{\n  customers { edges { node { nam } } }\n}\n")
    told = concord("plan", str(document))
    assert told.returncode == 1
    assert "GRAPHQL_VALIDATION_FAILED" in told.stderr
    assert "wrong.graphql:2:" in told.stderr.replace("\n", "")


async def test_a_killed_subgraph_is_started_again_and_answers_as_before(product, overdue_customer):
    query = "query($id: ID!) { customer(id: $id) { id name legalName } }"
    before = product.data(query, {"id": overdue_customer["id"]})
    pid = process_of("subgraphs.crm.app", f"CONCORD_CRM_PORT={product.ports['crm']}")
    os.kill(pid, signal.SIGKILL)
    answer = product.ask(query, {"id": overdue_customer["id"]})
    assert answer["data"]["customer"]["legalName"] == before["customer"]["legalName"]
    await product.eventually(lambda: product.ask(query, {"id": overdue_customer["id"]}) == {"data": before}, 40)


def test_what_is_not_there_is_said_in_words_and_no_empty_table(product):
    assert product.run("workflows", "--contract", "CON-0000-0000").stdout == "No workflows.\n"
    assert product.run("events", "webhooks").stdout == "No webhooks.\n"
    unknown = product.run("events", "webhooks", "analytics")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "NOT_FOUND: There is no webhook analytics." in unknown.stderr
