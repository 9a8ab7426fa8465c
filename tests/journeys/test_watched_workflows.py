"""Whoever watches workflows in the terminal sees each begin and end, with its steps."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SYNC = """mutation Sync($input: SyncCustomerInput!) { syncCustomer(input: $input, waitMs: 20000) {
  workflow { id status } plan { step } } }"""
PLANNED = "mutation($input: SyncCustomerInput!) { syncCustomer(input: $input, dryRun: true) { plan { step } } }"
STEPS = (
    "check", "record in the CRM", "record in the ERP", "record in billing", "fields in the ERP", "fields in billing",
    "identity",
)  # fmt: skip


@pytest.fixture(scope="module")
def agreeing(product) -> str:
    """A customer whose copies agree, so that nothing is written for it."""
    found = product.data("{ customers(first: 40, filter: { status: [ACTIVE] }) { edges { node { id } } } }")
    for edge in found["customers"]["edges"]:
        customer = edge["node"]["id"]
        planned = product.ask(PLANNED, {"input": {"customerId": customer}})
        if "errors" not in planned and planned["data"]["syncCustomer"]["plan"] == []:
            return customer
    raise AssertionError("every customer has drifted")


def sync(product, customer: str) -> str:
    headers = {"Idempotency_Key": uuid.uuid4().hex}
    return product.ask(SYNC, {"input": {"customerId": customer}}, **headers)["data"]["syncCustomer"]["workflow"]["id"]


async def watched(product, *arguments: str) -> asyncio.subprocess.Process:
    command = (
        sys.executable,
        "-m",
        "gateway.cli.main",
        "workflows",
        "--watch",
        *arguments,
        "--config",
        str(product.config),
    )
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


async def test_the_terminal_prints_each_change_of_a_workflow_as_a_line_of_json(product, agreeing):
    watching = await watched(product, "--json", "--kind", "customer-sync", "--limit", "200")
    statuses: list[str] = []
    try:
        assert watching.stdout is not None
        async with asyncio.timeout(120):
            workflow = await asyncio.to_thread(sync, product, agreeing)
            while not statuses or statuses[-1] != "COMPLETED":
                line = json.loads(await watching.stdout.readline())
                assert line["kind"] == "customer-sync"
                if line["id"] == workflow:
                    statuses.append(line["status"])
                    assert [step["name"] for step in line["steps"]] == list(STEPS)
    finally:
        watching.terminate()
        await watching.wait()
    assert statuses[-1] == "COMPLETED"
    assert set(statuses) <= {"RUNNING", "COMPLETED"}


async def test_a_terminal_shows_them_live_until_it_is_interrupted(product, agreeing, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    ours, theirs = pty.openpty()
    command = (sys.executable, "-m", "gateway.cli.main", "workflows", "--watch", "--config", str(product.config))
    environment = {**os.environ, "LINES": "60", "TERM": "xterm"}
    watching = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        # Tests that run in the background ignore interrupts, and so would what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    os.close(theirs)
    shown = b""
    try:
        workflow = await asyncio.to_thread(sync, product, agreeing)
        async with asyncio.timeout(120):
            while workflow.encode() not in shown:
                shown += await asyncio.to_thread(os.read, ours, 65536)
            watching.send_signal(signal.SIGINT)
            while await reads(ours):
                pass
            await watching.wait()
    finally:
        if watching.returncode is None:
            watching.kill()
            await watching.wait()
        os.close(ours)
    listed = product.run("workflows", "--kind", "customer-sync", "--limit", "1").stdout
    head, row = listed.splitlines()[:2]
    assert head.split()[:3] == ["id", "kind", "status"]
    assert row.split()[1:3] == ["customer-sync", "COMPLETED"]


async def reads(terminal: int) -> bytes:
    """What else is shown; nothing once the program has ended."""
    try:
        return await asyncio.to_thread(os.read, terminal, 65536)
    except OSError:
        return b""
