"""When the CRM subgraph is ready: once identity was told all companies, in this run or an earlier one."""

import asyncio
from pathlib import Path
from typing import Any

from crm_world import World, crm_settings, running_world
from served_process import ServedProcess, serve_module


async def told_ready(world: World, crm: ServedProcess) -> Any:
    answer = await world.http.get(f"{crm.url}/ready")
    return (await world.http.get(f"{crm.url}/health")).status_code, answer.status_code, answer.json()


def another(world: World, folder: Path, state: Path) -> ServedProcess:
    """A second CRM subgraph over the same HubSpot, with a state directory of its own."""
    settings = crm_settings(folder, 0, world.sandbox.url, world.identity.url, f"{world.log_url}/events")
    return serve_module("subgraphs.crm.app", folder, {**settings, "CONCORD_CRM_STATE_DIR": state})


async def test_a_restart_is_ready_at_once_whatever_has_become_of_the_crm(world: World, tmp_path: Path) -> None:
    async with world.fault(mode="down", paths="^/crm/v3/objects/companies$"):
        fresh = await asyncio.to_thread(another, world, tmp_path, tmp_path / "kept")
        try:
            health, status, body = await told_ready(world, fresh)
            assert (health, status) == (200, 503)
            (error,) = body["errors"]
            assert error["extensions"] == {
                "system": "crm", "code": "SYSTEM_SYNCHRONISING", "retryable": True, "retryAfterMs": 1000,
            }  # fmt: skip
            (await world.http.put(f"{world.sandbox.url}/__sandbox/faults", json={})).raise_for_status()

            async def is_ready() -> bool:
                return (await told_ready(world, fresh))[1] == 200

            assert await world.eventually(is_ready)
        finally:
            fresh.stop()
    async with world.fault(mode="down"):
        again = await asyncio.to_thread(another, world, tmp_path, tmp_path / "kept")
        try:
            assert await told_ready(world, again) == (200, 200, {"status": "ready"})
        finally:
            again.stop()


async def test_a_customer_of_a_system_that_told_everything_has_no_more_to_come(tmp_path: Path) -> None:
    """Identity waits for the CRM and for an ERP that never comes."""
    query = "{ customers(first: 3) { edges { node { crmRef erpRef billingRef } } } }"
    waits = {"CONCORD_IDENTITY_SYSTEMS": '["crm", "erp"]'}
    async with running_world(tmp_path, identity=waits) as world:

        async def answered() -> Any:
            answer = (await world.http.post(f"{world.identity.url}/graphql", json={"query": query})).json()
            short = {error["extensions"]["system"] for error in answer["errors"]}
            return None if "crm" in short else answer

        answer = await world.eventually(answered)
        edges = answer["data"]["customers"]["edges"]
        assert all(edge["node"]["crmRef"] and edge["node"]["billingRef"] is None for edge in edges)
        codes = {(error["extensions"]["code"], error["extensions"]["system"]) for error in answer["errors"]}
        assert codes == {("SYSTEM_SYNCHRONISING", "erp")}
        paths = sorted(map(str, (error["path"] for error in answer["errors"])))
        assert paths == sorted(
            map(str, [["customers"], *(["customers", "edges", at, "node", "erpRef"] for at in range(3))])
        )
        unknown = await world.http.post(
            f"{world.identity.url}/graphql",
            json={
                "query": "query($of: [_Any!]!) { _entities(representations: $of) { ... on Customer { id } } }",
                "variables": {
                    "of": [
                        {"__typename": "Customer", "erpRef": "77"},
                        {"__typename": "Customer", "crmRef": "77"},
                    ]
                },
            },
        )
        assert unknown.json()["data"]["_entities"] == [None, None]
        (error,) = unknown.json()["errors"]
        assert (error["path"], error["extensions"]["system"]) == (["_entities", 0], "erp")
