"""A write with a key takes effect once: replayed, refused, waited for, and remembered over a restart."""

import asyncio
import uuid
from contextlib import ExitStack, closing

import psycopg
import pytest
import redis
from planned_gateway import entity, root
from postgres import started_postgres
from redis.asyncio import Redis
from redis_process import DURABLE, redis_process
from scripted_subgraph import hangs, reply, resets
from served_process import free_port

from gateway.engine import Caller, EngineLimits, GraphQLRequest
from gateway.federation.plan import OperationKind, Sequence
from gateway.upstream.retry import Retried
from gateway.writes.idempotent import IdempotentWrites
from gateway.writes.postgres_store import PostgresWriteStore
from gateway.writes.redis_store import RedisWriteStore
from gateway.writes.sqlite_store import SqliteWriteStore
from gateway.writes.store import Answered, Claimed, Misused, Running, StoreFailed, WriteName

SDL = """
type Query { a: Int }
type Mutation { rename(name: String, input: Rename): User }
input Rename { name: String clientMutationId: String }
type User { id: ID! name: String nick: String }
"""
PLAN = Sequence(
    (
        root(
            "a",
            "mutation($name:String,$input:Rename){rename(name:$name,input:$input){__typename id nick}}",
            "rename",
            kind=OperationKind.MUTATION,
            variables=("name", "input"),
        ),
        entity("b", "name", "rename", type_name="User", fields=("name",)),
    )
)
QUERY = "mutation($name: String, $input: Rename) { rename(name: $name, input: $input) { name nick } }"


@pytest.fixture(scope="session")
def postgres():
    """A Postgres of the tests' own."""
    with started_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory):
    """A Redis of the tests' own."""
    with redis_process(tmp_path_factory.mktemp("redis"), *DURABLE) as server:
        yield server.url


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def open_store(request, tmp_path):
    """All stores; each test has an empty one, which it may open again and again."""
    if request.param == "sqlite":

        async def opened(keep_s=60.0):
            return SqliteWriteStore(tmp_path / "writes.sqlite", keep_s=keep_s)

        return opened
    if request.param == "redis":
        url = request.getfixturevalue("redis_url")
        with closing(redis.Redis.from_url(url)) as client:
            client.flushall()

        async def opened(keep_s=60.0):
            return await RedisWriteStore.open(url, keep_s=keep_s)

        return opened
    url = request.getfixturevalue("postgres")
    name = f"writes_{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    own = psycopg.conninfo.make_conninfo(url, dbname=name)

    async def opened(keep_s=60.0):
        return await PostgresWriteStore.open(own, keep_s=keep_s)

    return opened


@pytest.fixture
async def writing(gateway, subgraphs, open_store):
    store = await open_store()
    subgraphs["a"].say = lambda request: {
        "data": {"rename": {"__typename": "User", "id": "1", "nick": f"n{len(subgraphs['a'].requests)}"}}
    }
    subgraphs["b"].say = lambda request: {"data": {"_entities": [{"name": f"read {len(subgraphs['b'].requests)}"}]}}
    yield gateway(SDL, PLAN, wrap=lambda client: IdempotentWrites(Retried(client), store))
    await store.aclose()


def sent(subgraphs):
    return [key and key.partition(":")[2] for key in keys_sent(subgraphs)]


def keys_sent(subgraphs):
    """Whole keys: the caller's own, made different for each caller."""
    return [headers.get("idempotency-key") for headers in subgraphs["a"].headers]


async def test_a_repeated_write_is_answered_from_memory_and_read_anew(writing, subgraphs):
    first = await writing.ask(QUERY, {"name": "x"}, idempotency_key="k1")
    again = await writing.ask(QUERY, {"name": "x"}, idempotency_key="k1")
    assert first == {"data": {"rename": {"name": "read 1", "nick": "n1"}}}
    assert again == {"data": {"rename": {"name": "read 2", "nick": "n1"}}}
    assert sent(subgraphs) == ["k1:rename"]


async def test_a_key_in_the_input_goes_before_the_header(writing, subgraphs):
    for _ in range(2):
        await writing.ask(QUERY, {"input": {"name": "x", "clientMutationId": "mine"}}, idempotency_key="k1")
    assert sent(subgraphs) == ["mine:rename"]


