"""The first minutes of a product: until a system has told all its customers, answers say that they are short of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from served_process import serve_module

DIRECTORY = "{ customers(first: 50) { totalCount edges { node { name legalName identities { system } } } } }"
FROM_ELSEWHERE = "{ contracts(first: 1) { edges { node { customer { name legalName } } } } }"
CUSTOMERS = 12


@pytest.fixture
def slow_crm(tmp_path: Path) -> Iterator[tuple[str, Callable[[], Any]]]:
    """A HubSpot that lists its companies only once it is healed."""
    folder = tmp_path / "crm"
    folder.mkdir()
    sandbox = serve_module(
        "subgraphs.crm.sandbox",
        folder,
        {
            "CONCORD_CRM_SANDBOX_PORT": 0,
            "CONCORD_CRM_SANDBOX_STATE_DIR": folder,
            "CONCORD_CRM_SANDBOX_CUSTOMERS": CUSTOMERS,
            "CONCORD_CRM_SANDBOX_WEBHOOK_URL": "",
        },
    )
    faults = f"{sandbox.url}/__sandbox/faults"
    httpx2.put(faults, json={"mode": "down", "paths": "^/crm/v3/objects/companies$"}, trust_env=False)
    yield sandbox.url, lambda: httpx2.put(faults, json={}, trust_env=False).raise_for_status()
    sandbox.stop()


def short_of_crm(entry: dict[str, Any], *path: str | int) -> bool:
    extensions = entry["extensions"]
    told = (extensions["code"], extensions["system"], extensions["owner"], extensions["retryable"])
    return entry["path"] == list(path) and told == ("SYSTEM_SYNCHRONISING", "crm", "revenue-operations", True)


async def test_until_the_crm_is_synchronised_answers_say_that_they_are_short_of_it(tmp_path, start_product, slow_crm):
    folder = tmp_path / "product"
    folder.mkdir()
    log = folder / "up.log"
    url, heal = slow_crm
    crm = {"CONCORD_CRM_VENDOR_URL": url, "CONCORD_CRM_VENDOR_TOKEN": "sandbox-token"}

    def journey() -> None:
        with start_product(folder, CUSTOMERS, ready=("billing", "erp"), **crm) as product:
            door = f"http://127.0.0.1:{product.ports['crm']}"
            waiting = product.client.get(f"{door}/ready")
            assert (waiting.status_code, waiting.headers["retry-after"]) == (503, "1")
            (entry,) = waiting.json()["errors"]
            assert entry["extensions"]["code"] == "SYSTEM_SYNCHRONISING"
            assert product.client.get(f"{door}/health").status_code == 200
            assert "Concord is up" not in log.read_text()

            answer = product.ask(DIRECTORY)
            nodes = [edge["node"] for edge in answer["data"]["customers"]["edges"]]
            assert len(nodes) == answer["data"]["customers"]["totalCount"] == CUSTOMERS
            assert all(node["name"] is None for node in nodes)
            assert any(node["legalName"] for node in nodes)
            assert short_of_crm(answer["errors"][0], "customers")
            assert answer["errors"][0]["extensions"]["retryAfterMs"] == 1000
            assert short_of_crm(answer["errors"][1], "customers", "edges", 0, "node", "name")

            answer = product.ask(FROM_ELSEWHERE)
            (edge,) = answer["data"]["contracts"]["edges"]
            assert edge["node"]["customer"]["name"] is None
            (entry,) = answer["errors"]
            assert short_of_crm(entry, "contracts", "edges", 0, "node", "customer", "name")

            heal()
            deadline = time.monotonic() + 120
            while "Concord is up" not in log.read_text():
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            assert product.client.get(f"{door}/ready").json() == {"status": "ready"}
            nodes = [edge["node"] for edge in product.data(DIRECTORY)["customers"]["edges"]]
            assert len(nodes) == CUSTOMERS
            known = [node for node in nodes if {"system": "crm"} in node["identities"]]
            assert len(known) > 6
            assert all((node["name"] is not None) == (node in known) for node in nodes)

    await asyncio.to_thread(journey)
