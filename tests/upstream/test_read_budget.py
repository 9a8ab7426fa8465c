"""Large answers that are read at once are bounded together, over real sockets, and nobody waits for ever for room."""

import asyncio
import gc
import random
from functools import partial

import pytest
from direct_policies import policies
from hypothesis import given, settings
from hypothesis import strategies as st
from planned_gateway import root
from scripted_subgraph import reply

from gateway.upstream.httpx_transport import HttpxTransport
from gateway.upstream.lean_transport import LeanTransport
from gateway.upstream.read_budget import AHEAD_BYTES, LARGE_BYTES, ReadBudget
from gateway.upstream.reading import Reading
from gateway.upstream.transport import NoAnswer, NoRoom, TooLarge

HEADERS = [("content-type", "application/json")]
BODY = b'{"query":"{a}"}'
MB = 1 << 20


@pytest.fixture(params=[LeanTransport, HttpxTransport])
async def reading(request, subgraphs):
    """Makes transports to `a` and `b` that share a budget."""
    transports = []

    def make(most_bytes, *names, carrier=request.param, **options):
        budget = ReadBudget(most_bytes)
        made = [carrier(subgraphs[name].url, budget=budget, **options) for name in names]
        transports.extend(made)
        return budget, *made

    yield make
    for transport in transports:
        await transport.aclose()


def with_length(body):
    return [reply(body)]


def in_chunks(body):
    parts = [body[start : start + 50_000] for start in range(0, len(body), 50_000)]
    chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts]
    return [
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
        *chunks,
        b"0\r\n\r\n",
    ]