async def test_each_field_of_a_mutation_is_a_write_of_its_own(gateway, subgraphs, tmp_path):
    """A plan may send neighbours together; their keys and outcomes are apart all the same."""
    store = SqliteWriteStore(tmp_path / "writes.sqlite")
    document = "mutation M($n:String,$m:String){a:rename(name:$n){id}b:rename(name:$m){id}}"
    plan = root("a", document, "a", "b", kind=OperationKind.MUTATION, variables=("n", "m"), operation_name="M")
    gate = gateway(SDL, plan, wrap=lambda client: IdempotentWrites(client, store))
    subgraphs["a"].say = lambda request: {"data": {request["query"].split("{")[1].split(":")[0]: {"id": "1"}}}
    query = "mutation M($n: String, $m: String) { a: rename(name: $n) { id } b: rename(name: $m) { id } }"
    for variables in ({"n": "x", "m": "y"}, {"n": "x", "m": "y"}):
        answer = await gate.ask(query, variables, idempotency_key="k")
        assert answer == {"data": {"a": {"id": "1"}, "b": {"id": "1"}}}
    assert sent(subgraphs) == ["k:a", "k:b"]
    assert [request["variables"] for request in subgraphs["a"].requests] == [{"n": "x"}, {"m": "y"}]
    changed = await gate.ask(query, {"n": "x", "m": "z"}, idempotency_key="k")
    assert changed["data"] == {"a": {"id": "1"}, "b": None}
    assert [error["code"] for error in changed["errors"]] == ["IDEMPOTENCY_KEY_REUSED"]
    await store.aclose()


UNDER_CONDITIONS = """mutation M($n: String, $x: Boolean!, $y: Boolean!) {
  ... @include(if: $x) { b: rename(name: $n) @skip(if: $y) { id } }
  a: rename(name: $n) { id }
  ... @include(if: $y) { a: rename(name: $n) { nick } }
}"""


async def test_fields_under_conditions_are_writes_of_their_own_too(gateway, subgraphs, tmp_path):
    """One that is selected in two places is still one write, and one that is left out is none."""
    store = SqliteWriteStore(tmp_path / "writes.sqlite")
    names = ("n", "x", "y")
    plan = root("a", UNDER_CONDITIONS, "b", "a", kind=OperationKind.MUTATION, variables=names, operation_name="M")
    gate = gateway(SDL, plan, wrap=lambda client: IdempotentWrites(client, store))

    def say(request):
        return {"data": {"b" if "b:" in request["query"] else "a": {"id": "1", "nick": "n"}}}

    subgraphs["a"].say = say
    only = {"a": {"id": "1", "nick": "n"}}
    assert (await gate.ask(UNDER_CONDITIONS, {"n": "x", "x": True, "y": True}, idempotency_key="k"))["data"] == only
    assert sent(subgraphs) == ["k:a"]
    assert subgraphs["a"].requests[0]["query"].count("rename") == 2
    for _ in range(2):  # what was left out under this key was not done, so it is not remembered
        answer = await gate.ask(UNDER_CONDITIONS, {"n": "x", "x": True, "y": False}, idempotency_key="k")
        assert answer["data"] == {"b": {"id": "1"}, "a": {"id": "1"}}
    assert sent(subgraphs) == ["k:a", "k:b"]
    assert subgraphs["a"].requests[1]["variables"] == {"n": "x"}
    await store.aclose()


async def test_a_key_can_be_required(gateway, subgraphs):
    gate = gateway(SDL, PLAN, limits=EngineLimits(requires_write_keys=True))
    response = await gate.respond(QUERY)
    assert (response.http_status, response.errors[0]["extensions"]["code"]) == (400, "IDEMPOTENCY_KEY_REQUIRED")
    assert subgraphs["a"].requests == []


async def test_other_arguments_under_the_same_key_are_refused(writing, subgraphs):
    await writing.ask(QUERY, {"name": "x"}, idempotency_key="k1")
    response = await writing.respond(QUERY, {"name": "y"}, idempotency_key="k1", x_correlation_id="c")
    assert response.http_status == 422
    assert response.payload() == {
        "errors": [
            {
                "message": "This key was used for a different write; take a new one.",
                "path": ["rename"],
                "extensions": {
                    "code": "IDEMPOTENCY_KEY_REUSED",
                    "class": "CONFLICT",
                    "system": "a",
                    "retryable": False,
                    "outcome": "NOT_APPLIED",
                    "correlationId": "c",
                },
            }
        ]
    }
    assert sent(subgraphs) == ["k1:rename"]


async def test_keys_belong_to_their_caller(writing, subgraphs):
    for subject in ("ada", "bob", "ada"):
        request = GraphQLRequest(query=QUERY, variables={"name": "x"}, headers={"idempotency-key": "k1"})
        response = await writing.engine.execute(request, Caller(subject=subject, token=f"new for each {id(request)}"))
        assert not response.errors
    assert sent(subgraphs) == ["k1:rename", "k1:rename"]
    # The owner, who knows no callers, must not take one's write for the other's.
    assert len(set(keys_sent(subgraphs))) == 2


async def test_concurrent_twins_write_once(writing, subgraphs):
    answers = await asyncio.gather(*(writing.ask(QUERY, {"name": "x"}, idempotency_key="k") for _ in range(5)))
    assert [answer["data"]["rename"]["nick"] for answer in answers] == ["n1"] * 5
    assert sent(subgraphs) == ["k:rename"]


