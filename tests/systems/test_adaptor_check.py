"""`concord adaptor check` over every adaptor, and over one of somebody else's: the example's help desk."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import zendesk
from crm_world import SECRET
from served_process import ROOT, ServedProcess, free_port, serve_module, serve_program

FOLDERS = ("tests/systems", "tests/crm", "tests/billing", "tests/erp", "tests/kit")
FAST = ("checked_crm:salesforce_sandbox", "checked_billing:local_stripe")
SLOW = (
    "checked_crm:hubspot_sandbox", "checked_crm:backlot_server", "checked_crm:simple_mockforce", "checked_billing:sandbox", "checked_billing:stateful_mock",
    "checked_erp:sandbox", "checked_erp:tryton_8",
)  # fmt: skip
"""Half a minute each, and some take long to install: `make test-systems`."""
IS_ALL = os.environ.get("CONCORD_TEST_SYSTEMS") == "all"
ALL = FAST + (SLOW if IS_ALL else ())


def check(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(str(ROOT / folder) for folder in FOLDERS)
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli.main", "adaptor", "check", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "160", **environment},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.mark.parametrize("factory", ALL)
def test_every_adaptor_passes_every_check_or_says_why_it_cannot(factory: str) -> None:
    told = check(factory, "--json")
    results = json.loads(told.stdout)
    assert [each for each in results if each["verdict"] == "failed"] == []
    assert told.returncode == 0, told.stderr
    assert sum(each["verdict"] == "passed" for each in results) >= 14
    assert all(len(each["sentence"]) > 20 for each in results)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ServedProcess]:
    port = free_port()
    command = [sys.executable, str(Path(zendesk.__file__)), str(port)]
    server = serve_program(command, tmp_path, f"http://127.0.0.1:{port}", "/", {})
    yield server
    server.stop()


def test_the_worked_example_passes_in_under_two_hundred_lines(desk: ServedProcess) -> None:
    folder = ROOT / "subgraphs" / "examples" / "helpdesk"
    code = [path.read_text() for path in folder.glob("*.py") if path.name != "check.py"]
    assert sum(bool(line.strip()) for text in code for line in text.splitlines()) < 200
    told = check("subgraphs.examples.helpdesk.check:tickets", DESK_URL=desk.url, DESK_TOKEN=zendesk.TOKEN)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "desk tickets" in told.stdout
    assert "cannot" in told.stdout
    assert "0 failed" in told.stdout


@pytest.mark.skipif(not IS_ALL, reason="half a minute: `make test-systems`")
@pytest.mark.parametrize("factory", ["subgraphs.examples.helpdesk.check:tickets", "checked_erp:tryton_8"])
def test_what_held_behind_each_fault_is_one_table(desk: ServedProcess, factory: str) -> None:
    told = check(factory, "--faults", DESK_URL=desk.url, DESK_TOKEN=zendesk.TOKEN)
    assert told.returncode == 0, told.stdout + told.stderr
    faults = ("slow", "rate limited", "dropped before", "dropped after", "truncated", "html", "no tls")
    header = next(line for line in told.stdout.splitlines() if "adaptor" in line)
    assert [header.count(fault) for fault in faults] == [1] * len(faults)
    reads = next(line for line in told.stdout.splitlines() if "reads" in line)
    writes = next(line for line in told.stdout.splitlines() if "writes" in line)
    assert (reads.count("held"), writes.count("held")) == (7, 7)
    assert "0 failed" in told.stdout


def test_an_adaptor_that_breaks_the_port_is_told_what_is_wrong(desk: ServedProcess, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)
    environment = {"DESK_URL": desk.url, "DESK_TOKEN": zendesk.TOKEN, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    told = check("broken:tickets", "--json", **environment)
    assert told.returncode == 1, told.stderr
    failed = {each["check"]: each["sentence"] for each in json.loads(told.stdout) if each["verdict"] == "failed"}
    assert failed == {
        "keys_records_by_their_id": "the order of ids changes the answer",
        "answers_in_exact_types": "`updated_at` has no time zone",
        "poll_finds_every_change": "Neither `poll` is given, nor does `cannot` say why there is none.",
        "poll_makes_up_for_downtime": "Neither `poll` is given, nor does `cannot` say why there is none.",
    }


@pytest.mark.parametrize(
    ("factory", "reason"),
    [
        ("nowhere", "write MODULE:FACTORY"),
        ("no.such.module:tickets", "No module named 'no'"),
        ("subgraphs.examples.helpdesk.check:nothing", "has no attribute 'nothing'"),
        ("json:dumps", "dumps"),
    ],
)
def test_a_factory_that_is_none_is_refused(factory: str, reason: str) -> None:
    told = check(factory)
    assert told.returncode in {1, 2}
    assert reason in told.stderr


BROKEN = """
import dataclasses
from contextlib import asynccontextmanager
from subgraphs.examples.helpdesk import check
from subgraphs.examples.helpdesk.desk import Desk

