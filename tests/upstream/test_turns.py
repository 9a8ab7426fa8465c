"""Requests under way go first: a new one starts when no answer waits, and none waits for ever."""

import asyncio

import pytest

from gateway.upstream.turns import Turns


async def test_new_requests_start_at_once_where_nothing_waits():
    turns = Turns()
    async with asyncio.timeout(30):
        for _ in range(3):
            await turns.start()


async def test_new_requests_wait_for_answers_and_start_in_order():
    turns, started = Turns(), []

    async def begin(name):
        await turns.start()
        started.append(name)

    turns.answer_came()
    turns.answer_came()
    tasks = {name: asyncio.create_task(begin(name)) for name in "abcd"}
    await asyncio.sleep(0)
    turns.answer_taken()
    await asyncio.sleep(0.01)
    assert started == []
    tasks["a"].cancel()
    tasks["c"].cancel()
    turns.answer_taken()  # wakes one that has just been called off: its turn is the next one's
    for name in "bd":
        await asyncio.wait_for(tasks[name], 30)
    assert started == ["b", "d"]
    with pytest.raises(asyncio.CancelledError):
        await tasks["a"]
    async with asyncio.timeout(30):
        await turns.start()
