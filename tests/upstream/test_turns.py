"""Requests under way go first: one new one starts in each round, and none waits for ever."""

import asyncio

import pytest

from gateway.upstream.turns import Turns


async def test_new_requests_start_one_by_one_in_order_and_after_what_is_ready():
    turns, happened = Turns(), []
    loop = asyncio.get_running_loop()

    def answer(number):
        happened.append(f"answer {number}")
        if number < 3:
            loop.call_soon(answer, number + 1)

    async def begin(name):
        await turns.start()
        happened.append(name)

    turns.call(lambda: happened.append("a"))
    turns.call(lambda: happened.append("b"))
    waiting = {name: asyncio.create_task(begin(name)) for name in "cde"}
    loop.call_soon(answer, 1)
    await asyncio.sleep(0)
    waiting["d"].cancel()
    async with asyncio.timeout(30):
        await asyncio.gather(waiting["c"], waiting["e"])
    with pytest.raises(asyncio.CancelledError):
        await waiting["d"]
    assert [each for each in happened if len(each) == 1] == ["a", "b", "c", "e"]
    assert happened.index("b") > happened.index("answer 1")
    async with asyncio.timeout(30):
        await turns.start()


async def test_a_start_may_ask_for_another():
    turns, started = Turns(), asyncio.Event()
    turns.call(lambda: turns.call(started.set))
    await asyncio.wait_for(started.wait(), 30)