class Broken(Desk):
    calls = 0
    async def read(self, ids):
        found = dict(await super().read(ids))
        first = bool(ids) and ids[0] == "1"
        return {k: dataclasses.replace(t, subject=t.subject + str(first), updated_at=t.updated_at.replace(tzinfo=None))
                for k, t in found.items()}

@asynccontextmanager
async def connect(to):
    async with check.connect(to) as desk:
        yield Broken(desk.client, desk.drift)

@asynccontextmanager
async def tickets():
    async with check.tickets() as test:
        yield dataclasses.replace(test, connect=connect, poll=None)
"""


async def test_the_worked_example_composes_into_the_graph(desk: ServedProcess, tmp_path: Path) -> None:
    def printed() -> str:
        command = [sys.executable, "-m", "subgraphs.examples.helpdesk.app", "--print-schema"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    config = (ROOT / "schema" / "concord.toml").read_text()
    (tmp_path / "desk.graphql").write_text(await asyncio.to_thread(printed))
    for name in ("supergraph", "api"):
        config = config.replace(f'"schema/{name}.graphql"', f'"{tmp_path}/{name}.graphql"')
    ownership = (ROOT / "schema" / "ownership.toml").read_text()
    (tmp_path / "ownership.toml").write_text(
        f'{ownership}\n[systems.desk]\nteam = "support"\ntypes = ["Ticket"]\nfields.Customer = ["tickets"]\n'
    )
    config = config.replace('"schema/ownership.toml"', f'"{tmp_path}/ownership.toml"')
    config += f'\n[subgraphs.desk]\nurl = "http://127.0.0.1:1/graphql"\nschema = "{tmp_path}/desk.graphql"\n'
    (tmp_path / "concord.toml").write_text(config)
    command = [sys.executable, "-m", "gateway.cli.main", "compose", "--config", str(tmp_path / "concord.toml")]
    composed = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert composed.returncode == 0, composed.stdout + composed.stderr
    assert "tickets: [Ticket!]" in (tmp_path / "api.graphql").read_text()

    identity = await asyncio.to_thread(
        serve_module,
        "subgraphs.identity.app",
        tmp_path,
        {
            "CONCORD_IDENTITY_PORT": 0,
            "CONCORD_IDENTITY_STATE_DIR": tmp_path / "identity",
            "CONCORD_IDENTITY_SIGNING_SECRET": SECRET,
        },
    )
    settings = {
        "CONCORD_EXAMPLES_HELPDESK_VENDOR_URL": desk.url,
        "CONCORD_EXAMPLES_HELPDESK_VENDOR_TOKEN": zendesk.TOKEN,
        "CONCORD_EXAMPLES_HELPDESK_CROSSWALK_URL": identity.url,
        "CONCORD_EXAMPLES_HELPDESK_SIGNING_SECRET": SECRET,
    }
    app = await asyncio.to_thread(serve_module, "subgraphs.examples.helpdesk.app", tmp_path, settings)
    try:
        async with httpx2.AsyncClient(trust_env=False) as http:

            async def ask(url: str, query: str, **variables: Any) -> Any:
                answer = (await http.post(f"{url}/graphql", json={"query": query, "variables": variables})).json()
                assert "errors" not in answer, answer
                return answer["data"]

            listed = await ask(identity.url, "{ customers { edges { node { id } } } }")
            ids = [edge["node"]["id"] for edge in listed["customers"]["edges"]]
            query = "query($of: [_Any!]!) { _entities(representations: $of) { ... on Customer { tickets { subject status } } } }"
            found = await ask(app.url, query, of=[{"__typename": "Customer", "id": each} for each in ids])
            by_first = sorted((held["tickets"] for held in found["_entities"]), key=len)
            assert [len(tickets) for tickets in by_first] == [1, 3]
            assert by_first[0] == [{"subject": "Ticket 1", "status": None}], (
                "a status nobody knows is null, not a crash"
            )
    finally:
        await asyncio.to_thread(app.stop)
        await asyncio.to_thread(identity.stop)