async def test_a_twin_that_waited_in_vain_is_told_so(writing, subgraphs):
    subgraphs["a"].behave = hangs
    first = asyncio.create_task(writing.ask(QUERY, {"name": "x"}, idempotency_key="k"))
    await subgraphs["a"].asked.wait()
    twin = await writing.respond(QUERY, {"name": "x"}, idempotency_key="k", x_request_timeout_ms="200")
    assert (twin.http_status, twin.errors[0]["extensions"]["code"]) == (409, "IDEMPOTENCY_IN_PROGRESS")
    assert twin.errors[0]["extensions"]["outcome"] == "IN_PROGRESS"
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    # The claim was given back: the same key may try again.
    subgraphs["a"].behave = None
    assert "errors" not in await writing.ask(QUERY, {"name": "x"}, idempotency_key="k")


async def test_a_lost_answer_is_asked_for_again_under_the_same_key(writing, subgraphs):
    async def reset_once(writer, request):
        subgraphs["a"].behave = None
        await resets(writer, request)

    subgraphs["a"].behave = reset_once
    assert await writing.ask(QUERY, {"name": "x"}, idempotency_key="k") == {
        "data": {"rename": {"name": "read 1", "nick": "n2"}}
    }
    assert sent(subgraphs) == ["k:rename", "k:rename"]
    # Without a key, nobody may know whether it took effect.
    subgraphs["a"].behave = reset_once
    (error,) = (await writing.ask(QUERY, {"name": "x"}))["errors"]
    assert (error["code"], error["outcome"], error["retryable"]) == ("SYSTEM_UNAVAILABLE", "UNKNOWN", False)
    assert len(subgraphs["a"].requests) == 3


async def test_a_refusal_is_not_remembered(writing, subgraphs):
    good = subgraphs["a"].say
    subgraphs["a"].say = lambda request: {
        "data": {"rename": None},
        "errors": [{"message": "m", "path": ["rename"], "extensions": {"code": "CONFLICT"}}],
    }
    assert (await writing.ask(QUERY, idempotency_key="k"))["errors"][0]["code"] == "CONFLICT"
    subgraphs["a"].say = good
    assert "errors" not in await writing.ask(QUERY, idempotency_key="k")


async def test_keys_survive_a_restart_and_expire(gateway, subgraphs, open_store):
    subgraphs["a"].say = lambda request: {"data": {"rename": None}}
    for key, keep_s, requests in (("k", 60, 1), ("k", 60, 1), ("brief", 0, 2), ("brief", 0, 3), ("k", 60, 3)):
        store = await open_store(keep_s)
        gate = gateway(SDL, PLAN, wrap=lambda client, store=store: IdempotentWrites(client, store))
        assert await gate.ask(QUERY, idempotency_key=key) == {"data": {"rename": None}}
        await store.aclose()
        assert len(subgraphs["a"].requests) == requests


async def test_a_claim_of_a_dead_process_passes_on(open_store):
    store = await open_store()
    name = WriteName("ada", "k", "rename")
    assert await store.claim(name, "f", lease_s=5) == Claimed()
    assert await store.claim(name, "f", lease_s=5) == Running()
    await asyncio.sleep(5.1)
    assert await store.claim(name, "f", lease_s=60) == Claimed()
    await store.aclose()


async def test_of_many_claimants_at_once_one_wins_and_the_others_get_its_answer(open_store):
    stores = [await open_store(), await open_store()]
    name = WriteName("ada", "k", "rename")
    claims = await asyncio.gather(*(stores[n % 2].claim(name, "f", lease_s=60) for n in range(40)))
    assert [claims.count(Claimed()), claims.count(Running())] == [1, 39]
    assert await stores[1].claim(name, "g", lease_s=60) == Misused()
    await stores[0].answer(name, b"{}")
    assert await stores[1].claim(name, "f", lease_s=60) == Answered(b"{}")
    for store in stores:
        await store.aclose()


async def test_an_unusable_store_refuses_before_anything_is_sent(gateway, subgraphs, tmp_path):
    store = SqliteWriteStore(tmp_path / "writes.sqlite")
    gate = gateway(SDL, PLAN, wrap=lambda client: IdempotentWrites(client, store))
    store._database.execute("DROP TABLE writes")
    (error,) = (await gate.ask(QUERY, idempotency_key="k"))["errors"]
    assert (error["code"], error["outcome"], error["retryable"]) == ("STORE_UNAVAILABLE", "NOT_APPLIED", True)
    assert subgraphs["a"].requests == []
    await store.aclose()


