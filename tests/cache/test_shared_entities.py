"""Gateways that share a Redis: what one read the other need not, what one writes the other does not hide."""

from __future__ import annotations

import asyncio
import base64

import pytest
from credit_holds import OWNERSHIP, QUERY, Erp, global_id, hold, hold_changed, publish, soon
from redis_process import redis_process
from scripted_subgraph import resets
from served_graph import Served
from served_process import free_port

from gateway.federation.composition import OwnershipInvalidError, parse_ownership


async def tell(gateway: Served, customer: str) -> None:
    assert await publish(gateway, hold_changed(customer)) == {"accepted": 1, "duplicates": 0, "rejected": []}


async def test_two_gateways_share_what_they_read_and_neither_hides_a_write_or_an_event(graph, tmp_path):
    erp = Erp(graph)
    port = free_port()
    address = {
        "CONCORD_ENTITIES__REDIS_URL": f"redis://127.0.0.1:{port}/0",
        "CONCORD_EVENTS__REDIS_URL": f"redis://127.0.0.1:{port}/1",
    }
    customers = [global_id(number) for number in range(30)]
    with (
        redis_process(tmp_path, port=port) as server,
        graph.serve("a", **address) as a,
        graph.serve("b", **address) as b,
    ):

        async def is_kept(customer: str = customers[0]) -> bool:
            await hold(a, customer)
            before = erp.reads
            await hold(a, customer)
            await hold(b, customer)
            return erp.reads == before

        # From the moment both hear each other, one reads for both.
        await soon(is_kept, 30)
        before = erp.reads
        assert [await hold(a, each) for each in customers[1:10]] == [False] * 9
        assert [await hold(b, each) for each in customers[1:10]] == [False] * 9
        assert erp.reads == before + 9
        # A write by way of A: at once there, and soon at B.
        for customer in customers[:10]:
            assert await hold(b, customer) is False
            answer = await a.ask("mutation($id: ID!) { setHold(id: $id) { creditHold } }", {"id": customer})
            assert answer == {"data": {"setHold": {"creditHold": True}}}
            assert await hold(a, customer) is True

            async def is_seen(customer: str = customer) -> bool:
                return await hold(b, customer) is True

            await soon(is_seen)
        # A change in the system of record, told to A by an event.
        for customer in customers[10:20]:
            assert [await hold(a, customer), await hold(b, customer)] == [False, False]
            erp.holds[customer] = True
            assert [await hold(a, customer), await hold(b, customer)] == [False, False]
            await tell(a, customer)
            for gateway in (a, b):

                async def is_told(gateway: Served = gateway, customer: str = customer) -> bool:
                    return await hold(gateway, customer) is True

                await soon(is_told)
        # Without Redis nothing is kept, since drops would go unheard, and everything is answered.
        server.kill()
        for gateway in (a, b):

            async def is_live(gateway: Served = gateway) -> bool:
                before = erp.reads
                await hold(gateway, customers[20])
                await hold(gateway, customers[20])
                return erp.reads == before + 2

            await soon(is_live)
        erp.holds[customers[20]] = True
        assert [await hold(a, customers[20]), await hold(b, customers[20])] == [True, True]
        answer = await a.ask("mutation($id: ID!) { setHold(id: $id) { creditHold } }", {"id": customers[21]})
        assert answer == {"data": {"setHold": {"creditHold": True}}}
        # A new, empty one in its place: all as before.
        with redis_process(tmp_path, port=port):
            await soon(is_kept, 30)
            assert [await hold(a, customers[21]), await hold(b, customers[21])] == [True, True]


