"""The composition at work: two gateways and two replicas of each subgraph, of which any is killed at any time."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import pytest
from composition import Composition, composed

WATCH = """subscription Watch($cursor: String) {
  lifecycleEvents(cursor: $cursor) { id type subject source cursor changes { field from to } customer { name } }
}"""
LOG = """query Log($after: String) { events(first: 200, after: $after) {
  pageInfo { hasNextPage endCursor }
  edges { node { id type subject source sequence changes { field from to } } }
} }"""

VIEW = "{ customers(first: 3) { edges { node { name legalName contracts(first: 1) { edges { node { number } } } } } } }"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composition]:
    eager = {f"CONCORD_{system}_SANDBOX_CUSTOMERS": "20" for system in ("CRM", "BILLING", "ERP")}
    eager |= {"CONCORD_ERP_POLL_INTERVAL_S": "0.5", "CONCORD_BILLING_POLL_INTERVAL_S": "1"}
    folder: Path = tmp_path_factory.mktemp("composition")
    with composed(folder, **eager) as composition:
        yield composition


@pytest.fixture(scope="module")
def http() -> Iterator[httpx2.Client]:
    with httpx2.Client(trust_env=False, timeout=60) as client:
        yield client


def ask(http: httpx2.Client, url: str, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = http.post(f"{url}/graphql", json={"query": query, "variables": variables or {}}).json()
    assert "errors" not in answer, answer
    return answer["data"]


def read_log(http: httpx2.Client, url: str, after: str | None) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    while True:
        page = ask(http, url, LOG, {"after": after})["events"]
        events += [edge["node"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            return events
        after = page["pageInfo"]["endCursor"]


async def until(look: Callable[[], Any], what: str, within_s: float = 90) -> Any:
    async with asyncio.timeout(within_s) as limit:
        while True:
            try:
                if found := await asyncio.to_thread(look):
                    return found
            except (httpx2.TransportError, AssertionError):
                pass
            assert (limit.when() or 0) > asyncio.get_running_loop().time(), what
            await asyncio.sleep(0.2)


def change(http: httpx2.Client, running: Composition, system: str, kind: str, count: int = 1) -> list[str]:
    """Let people change something in a vendor's system; returns the vendor's ids of what they changed."""
    url = f"{running.url(f'{system}-sandbox')}/__sandbox/changes"
    reply = http.post(url, json={"kind": kind, "count": count})
    assert reply.status_code in (200, 409), reply.text  # 409: nothing is left that it could happen to
    return [each["id"] for each in reply.json().get("changes", ())]


def newest_cursor(http: httpx2.Client, url: str) -> str | None:
    edges = ask(http, url, "{ events(last: 1) { edges { cursor } } }")["events"]["edges"]
    return edges[0]["cursor"] if edges else None


class Client:
    """A front end that goes on at the other gateway when its own is gone."""

    def __init__(self, urls: list[str], cursor: str) -> None:
        self.urls = urls
        self.cursor = cursor
        self.seen: list[dict[str, Any]] = []
        self.connections = 0

    async def follow(self) -> None:
        async with httpx2.AsyncClient(trust_env=False, timeout=httpx2.Timeout(20)) as http:
            while True:
                try:
                    await self._follow_one(http)
                except httpx2.TransportError:
                    await asyncio.sleep(0.2)
                self.urls.append(self.urls.pop(0))

    async def _follow_one(self, http: httpx2.AsyncClient) -> None:
        body = {"query": WATCH, "variables": {"cursor": self.cursor}}
        headers = {"accept": "text/event-stream"}
        self.connections += 1
        async with http.stream("POST", f"{self.urls[0]}/graphql", json=body, headers=headers) as reply:
            assert reply.status_code == 200
            async for line in reply.aiter_lines():
                if not line.startswith("data: {"):
                    continue
                answer = json.loads(line.removeprefix("data: "))
                event = (answer.get("data") or {}).get("lifecycleEvents")
                if event is None:
                    return  # such as SHUTTING_DOWN: go on at the other one
                self.seen.append(event)
                self.cursor = event["cursor"]


def faults_of(events: list[dict[str, Any]]) -> list[str]:
    """What a reader of the changes would find missing or doubled: each begins where the one before it ended."""
    faults = [f"doubled: {name}" for name, count in Counter(event["id"] for event in events).items() if count > 1]
    values: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        for each in event["changes"]:
            if event["type"].split(".")[1] in {"opportunity", "renewal", "contract"} or each["field"] == "creditHold":
                values[event["subject"], each["field"]].append(each)
    for (subject, field), changes in values.items():
        if field in {"dueOn", "renewal.dueOn", "renewal.noticeBy", "daysBefore"}:
            continue
        faults += [
            f"{subject} {field}: {before} is followed by {after}"
            for before, after in pairwise(changes)
            if before["to"] != after["from"]
        ]
    return faults


async def test_a_tenant_sees_the_customer_it_is(running, http):
    url = running.url("gateway-1")
    query = """{ customers(first: 50) { totalCount edges { node { name contracts(first: 1) { edges { node { number } } } } } }
        contracts(first: 50) { edges { node { customer { name } } } } }"""

    def seen(*options: str) -> Any:
        """What somebody sees, once the gateway has read the keys that were made for the first token."""
        headers = {"authorization": f"Bearer {running.token('gateway-1', *scopes, *options)}"}
        reply = http.post(f"{url}/graphql", json={"query": query}, headers=headers).json()
        return None if "errors" in reply else reply["data"]

    scopes = ("--scope", "customers:read", "--scope", "contracts:read")
    everything = await until(seen, "the gateway takes its token")
    assert everything["customers"]["totalCount"] == 20
    assert len({edge["node"]["customer"]["name"] for edge in everything["contracts"]["edges"]}) > 1
    own = await asyncio.to_thread(seen, "--tenant", "CUST-0001")
    assert own["customers"]["totalCount"] == 1
    (customer,) = (edge["node"] for edge in own["customers"]["edges"])
    assert {edge["node"]["customer"]["name"] for edge in own["contracts"]["edges"]} == {customer["name"]}
    nobody = await asyncio.to_thread(seen, "--tenant", "CUST-9999")
    assert nobody == {"customers": {"totalCount": 0, "edges": []}, "contracts": {"edges": []}}


async def test_what_any_replica_takes_in_reaches_subscribers_of_any_gateway_once(running, http):
    urls = [running.url("gateway-1"), running.url("gateway-2")]
    start = await until(lambda: newest_cursor(http, urls[0]), "identity told of the customers")
    clients = [Client(list(urls), start), Client(urls[::-1], start)]
    following = [asyncio.create_task(client.follow()) for client in clients]
    # Of two replicas one leads, whichever it is: each is killed once, and never both at once.
    rounds = [
        ("gateway-2", "crm-1", "erp-2"),
        ("crm-2", "erp-1", "billing-1", "identity-1"),
        ("gateway-1", "billing-2", "identity-2"),
    ]
    expected: Counter[str] = Counter()
    made: list[tuple[str, str]] = []

    def people(round_: int) -> None:
        for system, kind in (
            ("crm", "deal_stage"), ("crm", "renewal_stage"), ("billing", "quantity_changed"), ("erp", "payment_received"),
            ("erp", "invoice_posted"), ("billing", "contract_paused" if round_ % 2 == 0 else "contract_resumed"),
        ):  # fmt: skip
            made.extend((kind, each) for each in change(http, running, system, kind))

    for round_, victims in enumerate(rounds):
        await asyncio.to_thread(people, round_)
        for victim in victims:
            running.kill(victim)
        await asyncio.to_thread(people, round_)
        # While they are away, the others answer alone.
        survivor = urls[1] if "gateway-1" in victims else urls[0]
        await until(lambda url=survivor: ask(http, url, VIEW), f"without {victims} the graph is answered")
        if round_ == 1:  # they come back on other machines: what they have is what Redis gives them
            for victim in victims:
                running.lose_disk(victim)
        await asyncio.to_thread(running.start, *victims)
    expected.update(
        {
            "concord.payment.received.v1": sum(kind == "payment_received" for kind, _ in made),
            "concord.invoice.posted.v1": sum(kind == "invoice_posted" for kind, _ in made),
            "concord.contract.paused.v1": sum(kind == "contract_paused" for kind, _ in made),
            "concord.contract.resumed.v1": sum(kind == "contract_resumed" for kind, _ in made),
        }
    )

    def told() -> list[dict[str, Any]] | None:
        events = read_log(http, urls[0], start)
        counts = Counter(event["type"] for event in events)
        return events if all(counts[kind] >= count for kind, count in expected.items()) else None

    await until(told, "everything is told")

    def is_quiet() -> bool:
        """Whether no client waits for anything."""
        length = len(read_log(http, urls[0], start))
        return all(len(client.seen) == length for client in clients)

    await until(is_quiet, "both clients have seen all")
    log = await asyncio.to_thread(read_log, http, urls[1], start)
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    counts = Counter(event["type"] for event in log)
    assert {kind: counts[kind] for kind in expected} == dict(expected)
    assert faults_of(log) == []
    for client in clients:
        assert [event["id"] for event in client.seen] == [event["id"] for event in log]
        assert client.connections > 1