async def test_a_redis_that_goes_away_refuses_writes_loses_none_and_heals(gateway, subgraphs, tmp_path):
    port = free_port()
    url = f"redis://127.0.0.1:{port}"
    with pytest.raises(StoreFailed):
        await RedisWriteStore.open(url)
    with redis_process(tmp_path, *DURABLE, port=port):
        store = await RedisWriteStore.open(url)
        gate = gateway(SDL, PLAN, wrap=lambda client: IdempotentWrites(client, store))
        subgraphs["a"].say = lambda request: {"data": {"rename": None}}
        assert await gate.ask(QUERY, idempotency_key="kept") == {"data": {"rename": None}}

        async def answers_once_redis_is_gone(writer, request):
            subgraphs["a"].behave = None
            reached.set()
            await gone.wait()
            writer.write(reply(b'{"data":{"rename":null}}'))
            await writer.drain()

        reached, gone = asyncio.Event(), asyncio.Event()
        subgraphs["a"].behave = answers_once_redis_is_gone
        under_way = asyncio.create_task(gate.ask(QUERY, idempotency_key="under way"))
        await reached.wait()
    gone.set()
    # What was sent is told as it went; its answer could not be kept, and the owner's own memory stands in.
    assert await under_way == {"data": {"rename": None}}
    (error,) = (await gate.ask(QUERY, idempotency_key="new"))["errors"]
    assert (error["code"], error["outcome"], error["retryable"]) == ("STORE_UNAVAILABLE", "NOT_APPLIED", True)
    assert sent(subgraphs) == ["kept:rename", "under way:rename"]
    with redis_process(tmp_path, *DURABLE, port=port):
        for key in ("kept", "new", "new"):
            assert await gate.ask(QUERY, idempotency_key=key) == {"data": {"rename": None}}
        assert sent(subgraphs) == ["kept:rename", "under way:rename", "new:rename"]
        name = WriteName("ada", "k", "rename")
        await store.answer(name, b"{}")  # of a claim that is long forgotten
        assert await store.claim(name, "f", lease_s=1) == Claimed()
        await store.aclose()


@pytest.fixture
async def hanging(gateway, subgraphs, tmp_path):
    """A gateway, and the Redis that it would wait for without end."""
    with redis_process(tmp_path) as server:
        store = RedisWriteStore(Redis.from_url(server.url, socket_timeout=None), keep_s=60)
        subgraphs["a"].say = lambda request: {"data": {"rename": None}}
        gate = gateway(SDL, PLAN, wrap=lambda client: IdempotentWrites(client, store))
        assert "errors" not in await gate.ask(QUERY, idempotency_key="connected")
        yield gate, server
        await store.aclose()


async def test_a_store_that_hangs_keeps_nobody_beyond_the_deadline(hanging, subgraphs):
    gate, server = hanging
    with server.hanging():
        async with asyncio.timeout(60):
            answer = await gate.ask(QUERY, idempotency_key="k", x_request_timeout_ms="200")
    (error,) = answer["errors"]
    assert (error["code"], error["outcome"], error["retryable"]) == ("STORE_UNAVAILABLE", "NOT_APPLIED", True)
    # What it granted when nobody waited any more is nobody's.
    assert "errors" not in await gate.ask(QUERY, idempotency_key="k", x_request_timeout_ms="4000")
    assert sent(subgraphs) == ["connected:rename", "k:rename"]


async def test_a_store_that_hangs_after_the_write_hides_no_answer_and_keeps_it(hanging, subgraphs):
    gate, server = hanging
    sleeping = ExitStack()

    def say(request):
        sleeping.enter_context(server.hanging())
        return {"data": {"rename": None}}

    with sleeping:
        subgraphs["a"].say = say
        async with asyncio.timeout(60):
            answer = await gate.ask(QUERY, idempotency_key="k", x_request_timeout_ms="1000")
    assert answer == {"data": {"rename": None}}
    assert await gate.ask(QUERY, idempotency_key="k") == answer
    assert sent(subgraphs) == ["connected:rename", "k:rename"]


async def test_who_leaves_while_the_store_hangs_keeps_no_claim(hanging, subgraphs):
    gate, server = hanging
    with server.hanging():
        leaving = asyncio.create_task(gate.ask(QUERY, idempotency_key="k"))
        await asyncio.sleep(0.2)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
    # Long before the claim would have run out, which is after the deadline of whoever left.
    assert "errors" not in await gate.ask(QUERY, idempotency_key="k", x_request_timeout_ms="4000")
    assert sent(subgraphs) == ["connected:rename", "k:rename"]


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb"])
async def test_a_key_that_is_none_is_refused(writing, key, subgraphs):
    response = await writing.respond(QUERY, idempotency_key=key)
    assert (response.http_status, response.errors[0]["extensions"]["code"]) == (400, "BAD_REQUEST")
    assert subgraphs["a"].requests == []