async def test_a_gateway_whose_redis_hangs_answers_and_stops(graph, tmp_path):
    erp = Erp(graph)
    key = base64.b64encode(bytes(32)).decode()
    hooks = (f'[webhooks.{name}]\nurl = "http://127.0.0.1:9/"\nsecret = "whsec_{key}"\n' for name in ("one", "two"))
    graph.settings = "".join(hooks)
    with redis_process(tmp_path) as server:
        address = {f"CONCORD_{each}__REDIS_URL": server.url for each in ("ENTITIES", "EVENTS", "WRITES", "LIMITS")}
        address |= {"CONCORD_LIMITS__REQUESTS_PER_S": "1000", "CONCORD_SERVER__DRAIN_S": "1"}
        with graph.serve(**address) as gateway:
            assert await hold(gateway, global_id(1)) is False
            await tell(gateway, global_id(1))
            with server.hanging():
                assert await hold(gateway, global_id(2)) is False
                write = "mutation($id: ID!) { setHold(id: $id) { creditHold } }"
                waiting = [
                    asyncio.create_task(gateway.ask(write, {"id": global_id(2)}, idempotency_key=key)) for key in "ab"
                ]
                waiting.append(asyncio.create_task(publish(gateway, hold_changed(global_id(3)))))
                await gateway.logged("rates_not_shared")
                gateway.process.terminate()
                assert await asyncio.to_thread(gateway.process.wait, 20) == 0
                await asyncio.gather(*waiting, return_exceptions=True)
    assert erp.reads


async def test_one_gateway_hears_of_changes_by_events_and_serves_the_last_known_in_an_outage(graph):
    erp = Erp(graph)
    customer, other = global_id(1), global_id(2)
    graph.ownership = OWNERSHIP.replace("ttl_s = 600", "ttl_s = 0.2")
    with graph.serve() as gateway:
        assert await hold(gateway, customer) is False
        erp.subgraph.behave = resets

        async def is_stale() -> bool:
            answer = await gateway.ask(QUERY, {"id": customer})
            assert answer["data"]["customer"] == {"creditHold": False}
            return "stale" in answer.get("extensions", {}).get("concord", {})

        await soon(is_stale, 30)
        answer = await gateway.ask(QUERY, {"id": other})
        assert answer["errors"][0]["extensions"]["code"] in ("SYSTEM_UNAVAILABLE", "SYSTEM_CIRCUIT_OPEN")
        # What an event declared to be past does not come back, not even marked.
        await tell(gateway, customer)

        async def is_gone() -> bool:
            return (await gateway.ask(QUERY, {"id": customer}))["data"]["customer"]["creditHold"] is None

        await soon(is_gone)
        erp.subgraph.behave = None
        erp.holds[customer] = True

        async def is_healed() -> bool:
            answer = await gateway.ask(QUERY, {"id": customer})
            return answer == {"data": {"customer": {"creditHold": True}}}

        await soon(is_healed, 30)
    graph.ownership = OWNERSHIP
    with graph.serve() as gateway:
        assert await hold(gateway, other) is False
        erp.holds[other] = True
        assert await hold(gateway, other) is False
        assert await hold(gateway, other, cache_control="no-cache") is True
        erp.holds[other] = False
        assert await hold(gateway, other) is True
        await tell(gateway, other)

        async def is_told() -> bool:
            return await hold(gateway, other) is False

        await soon(is_told)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("7", "has to be a table"),
        ("{ ttl = 7 }", "did you mean `ttl_s`"),
        ("{ ttl_s = 0 }", "has to be more than 0"),
        ("{ ttl_s = -1 }", "has to be a number of seconds"),
        ("{ stale_s = 5 }", "has to be a number of seconds"),
        ('{ ttl_s = 1, scope = "all" }', 'has to be "private" or "public"'),
        ("{ ttl_s = 1e9 }", "at most 604800"),
    ],
)
def test_a_policy_that_can_not_be_meant_is_refused_with_its_place(policy, words):
    table = f'[systems.erp]\nteam = "finance"\ncache.Customer = {policy}\n'
    with pytest.raises(OwnershipInvalidError) as refused:
        parse_ownership(table)
    assert "systems.erp.cache.Customer" in str(refused.value)
    assert words in str(refused.value)
