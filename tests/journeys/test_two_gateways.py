"""Two gateways over one Redis and one Postgres, as docker-compose.yml lays them out: either serves what the other took in."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from gql import Client, gql
from gql.transport.websockets import WebsocketsTransport
from postgres import started_postgres
from redis_process import DURABLE, redis_process
from served_process import free_ports

ROOT = Path(__file__).parents[2]
WATCH = """
subscription Watch($filter: LifecycleEventFilter, $cursor: String) {
  contractEvents(filter: $filter, cursor: $cursor) { id cursor sequence contract { number status } customer { name } }
}
"""


@dataclass
class Pair:
    """The addresses of two gateways, their processes and the secret between our own processes."""

    urls: tuple[str, str]
    start: Callable[[int], subprocess.Popen[str]]
    """Starts one of them, at its own address."""
    processes: list[subprocess.Popen[str]]
    secret: str

    def restart(self, gateway: int) -> None:
        """Stop a gateway as a deployment does, and start it again."""
        self.processes[gateway].send_signal(signal.SIGTERM)
        assert self.processes[gateway].wait(30) == 0
        self.revive(gateway)

    def revive(self, gateway: int) -> None:
        """Start a gateway that does not run."""
        if self.processes[gateway].poll() is not None:
            out = self.processes[gateway].stdout
            if out is not None:
                out.close()
            self.processes[gateway] = self.start(gateway)

    def publish_anywhere(self, *events: dict[str, Any]) -> None:
        """Publish to whichever gateway takes it, as an outbox does."""
        for attempt in range(200):
            try:
                self.publish(attempt % 2, *events)
            except (httpx2.TransportError, AssertionError):
                time.sleep(0.1)
            else:
                return
        raise AssertionError("neither gateway takes events")

    def newest_cursor(self, contract: dict[str, Any]) -> str:
        """Where the event log ends: who subscribes with it misses nothing of what is published next."""
        self.publish(0, paused(contract, f"billing:{uuid.uuid4().hex}:contract.paused"))
        query = {"query": "{ events(last: 1) { edges { cursor } } }"}
        reply = httpx2.post(f"{self.urls[0]}/graphql", json=query, trust_env=False, timeout=30).json()
        return str(reply["data"]["events"]["edges"][0]["cursor"])

    def publish(self, gateway: int, *events: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps(events).encode()
        moment = int(time.time())
        digest = hmac.new(self.secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {
            "content-type": "application/cloudevents-batch+json",
            "x-concord-signature": f"t={moment},v1={digest}",
        }
        reply = httpx2.post(f"{self.urls[gateway]}/events", content=body, headers=headers, trust_env=False)
        assert reply.status_code == 200, reply.text
        return reply.json()


@pytest.fixture(scope="module")
def pair(product, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    secret = json.loads((product.state / "secrets.json").read_text())["internal"]
    processes: list[subprocess.Popen[str]] = []
    try:
        with started_postgres() as postgres_url, redis_process(folder, *DURABLE) as redis:
            ports = free_ports(2)

            def start(number: int) -> subprocess.Popen[str]:
                environment = {
                    **os.environ,
                    "CONCORD_SERVER__PORT": str(ports[number]),
                    "CONCORD_STATE__DIRECTORY": str(folder / f"gateway-{number}"),
                    "CONCORD_SECRETS__INTERNAL": secret,
                    "CONCORD_EVENTS__REDIS_URL": redis.url,
                    "CONCORD_ENTITIES__REDIS_URL": redis.url,
                    "CONCORD_WRITES__POSTGRES_URL": postgres_url,
                }
                command = [sys.executable, "-m", "gateway.cli.main", "serve", "--config", str(product.config)]
                process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
                ready_url(process)
                return process

            processes += map(start, range(2))
            yield Pair((f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"), start, processes, secret)
            for process in processes:
                process.send_signal(signal.SIGTERM)
            assert [process.wait(20) for process in processes if process.returncode is None] != [None]
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            if process.stdout is not None:
                process.stdout.close()


def ready_url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("ready "):
            return line.split()[1]
    raise AssertionError(f"ended with {process.wait()}")


@pytest.fixture
def contract(product) -> dict[str, Any]:
    query = """{ contracts(first: 1, filter: { status: [ACTIVE] }) { edges { node {
        id number version autoRenews customer { id } } } } }"""
    return product.data(query)["contracts"]["edges"][0]["node"]


def paused(contract: dict[str, Any], name: str) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": name,
        "source": "concord/billing",
        "type": "concord.contract.paused.v1",
        "subject": contract["id"],
        "time": "2026-03-01T09:30:00Z",
        "datacontenttype": "application/json",
        "data": {
            "keys": {"customer": contract["customer"]["id"], "contract": contract["number"]},
            "changes": [{"field": "status", "from": "ACTIVE", "to": "PAUSED"}],
        },
    }


async def test_a_subscriber_on_one_gateway_sees_what_the_other_took_in_and_resumes_on_either(pair, contract):
    names = [f"billing:{uuid.uuid4().hex}:contract.paused" for _ in range(4)]
    seen: list[dict[str, Any]] = []

    async def watch(gateway: int, count: int, cursor: str | None) -> None:
        query = gql(WATCH)
        query.variable_values = {"filter": {"contracts": [contract["number"]]}, "cursor": cursor}
        async with (
            asyncio.timeout(60),
            Client(
                transport=WebsocketsTransport(url=f"{pair.urls[gateway]}/graphql".replace("http:", "ws:"))
            ) as session,
        ):
            stream = session.subscribe(query)
            async for answer in stream:
                seen.append(answer["contractEvents"])
                if len(seen) == count:
                    await stream.aclose()
                    return

    watching = asyncio.create_task(watch(1, 2, await asyncio.to_thread(pair.newest_cursor, contract)))
    accepted = await asyncio.to_thread(pair.publish, 0, paused(contract, names[0]), paused(contract, names[1]))
    assert accepted == {"accepted": 2, "duplicates": 0, "rejected": []}
    await watching
    # While nobody listens: a copy by the other gateway, and two more.
    assert pair.publish(1, paused(contract, names[1]))["duplicates"] == 1
    pair.publish(1, paused(contract, names[2]))
    pair.publish(0, paused(contract, names[3]))
    await watch(0, 4, seen[-1]["cursor"])
    assert [event["id"] for event in seen] == names
    assert [event["sequence"] for event in seen] == list(range(seen[0]["sequence"], seen[0]["sequence"] + 4))
    assert all(event["contract"]["status"] and event["customer"]["name"] for event in seen)


def test_a_write_repeated_at_the_other_gateway_gets_the_first_answer(pair, contract):
    mutation = "mutation($input: SetAutoRenewInput!) { setAutoRenew(input: $input) { contract { number autoRenews version } } }"
    inputs = {"contractId": contract["id"], "version": contract["version"], "autoRenews": not contract["autoRenews"]}
    key = {"idempotency-key": str(uuid.uuid4())}
    answers = []
    for url in (*pair.urls, *pair.urls):
        body = {"query": mutation, "variables": {"input": inputs}}
        answers.append(httpx2.post(f"{url}/graphql", json=body, headers=key, trust_env=False, timeout=30).json())
    assert "errors" not in answers[0], answers[0]
    assert answers[0]["data"]["setAutoRenew"]["contract"]["autoRenews"] is not contract["autoRenews"]
    assert answers == [answers[0]] * 4
    body = {"query": mutation, "variables": {"input": inputs | {"autoRenews": contract["autoRenews"]}}}
    misused = httpx2.post(f"{pair.urls[1]}/graphql", json=body, headers=key, trust_env=False, timeout=30)
    assert misused.status_code == 422
    assert misused.json()["errors"][0]["extensions"]["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_a_subscriber_of_a_killed_gateway_goes_on_at_the_other_with_nothing_missed_or_doubled(pair, contract):
    names = [f"billing:{uuid.uuid4().hex}:contract.paused" for _ in range(20)]
    seen: list[str] = []
    cursor = await asyncio.to_thread(pair.newest_cursor, contract)

    async def follow() -> None:
        nonlocal cursor
        gateway = 0
        while len(seen) < len(names):
            query = gql(WATCH)
            query.variable_values = {"filter": {"contracts": [contract["number"]]}, "cursor": cursor}
            transport = WebsocketsTransport(url=f"{pair.urls[gateway]}/graphql".replace("http:", "ws:"))
            try:
                async with Client(transport=transport) as session:
                    async for answer in session.subscribe(query):
                        seen.append(answer["contractEvents"]["id"])
                        cursor = answer["contractEvents"]["cursor"]
                        if len(seen) == len(names):
                            return
            except Exception:  # noqa: BLE001 - whatever a client raises when its gateway is gone
                await asyncio.sleep(0.1)
            gateway = 1

    following = asyncio.create_task(follow())
    for number, name in enumerate(names):
        await asyncio.to_thread(pair.publish, 1, paused(contract, name))
        if number == 8:
            pair.processes[0].kill()
    async with asyncio.timeout(60):
        await following
    assert seen == names
    await asyncio.to_thread(pair.processes[0].wait)
    await asyncio.to_thread(pair.revive, 0)


async def test_clients_of_gateways_that_are_restarted_one_after_the_other_miss_nothing(pair, contract):
    """A rolling restart: each gateway is stopped with SIGTERM and comes back, while events stream and clients listen."""
    for gateway in range(2):
        await asyncio.to_thread(pair.revive, gateway)
    names = [f"billing:{uuid.uuid4().hex}:contract.paused" for _ in range(24)]
    seen: dict[int, list[str]] = {0: [], 1: []}

    async def follow(client: int) -> None:
        cursor, gateway = None, client
        while len(seen[client]) < len(names):
            query = gql(WATCH)
            query.variable_values = {"filter": {"contracts": [contract["number"]]}, "cursor": cursor or start}
            transport = WebsocketsTransport(url=f"{pair.urls[gateway]}/graphql".replace("http:", "ws:"))
            try:
                async with Client(transport=transport) as session:
                    async for answer in session.subscribe(query):
                        seen[client].append(answer["contractEvents"]["id"])
                        cursor = answer["contractEvents"]["cursor"]
                        if len(seen[client]) == len(names):
                            return
            except Exception:  # noqa: BLE001 - whatever a client raises when its gateway goes away
                await asyncio.sleep(0.1)
            gateway = 1 - gateway

    start = await asyncio.to_thread(pair.newest_cursor, contract)
    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        for client in seen:
            group.create_task(follow(client))
        for number, name in enumerate(names):
            await asyncio.to_thread(pair.publish_anywhere, paused(contract, name))
            if number in (6, 14):
                await asyncio.to_thread(pair.restart, 0 if number == 6 else 1)
    assert seen == {0: names, 1: names}