def until_it_closes(body):
    return [b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n", body]


def sends_all(pieces):
    async def behave(writer, _):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return behave


def sends_and_stalls(data):
    async def behave(writer, _):
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(600)

    return behave


def is_empty(*transports):
    (budget,) = {transport.lane.budget for transport in transports}
    return not (
        budget.taken_bytes or budget.waiting or any(each.lane.going or each.lane.waiting for each in transports)
    )


async def until(is_so):
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110 - what is waited for is told to nobody
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("framing", [with_length, in_chunks, until_it_closes])
async def test_what_is_read_at_once_is_bounded_and_all_answers_come(reading, subgraphs, framing):
    budget, a, b = reading(MB, "a", "b")
    body = random.Random(1).randbytes(2 * MB)
    subgraphs["a"].behave = subgraphs["b"].behave = sends_all(framing(body))
    most = 0

    async def watch():
        nonlocal most
        while True:
            most = max(most, budget.taken_bytes)
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    replies = await asyncio.gather(*(each.post(HEADERS, BODY, 60) for each in (a, b) for _ in range(12)))
    watching.cancel()
    assert all(each.body == body for each in replies)
    first_pieces = 24 * (LARGE_BYTES + AHEAD_BYTES)  # what had come of each before it was known to be large
    assert most <= MB + 2 * (len(body) + AHEAD_BYTES) + first_pieces
    assert budget.pauses > 0
    assert is_empty(a, b)


async def test_an_answer_larger_than_all_the_room_comes(reading, subgraphs):
    _, a = reading(MB, "a")
    body = b"1" * (5 * MB)
    subgraphs["a"].behave = sends_all(with_length(body))
    assert (await a.post(HEADERS, BODY, 60)).body == body
    assert is_empty(a)


async def test_small_answers_wait_for_nobody(reading, subgraphs):
    budget, a = reading(MB, "a")
    subgraphs["a"].behave = sends_and_stalls(reply(b"1" * MB, length=3 * MB))
    holding = [asyncio.create_task(a.post(HEADERS, BODY, 60)) for _ in range(6)]
    await until(lambda: len(budget.waiting) >= 3)
    small = b"1" * (LARGE_BYTES - 1)
    subgraphs["a"].behave = sends_all([reply(small)[:100], reply(small)[100:]])
    assert (await a.post(HEADERS, BODY, 60)).body == small
    for task in holding:
        task.cancel()
    await asyncio.gather(*holding, return_exceptions=True)
    assert is_empty(a)


async def test_an_address_that_stalls_with_all_the_room_holds_up_no_other(reading, subgraphs):
    budget, a, b = reading(MB, "a", "b")
    subgraphs["a"].behave = sends_and_stalls(reply(b"1" * MB, length=3 * MB))
    holding = [asyncio.create_task(a.post(HEADERS, BODY, 60)) for _ in range(6)]
    await until(lambda: len(budget.waiting) >= 3)
    body = b"2" * (3 * MB)
    subgraphs["b"].behave = sends_all(with_length(body))
    for each in await asyncio.gather(*(b.post(HEADERS, BODY, 60) for _ in range(3))):
        assert each.body == body
    for task in holding:
        task.cancel()
    await asyncio.gather(*holding, return_exceptions=True)
    assert is_empty(a, b)


async def test_what_was_announced_and_not_sent_takes_no_room(reading, subgraphs):
    budget, a = reading(4 * MB, "a")
    subgraphs["a"].behave = sends_and_stalls(reply(b"1" * (LARGE_BYTES + 1), length=40 * MB))
    holding = [asyncio.create_task(a.post(HEADERS, BODY, 60)) for _ in range(8)]
    await until(lambda: a.lane.going == 8)
    assert budget.taken_bytes <= 8 * (LARGE_BYTES + AHEAD_BYTES + 1_000)
    assert not budget.waiting
    for task in holding:
        task.cancel()
    await asyncio.gather(*holding, return_exceptions=True)


async def test_an_answer_that_announces_more_than_may_come_is_refused_at_once(reading, subgraphs):
    _, a = reading(MB, "a", max_bytes=2 * MB, carrier=LeanTransport)
    subgraphs["a"].behave = sends_and_stalls(reply(b"1" * 10, length=2 * MB + 1))
    with pytest.raises(TooLarge):
        await a.post(HEADERS, BODY, 60)


async def test_whose_answer_was_left_unread_until_its_time_was_over_is_not_to_blame(reading, subgraphs):
    budget, a = reading(MB, "a")
    subgraphs["a"].behave = sends_and_stalls(reply(b"1" * (2 * MB), length=3 * MB))
    first = asyncio.create_task(a.post(HEADERS, BODY, 60))
    await until(lambda: budget.taken_bytes > MB)
    for _ in range(3):  # each waits behind the first one
        with pytest.raises(NoRoom):
            await a.post(HEADERS, BODY, 0.3)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    with pytest.raises(NoAnswer) as late:  # there is room, and the rest does not come: that is the server's
        await a.post(HEADERS, BODY, 0.3)
    assert not isinstance(late.value, NoRoom)
    assert late.value.is_timeout
    assert is_empty(a)


async def test_whoever_leaves_while_his_answer_waits_closes_its_connection(reading, subgraphs):
    budget, a = reading(MB, "a")
    subgraphs["a"].behave = sends_and_stalls(reply(b"1" * (2 * MB), length=3 * MB))
    first = asyncio.create_task(a.post(HEADERS, BODY, 60))
    await until(lambda: budget.taken_bytes > MB)
    second = asyncio.create_task(a.post(HEADERS, BODY, 60))
    await until(lambda: budget.waiting)
    second.cancel()
    await until(lambda: not budget.waiting)
    await until(lambda: subgraphs["a"].open == 1)
    first.cancel()
    await until(lambda: subgraphs["a"].open == 0)
    assert is_empty(a)


async def test_a_connection_that_closes_while_it_is_not_read_fails_when_its_turn_comes(reading, subgraphs):
    budget, a = reading(MB, "a")
    subgraphs["a"].behave = sends_and_stalls(reply(b"1" * (2 * MB), length=3 * MB))
    first = asyncio.create_task(a.post(HEADERS, BODY, 60))
    await until(lambda: budget.taken_bytes > MB)
    subgraphs["a"].behave = sends_all([reply(b"1" * MB, length=3 * MB)])  # and closes
    second = asyncio.create_task(a.post(HEADERS, BODY, 60))
    await until(lambda: budget.waiting)
    first.cancel()
    with pytest.raises(NoAnswer):
        await second
    assert is_empty(a)


async def test_room_never_leaks_whatever_becomes_of_answers(reading, subgraphs):
    chance = random.Random(7)
    budget, a, b = reading(MB, "a", "b", max_connections=12, max_bytes=3 * MB)

    async def behave(writer, _):
        body = b"1" * chance.choice([10, 100_000, LARGE_BYTES, 600_000, 2 * MB, 3 * MB - 500, 3 * MB + 1])
        pieces = chance.choice([with_length, in_chunks, until_it_closes])(body)
        for piece in pieces if chance.random() < 0.6 else [b"".join(pieces)[: chance.randrange(len(body) + 100)]]:
            writer.write(piece)
            await writer.drain()
        match chance.randrange(6):
            case 0:
                await asyncio.sleep(600)
            case 1:
                writer.transport.abort()

    subgraphs["a"].behave = subgraphs["b"].behave = behave
    outcomes = {True: 0, False: 0}

    async def ask():
        transport = chance.choice((a, b))
        try:
            async with asyncio.timeout(chance.choice([0.01, 0.05, 0.2, 30])):
                await transport.post(HEADERS, BODY, chance.choice([0.05, 0.3, 3]))
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 - any end will do
            outcomes[False] += 1
        else:
            outcomes[True] += 1

    async def client():
        for _ in range(25):
            await ask()

    async with asyncio.timeout(300):
        await asyncio.gather(*(client() for _ in range(24)))
    assert min(outcomes.values()) > 0, outcomes
    assert budget.pauses > 0
    await until(lambda: is_empty(a, b))


async def test_what_was_read_is_let_go_without_the_garbage_collector(reading, subgraphs):
    """It may not come by for a long time, and then with hundreds of large answers to collect."""
    gc.collect()
    gc.disable()
    try:
        for framing in (with_length, in_chunks, until_it_closes):
            _, a = reading(8 * MB, "a", carrier=LeanTransport)
            subgraphs["a"].behave = sends_all(framing(b"1" * MB))
            assert len((await a.post(HEADERS, BODY, 60)).body) == MB
        _, a = reading(8 * MB, "a", carrier=LeanTransport)
        subgraphs["a"].behave = sends_all([reply(b"1" * MB, length=2 * MB)])  # and closes
        with pytest.raises(NoAnswer):
            await a.post(HEADERS, BODY, 60)
        await asyncio.sleep(0)
        assert [each for each in gc.get_objects() if isinstance(each, Reading)] == []
    finally:
        gc.enable()


STEPS = st.lists(
    st.tuples(st.sampled_from(["begin", "grow", "end"]), st.integers(0, 30), st.integers(1, 60)), max_size=200
)


@given(STEPS)
@settings(max_examples=300, deadline=None)
def test_somebody_always_goes_on_and_the_bound_holds(steps):
    """Sizes in bytes, for once: 100 are the bound, and no answer is larger than 60."""
    budget = ReadBudget(100)
    lanes = [budget.lane(), budget.lane(), budget.lane()]
    portions, first_pieces = [], {}
    for kind, which, size in steps:
        if kind == "begin":
            portions.append(lanes[which % 3].begin(min(size, 5), lambda: None))
            first_pieces[portions[-1]] = min(size, 5)
        elif portions:
            portion = portions[which % len(portions)]
            if kind == "end":
                portion.give_back()
                portions.remove(portion)
            elif not portion.is_waiting:
                began_before = portion.number
                before = portion.taken
                grows = portion.reach(size)
                assert grows == (not portion.is_waiting)
                assert portion.taken == (max(before, size) if grows else before)
                if grows and size > before and lanes[0].budget.taken_bytes > 100:
                    assert all(each.number > began_before for each in portion._lane.waiting)
        assert budget.taken_bytes == sum(each.taken for each in portions)
        for lane in lanes:
            mine = [each for each in portions if each._lane is lane]
            assert lane.going == sum(not each.is_waiting for each in mine)
            assert lane.waiting == sorted((each for each in mine if each.is_waiting), key=lambda each: each.number)
            assert lane.going or not lane.waiting
        assert budget.taken_bytes <= 100 + 3 * 60 + sum(first_pieces[each] for each in portions)
        if budget.waiting:
            assert budget.taken_bytes + budget.waiting[0].more > 100
    for portion in portions:
        portion.give_back()
    assert (budget.taken_bytes, budget.waiting) == (0, [])


SDL = "type Query { users: [User] } type User { id: ID! }"
PLAN = root("a", "{users{id}}", "users")


@pytest.mark.parametrize("is_direct", [True, False])
async def test_callers_are_told_that_the_gateway_was_short_of_room_and_no_breaker_counts_it(
    gateway, subgraphs, is_direct
):
    budget = ReadBudget(MB)
    gate = gateway(
        SDL,
        PLAN,
        wrap=lambda client: policies(client, timeout_s=1.5, is_direct=is_direct),
        transport=partial(LeanTransport, budget=budget),
    )
    subgraphs["a"].behave = sends_and_stalls(reply(b"1" * (2 * MB), length=3 * MB))
    hog = LeanTransport(subgraphs["a"].url, budget=budget)
    holding = asyncio.create_task(hog.post(HEADERS, BODY, 60))
    await until(lambda: budget.taken_bytes > MB)
    # The first one goes on, being the only one of its address, and its system does not send the rest.
    names = [f"{number}" for number in range(6)]
    answers = await asyncio.gather(*(gate.ask("{ users { id } }", x_name=name) for name in names))
    codes = [each["errors"][0]["code"] for each in answers]
    assert sorted(codes) == ["OVERLOADED"] * 5 + ["SYSTEM_TIMEOUT"]
    told = next(each["errors"][0] for each in answers if each["errors"][0]["code"] == "OVERLOADED")
    assert told == {
        "path": ["users"],
        "code": "OVERLOADED",
        "system": "gateway",
        "retryable": True,
        "retryAfterMs": 1000,
    }
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)
    # Three failures would have opened the breaker; and nobody asked again on their behalf.
    assert len(subgraphs["a"].requests) == 1 + 6
    subgraphs["a"].behave, subgraphs["a"].say = None, lambda request: {"data": {"users": [{"id": "1"}]}}
    assert await gate.ask("{ users { id } }") == {"data": {"users": [{"id": "1"}]}}
    await hog.aclose()
