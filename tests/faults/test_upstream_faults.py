"""One system's failure stays its own: each kind of fault, and the whole answer beside it."""

import asyncio

import pytest
from planned_gateway import entity, root
from scripted_subgraph import hangs, reply, resets, sends

from gateway.federation.plan import OperationKind, Parallel, Sequence
from gateway.upstream.deadline import Deadlined
from gateway.upstream.headers import Headered
from gateway.upstream.httpx_transport import HttpxTransport
from gateway.upstream.lean_transport import LeanTransport

SDL = """
type Query { users: [User] count: Int }
type Mutation { drop: Int }
type User { id: ID! name: String }
"""
PLAN = Parallel(
    (
        Sequence(
            (
                root("a", "{users{__typename id}}", "users"),
                entity("b", "name", "users.@", type_name="User", fields=("name",)),
            )
        ),
        root("c", "{count}", "count"),
    )
)
QUERY = "{ users { id name } count }"
GOOD = b'{"data":{"_entities":[{"name":"Ada"}]}}'


async def slow_body(writer, _):
    writer.write(reply(GOOD)[:-5])
    await asyncio.sleep(60)


async def endless(writer, _):
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + b" " * 1000)
    while True:
        writer.write(b" " * 65536)
        await writer.drain()


FAULTS = {
    "reset": (resets, "SYSTEM_UNAVAILABLE"),
    "closed": (sends(b""), "SYSTEM_UNAVAILABLE"),
    "truncated body": (sends(reply(GOOD, length=len(GOOD) + 10)), "SYSTEM_UNAVAILABLE"),
    "truncated head": (sends(b"HTTP/1.1 200 OK\r\ncontent-"), "SYSTEM_UNAVAILABLE"),
    "not HTTP": (sends(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "SYSTEM_UNAVAILABLE"),
    "black hole": (hangs, "SYSTEM_TIMEOUT"),
    "slow body": (slow_body, "SYSTEM_TIMEOUT"),
    "too large": (endless, "SYSTEM_BAD_RESPONSE"),
    "HTML": (sends(reply(b"<html>", content_type="text/html")), "SYSTEM_BAD_RESPONSE"),
    "HTML as JSON": (sends(reply(b"<html>")), "SYSTEM_BAD_RESPONSE"),
    "half JSON": (sends(reply(GOOD[:-3])), "SYSTEM_BAD_RESPONSE"),
    "not UTF-8": (sends(reply(b'{"data":"\xff"}')), "SYSTEM_BAD_RESPONSE"),
    "empty": (sends(reply(b"")), "SYSTEM_BAD_RESPONSE"),
    "redirect": (sends(reply(b"", "302 Found", headers="location: http://127.0.0.1:1/\r\n")), "SYSTEM_BAD_RESPONSE"),
    "no such page": (sends(reply(b"{}", "404 Not Found")), "SYSTEM_BAD_RESPONSE"),
    "refused": (sends(reply(b"no", "400 Bad Request", content_type="text/plain")), "SYSTEM_REJECTED"),
    "unauthenticated": (sends(reply(b"", "401 Unauthorized")), "SYSTEM_AUTH_FAILED"),
    "conflict": (sends(reply(b"", "409 Conflict")), "CONFLICT"),
    "internal error": (sends(reply(b"Traceback", "500 Oops", content_type="text/plain")), "SYSTEM_ERROR"),
    "code that is no text": (sends(reply(b'{"errors":[{"extensions":{"code":["A"]}}]}', "500 Oops")), "SYSTEM_ERROR"),
    "bad gateway": (sends(reply(b"", "502 Bad Gateway")), "SYSTEM_UNAVAILABLE"),
    "gateway timeout": (sends(reply(b"", "504 Gateway Timeout")), "SYSTEM_TIMEOUT"),
}
RETRYABLE = {"SYSTEM_UNAVAILABLE", "SYSTEM_TIMEOUT", "SYSTEM_BAD_RESPONSE", "SYSTEM_ERROR"}


class ShortOfPatience:
    """Gives a subgraph that never ends its answer a third of a second, and any other all the time a busy machine may take."""

    def __init__(self, client, subgraphs):
        self._subgraphs = subgraphs
        self._short, self._long = Deadlined(client, timeout_s=0.3), Deadlined(client, timeout_s=60)
        self.aclose = client.aclose

    async def fetch(self, request, context):
        never_ends = self._subgraphs[request.subgraph].behave in (hangs, slow_body)
        return await (self._short if never_ends else self._long).fetch(request, context)


def say_users_and_count(subgraphs):
    subgraphs["a"].say = lambda request: {"data": {"users": [{"__typename": "User", "id": "1"}]}}
    subgraphs["c"].say = lambda request: {"data": {"count": 3}}


@pytest.fixture(params=[LeanTransport, HttpxTransport])
def transport(request):
    return request.param


@pytest.fixture
def short(subgraphs):
    return lambda client: ShortOfPatience(client, subgraphs)


@pytest.fixture
def faulty(gateway, subgraphs, transport, short):
    gate = gateway(SDL, PLAN, wrap=short, max_bytes=1 << 20, transport=transport)
    say_users_and_count(subgraphs)
    return gate


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_costs_its_own_fields_only(faulty, subgraphs, fault):
    subgraphs["b"].behave, code = FAULTS[fault]
    assert await faulty.ask(QUERY) == {
        "data": {"users": [{"id": "1", "name": None}], "count": 3},
        "errors": [{"path": ["users", 0, "name"], "code": code, "system": "b", "retryable": code in RETRYABLE}],
    }
    # And the next request, over whatever connections are left, is whole.
    subgraphs["b"].behave, subgraphs["b"].say = None, lambda request: {"data": {"_entities": [{"name": "Ada"}]}}
    assert await faulty.ask(QUERY) == {"data": {"users": [{"id": "1", "name": "Ada"}], "count": 3}}


async def test_nobody_listens(gateway, subgraphs, unused_tcp_port, transport):
    gate = gateway(SDL, PLAN, urls={"b": f"http://127.0.0.1:{unused_tcp_port}/graphql"}, transport=transport)
    say_users_and_count(subgraphs)
    error = {"path": ["users", 0, "name"], "code": "SYSTEM_UNAVAILABLE", "system": "b", "retryable": True}
    assert await gate.ask(QUERY) == {"data": {"users": [{"id": "1", "name": None}], "count": 3}, "errors": [error]}


async def test_a_rate_limit_passes_on_when_to_come_back(faulty, subgraphs):
    subgraphs["b"].behave = sends(reply(b"", "429 Too Many Requests", headers="retry-after: 7\r\n"))
    response = await faulty.ask(QUERY)
    assert response["errors"] == [
        {
            "path": ["users", 0, "name"],
            "code": "SYSTEM_RATE_LIMITED",
            "system": "b",
            "retryable": True,
            "retryAfterMs": 7000,
        }
    ]


async def test_an_error_status_with_a_graphql_answer_is_read(faulty, subgraphs):
    body = b'{"errors":[{"message":"m","extensions":{"code":"BAD_USER_INPUT"}}]}'
    subgraphs["b"].behave = sends(reply(body, "400 Bad Request", content_type="application/graphql-response+json"))
    assert (await faulty.ask(QUERY))["errors"] == [
        {"path": ["users", 0, "name"], "code": "BAD_USER_INPUT", "system": "b", "retryable": False}
    ]


async def test_the_clients_deadline_holds_and_closes_what_is_in_flight(gateway, subgraphs, transport):
    patient = gateway(SDL, PLAN, wrap=lambda client: Deadlined(client, timeout_s=60), transport=transport)
    say_users_and_count(subgraphs)
    subgraphs["b"].behave = hangs
    assert await patient.ask(QUERY, x_request_timeout_ms="1000") == {
        "data": {"users": [{"id": "1", "name": None}], "count": 3},
        "errors": [{"path": ["users", 0, "name"], "code": "SYSTEM_TIMEOUT", "system": "b", "retryable": True}],
    }
    await asyncio.wait_for(subgraphs["b"].closed_by_peer.wait(), 30)
    assert 0 < int(subgraphs["b"].headers[-1]["x-concord-deadline-ms"]) <= 1000


async def test_cancelling_a_request_closes_what_is_in_flight(faulty, subgraphs):
    subgraphs["b"].behave = hangs
    asking = asyncio.create_task(faulty.ask(QUERY))
    await subgraphs["b"].asked.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.wait_for(subgraphs["b"].closed_by_peer.wait(), 30)


async def test_a_header_is_passed_on_in_the_bytes_it_came_in(gateway, subgraphs, transport):
    def wrap(client):
        return Headered(client, fixed={}, forwarded=["x-tenant"])

    gate = gateway(SDL, root("c", "{count}", "count"), wrap=wrap, transport=transport)
    say_users_and_count(subgraphs)
    for name in ("Zürich".encode(), "Zürich".encode("latin-1")):
        assert await gate.ask("{ count }", x_tenant=name.decode("latin-1")) == {"data": {"count": 3}}
        assert subgraphs["c"].raw_heads[-1].count(b"x-tenant: " + name + b"\r\n") == 1


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("reset", "UNKNOWN"),
        ("black hole", "UNKNOWN"),
        ("HTML", "UNKNOWN"),
        ("internal error", "UNKNOWN"),
        ("refused", "NOT_APPLIED"),
        ("conflict", "NOT_APPLIED"),
        ("unauthenticated", "NOT_APPLIED"),
    ],
)
async def test_a_failed_write_says_what_became_of_it(gateway, subgraphs, fault, outcome, transport, short):
    gate = gateway(
        SDL, root("a", "mutation{drop}", "drop", kind=OperationKind.MUTATION), wrap=short, transport=transport
    )
    subgraphs["a"].behave, code = FAULTS[fault]
    error = {"path": ["drop"], "code": code, "system": "a", "retryable": False, "outcome": outcome}
    assert await gate.ask("mutation { drop }") == {"data": {"drop": None}, "errors": [error]}


async def test_a_write_that_was_never_sent_was_not_applied(gateway, unused_tcp_port, transport):
    plan = root("a", "mutation{drop}", "drop", kind=OperationKind.MUTATION)
    gate = gateway(SDL, plan, urls={"a": f"http://127.0.0.1:{unused_tcp_port}/"}, transport=transport)
    error = {
        "path": ["drop"],
        "code": "SYSTEM_UNAVAILABLE",
        "system": "a",
        "retryable": True,
        "outcome": "NOT_APPLIED",
    }
    assert await gate.ask("mutation { drop }") == {"data": {"drop": None}, "errors": [error]}
