"""What every transport of events keeps: a reload of the schema changes nothing, and the end of a token is said.

The gateway is wired as the product is; callers bring tokens of an issuer, and a subgraph tells who the customers are.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from joserfc.jwk import ECKey
from key_server import AUDIENCE, ISSUER, KeyServer
from key_server import listening as serving_keys
from listeners import TRANSPORTS, Address, Refused, listening
from running_gateway import Door, head_cursor, running_door

from gateway.access.settings import AccessSettings, IssuerSettings

SCOPES = "events:read customers:read identity:read"
NUMBERS = itertools.count(1)
VERSIONS = itertools.count(1)
EXPIRED = {
    "message": "The credentials expired; connect again with new ones.",
    "extensions": {"code": "TOKEN_EXPIRED", "class": "AUTH", "system": "gateway", "retryable": False},
}
ENDINGS: dict[str, Any] = {
    "graphql-transport-ws": (4401, f"TOKEN_EXPIRED: {EXPIRED['message']}"),
    "graphql-sse": [("next", {"errors": [EXPIRED]}), ("complete", None)],
    "graphql-sse, one connection": [("next", {"errors": [EXPIRED]}), ("complete", None)],
    "multipart": [{"payload": None, "errors": [EXPIRED]}, "--graphql--"],
    "callback": [{"errors": [EXPIRED]}],
    "feed as lines": [{"errors": [EXPIRED]}],
    "feed as server-sent events": [("error", {"errors": [EXPIRED]})],
}


@dataclass(frozen=True)
class Running:
    """A gateway, what its callers bring, and a customer that its events are about."""

    door: Door
    issuer: KeyServer
    customer: str
    activated: Any
    sign: Any
    serve: Any

    async def publish(self, *numbers: int) -> None:
        batch = [self.activated(number) for number in numbers]
        for event in batch:
            event["data"]["keys"]["customer"] = self.customer
        body = orjson.dumps(batch)
        headers = {"content-type": "application/cloudevents-batch+json", "x-concord-signature": self.sign(body)}
        reply = await self.door.client.post(f"{self.door.url}/events", content=body, headers=headers)
        assert reply.json() == {"accepted": len(batch), "duplicates": 0, "rejected": []}

    def ids(self, numbers: list[int]) -> list[str]:
        return [self.activated(number)["id"] for number in numbers]

    def at(self, cursor: str, token: str | None = None) -> Address:
        return Address(self.door, token or self.issuer.token(scope=SCOPES, exp=time.time() + 3_600), cursor, self.serve)

    def change_schema(self) -> str:
        """Give customers a field more, as a deployment would; return its name."""
        field = f"version{next(VERSIONS)}"
        text = self.door.supergraph.read_text()
        head, opening, rest = text.partition("type Customer ")
        fields, brace, rest = rest.partition("{\n")
        self.door.supergraph.write_text(
            f"{head}{opening}{fields}{brace}  {field}: String @join__field(graph: IDENTITY)\n{rest}"
        )
        return field

    async def serves(self, field: str) -> bool:
        query = {"query": f"{{ nodes(ids: []) {{ ... on Customer {{ {field} }} }} }}"}
        answer = (await self.door.client.post(f"{self.door.url}/graphql", json=query)).json()
        if "errors" in answer:
            assert [error["extensions"]["code"] for error in answer["errors"]] == ["GRAPHQL_VALIDATION_FAILED"]
        return answer.get("data") == {"nodes": []}


@pytest.fixture(scope="module")
async def running(
    tmp_path_factory: pytest.TempPathFactory, schemas: Any, serve: Any, sign: Any, activated: Any
) -> AsyncIterator[Running]:
    issuer = KeyServer()
    issuer.add("first", ECKey.generate_key("P-256"))
    async with serving_keys(issuer) as keys:
        login = IssuerSettings(
            issuer=ISSUER, audience=(AUDIENCE,), algorithms=("ES256",), jwks_url=f"{keys}/keys", leeway_s=0
        )
        door = running_door(
            tmp_path_factory.mktemp("gateway"),
            schemas,
            serve,
            access=AccessSettings(issuers={"login": login}),
            reload_interval_s=0.1,
            events={"egress_hosts": ("127.0.0.1",)},
        )
        async with door as opened:
            token = issuer.token(scope=SCOPES, exp=time.time() + 3_600)
            opened.client.headers["authorization"] = f"Bearer {token}"
            record = {"system": "crm", "externalId": "101", "reference": "CUST-0001", "name": "Acme"}
            body = orjson.dumps({"records": [record]})
            headers = {"content-type": "application/json", "x-concord-signature": sign(body)}
            taken = (await opened.client.post(f"{opened.identity_url}/records", content=body, headers=headers)).json()
            yield Running(opened, issuer, taken["customers"]["101"], activated, sign, serve)


def is_feed(transport: str) -> bool:
    return transport.startswith("feed")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_reloads_of_the_schema_neither_lose_nor_double_an_event(running: Running, transport: str) -> None:
    start = await head_cursor(running.door)
    published: list[int] = []

    async def publish(count: int) -> None:
        numbers = [next(NUMBERS) for _ in range(count)]
        published.extend(numbers)
        await running.publish(*numbers)

    async with listening(transport, running.at(start)) as listener:
        await publish(1)
        await listener.until(lambda heard: len(heard.ids) == 1)  # it is open, and stays so
        for _ in range(2):
            field = running.change_schema()
            async with asyncio.timeout(60):
                while not await running.serves(field):
                    await publish(2)
                    await asyncio.sleep(0.05)
            await publish(2)
        await listener.until(lambda heard: len(heard.ids) >= len(published))
        assert listener.heard.ids == running.ids(published)
        assert listener.heard.ending is None
        if not is_feed(transport):
            owner = {"id": running.customer, "identities": [{"externalId": "101"}]}
            assert [event["customer"] for event in listener.heard.events] == [owner] * len(published)
        first = listener.heard.events[0]["cursor"]
    # A cursor of the schema before is good under the one after: who comes back hears the rest, once.
    async with listening(transport, running.at(first)) as listener:
        await publish(1)
        await listener.until(lambda heard: len(heard.ids) >= len(published) - 1)
        assert listener.heard.ids == running.ids(published[1:])


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_end_of_a_token_ends_what_it_opened_and_a_new_one_misses_nothing(
    running: Running, transport: str
) -> None:
    start = await head_cursor(running.door)
    before, after = next(NUMBERS), next(NUMBERS)
    await running.publish(before)
    for lifetime_s in (1, 10, 60):  # a machine under load may need longer to open it
        try:
            token = running.issuer.token(scope=SCOPES, exp=time.time() + lifetime_s)
            async with listening(transport, running.at(start, token)) as listener:
                await listener.until(lambda heard: heard.ending is not None)
                if not listener.heard.ids:
                    continue
                await running.publish(after)
                async with listening(transport, running.at(listener.heard.events[-1]["cursor"])) as renewed:
                    await renewed.until(lambda heard: bool(heard.ids))
                    assert renewed.heard.ids == running.ids([after])
                    assert renewed.heard.ending is None
                assert listener.heard.ids == running.ids([before])
                assert without_correlation(listener.heard.ending) == ENDINGS[transport]
        except Refused:
            continue
        return
    pytest.fail("The stream was never open before its token expired.")


def without_correlation(told: Any) -> Any:
    """What was told, without the one part that no test knows beforehand."""
    match told:
        case dict():
            return {name: without_correlation(value) for name, value in told.items() if name != "correlationId"}
        case list() | tuple():
            return type(told)(without_correlation(each) for each in told)
        case _:
            return told
