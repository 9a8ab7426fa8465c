"""Entities are kept where the table says so: for whom, for how long, and what ends it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from cached_engine import Cached, cached_engine
from scripted_subgraph import reply, resets

from gateway.engine import Caller
from gateway.federation.ownership import CachePolicy

LONG = CachePolicy(ttl_s=600, null_ttl_s=600, is_private=False)
ADA = Caller(subject="ada", token="1")
BOB = Caller(subject="bob", token="2")


@pytest.fixture
def subgraphs(graph):
    return graph.subgraphs


async def expired(cached: Cached, *users: str) -> None:
    """Wait until what is kept of some users is no longer fresh."""
    async with asyncio.timeout(20):
        while True:
            cached.scores.forget()
            await cached.scores_of(*users)
            if cached.scores.asked:
                return
            await asyncio.sleep(0.02)


async def test_only_what_is_missing_is_asked_for(subgraphs):
    async with cached_engine({"User": LONG}, subgraphs) as cached:
        assert await cached.scores_of("1", "2") == [10, 20]
        assert await cached.scores_of("3", "1", "4", "2") == [30, 10, 40, 20]
        assert await cached.scores_of("4", "3", "2", "1") == [40, 30, 20, 10]
        assert cached.scores.asked == [["1", "2"], ["3", "4"]]


async def test_what_is_all_kept_is_answered_with_at_once_and_without_a_task(subgraphs):
    made: list[str] = []

    def make(loop, coroutine, **more):
        made.append(coroutine.__qualname__)
        return asyncio.Task(coroutine, loop=loop, **more)

    async with cached_engine({"User": LONG}, subgraphs) as cached:
        asyncio.get_running_loop().set_task_factory(make)
        try:
            for users, has_task in ((("1", "2"), True), (("2", "1"), False), (("1",), False), (("1", "3"), True)):
                made.clear()
                assert await cached.scores_of(*users) == [int(user) * 10 for user in users]
                assert ("_land" in made) is has_task
        finally:
            asyncio.get_running_loop().set_task_factory(None)
        assert cached.scores.asked == [["1", "2"], ["3"]]


async def test_a_client_without_a_short_way_is_kept_for_and_answers_too(subgraphs):
    async with cached_engine({"User": LONG}, subgraphs, is_direct=False) as cached, asyncio.timeout(60):
        for _ in range(2):
            assert await cached.scores_of("1", "2") == [10, 20]
        assert cached.scores.asked == [["1", "2"]]


async def test_a_type_without_a_policy_is_always_read(subgraphs):
    async with cached_engine({"Team": LONG}, subgraphs) as cached:
        for _ in range(2):
            assert await cached.scores_of("1") == [10]
        assert cached.scores.asked == [["1"], ["1"]]


async def test_selection_and_arguments_are_part_of_what_is_kept(subgraphs):
    async with cached_engine({"User": LONG}, subgraphs) as cached:
        for query in (
            "query($n: Int) { users(ids: [1]) { score(season: $n) } }",
            "query($n: Int) { users(ids: [1]) { score(season: $n) level } }",
            "query($n: Int) { users(ids: [1]) { s: score(season: $n) } }",
        ):
            for season in (1, 2, 1, 2):
                cached.people.say = lambda _: {"data": {"users": [{"__typename": "User", "id": "1"}]}}
                cached.scores.subgraph.say = lambda body: {
                    "data": {"_entities": [{"score": body["variables"]["n"], "s": body["variables"]["n"], "level": 1}]}
                }
                answer = await cached.respond(query, {"n": season})
                assert season in answer["data"]["users"][0].values()
        assert len(cached.scores.subgraph.requests) == 6


async def test_what_one_caller_was_told_is_kept_from_another_where_the_type_is_private(subgraphs):
    async with cached_engine({"User": replace(LONG, is_private=True)}, subgraphs) as cached:
        assert await cached.scores_of("1", caller=ADA) == [10]
        cached.scores.scores["1"] = 11
        assert await cached.scores_of("1", caller=BOB) == [11]
        assert await cached.scores_of("1") == [11]
        assert await cached.scores_of("1", caller=replace(ADA, roles=frozenset({"admin"}))) == [11]
        assert await cached.scores_of("1", caller=ADA) == [10]
        assert cached.scores.asked == [["1"]] * 4


async def test_what_is_public_is_shared_by_those_who_are_confined_alike_alone(subgraphs):
    confined = {"region": ("EU",)}
    async with cached_engine({"User": LONG}, subgraphs) as cached:
        assert await cached.scores_of("1", caller=replace(ADA, filters=confined)) == [10]
        cached.scores.scores["1"] = 11
        assert await cached.scores_of("1", caller=replace(BOB, filters=confined)) == [10]
        assert await cached.scores_of("1", caller=BOB) == [11]
        assert await cached.scores_of("1", caller=replace(BOB, filters={"region": ("EU", "US")})) == [11]
        assert await cached.scores_of("1", caller=replace(BOB, tenant="other")) == [11]
        assert cached.scores.asked == [["1"]] * 4


@pytest.mark.parametrize(("is_private", "reads"), [(True, 4), (False, 2)])
async def test_headers_that_reach_the_subgraph_divide_what_is_kept_but_credentials_do_not_where_it_is_public(
    subgraphs, is_private, reads
):
    policies = {"User": replace(LONG, is_private=is_private)}
    async with cached_engine(policies, subgraphs, forwarded=("authorization", "accept-language")) as cached:
        for _ in range(2):
            for token in ("a", "b"):
                for language in ("de", "fr"):
                    await cached.scores_of("1", authorization=token, accept_language=language)
        assert len(cached.scores.asked) == reads


async def test_what_is_asked_by_many_at_once_is_read_once(subgraphs):
    async with cached_engine({"User": LONG}, subgraphs) as cached:
        gate = asyncio.Event()
        scores = cached.scores.subgraph

        async def late(writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
            await gate.wait()
            writer.write(reply(json.dumps(cached.scores.say(body)).encode()))
            await writer.drain()

        scores.behave = late
        asking = [asyncio.create_task(cached.scores_of("1", "2", str(3 + number % 2))) for number in range(20)]
        await scores.got(2)
        gate.set()
        answers = await asyncio.gather(*asking)
        assert answers == [[10, 20, 30 + 10 * (number % 2)] for number in range(20)]
        assert sorted(cached.scores.asked) == [["1", "2", "3"], ["4"]]
        assert not cached.cache.flights


async def test_a_reader_who_leaves_halfway_costs_those_who_wait_nothing_but_time(subgraphs):
    async with cached_engine({"User": LONG}, subgraphs) as cached:
        scores = cached.scores.subgraph
        gate = asyncio.Event()

        async def late(writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
            await gate.wait()
            writer.write(reply(json.dumps(cached.scores.say(body)).encode()))
            await writer.drain()

        scores.behave = late
        first = asyncio.create_task(cached.scores_of("1"))
        await scores.got(1)
        others = [asyncio.create_task(cached.scores_of("1", user)) for user in "34567"]
        await scores.got(6)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        gate.set()
        assert await asyncio.gather(*others) == [[10, 10 * int(user)] for user in "34567"]
        assert sorted(cached.scores.asked) == [["1"], ["1"], ["3"], ["4"], ["5"], ["6"], ["7"]]


async def test_errors_are_never_kept_and_what_came_beside_them_is_told(subgraphs):
    async with cached_engine({"User": LONG}, subgraphs) as cached:
        query = "{ users(ids: [1, 2]) { score level } }"
        cached.people.say = lambda _: {
            "data": {"users": [{"__typename": "User", "id": "1"}, {"__typename": "User", "id": "2"}]}
        }
        cached.scores.failing["2"] = "SYSTEM_ERROR"
        for _ in range(2):
            answer = await cached.respond(query)
            assert answer["data"] == {"users": [{"score": 10, "level": 1}, {"score": None, "level": 1}]}
            assert [(each["path"], each["extensions"]["code"]) for each in answer["errors"]] == [
                (["users", 1, "score"], "SYSTEM_ERROR")
            ]
        cached.scores.failing.clear()
        answer = await cached.respond(query)
        assert answer == {"data": {"users": [{"score": 10, "level": 1}, {"score": 20, "level": 1}]}}
        assert cached.scores.asked == [["1", "2"], ["2"], ["2"]]


@pytest.mark.parametrize(
    "rubbish",
    [
        None,
        {},
        {"data": None},
        {"data": {}},
        {"data": {"_entities": None}},
        {"data": {"_entities": []}},
        {"data": {"_entities": {"score": 1}}},
        {"data": {"_entities": [{"score": 30}]}, "errors": [{"message": "no place"}]},
        {"data": {"_entities": [7]}},
        {"errors": "no list"},
        {"errors": [{"message": "no", "path": ["_entities", 9, "score"]}]},
    ],
)
async def test_rubbish_is_not_kept_and_costs_only_what_it_was_asked_for(subgraphs, rubbish):
    async with cached_engine({"User": LONG}, subgraphs) as cached:
        await cached.scores_of("1")
        cached.scores.subgraph.say = lambda _: rubbish
        query = "query($ids: [ID!]) { users(ids: $ids) { score } }"
        answer = await cached.respond(query, {"ids": ["1", "3"]})
        assert answer["data"]["users"][0] == {"score": 10}
        assert {each["extensions"]["code"] for each in answer["errors"]} <= {"SYSTEM_BAD_RESPONSE", "SYSTEM_ERROR"}
        cached.scores.subgraph.say = cached.scores.say
        assert await cached.scores_of("1", "3") == [10, 30]


async def test_an_entity_that_is_not_there_is_remembered_for_a_shorter_time(subgraphs):
    async with cached_engine({"User": replace(LONG, null_ttl_s=0.2)}, subgraphs) as cached:
        assert await cached.scores_of("1", "99") == [10, None]
        cached.scores.scores["99"] = 990
        async with asyncio.timeout(20):
            while True:
                if await cached.scores_of("1", "99") == [10, 990]:
                    break
                await asyncio.sleep(0.02)
        assert cached.scores.asked == [["1", "99"], ["99"]]


async def test_what_is_kept_is_read_again_when_its_time_is_over(subgraphs):
    async with cached_engine({"User": replace(LONG, ttl_s=0.1)}, subgraphs) as cached:
        await cached.scores_of("1")
        cached.scores.scores["1"] = 11
        await expired(cached, "1")
        assert await cached.scores_of("1", cache_control="no-cache") == [11]


async def test_a_client_may_ask_past_what_is_kept(subgraphs):
    async with cached_engine({"User": LONG}, subgraphs) as cached:
        assert await cached.scores_of("1") == [10]
        cached.scores.scores["1"] = 11
        assert await cached.scores_of("1", cache_control="no-store") == [11]
        assert await cached.scores_of("1") == [10]
        assert await cached.scores_of("1", cache_control="max-age=0, No-Cache") == [11]
        assert await cached.scores_of("1") == [11]


async def test_the_last_known_entity_stands_in_for_an_owner_that_is_down_and_is_told_to_be_stale(subgraphs):
    async with cached_engine({"User": replace(LONG, ttl_s=0.1, stale_s=600)}, subgraphs) as cached:
        query = "query($ids: [ID!]) { users(ids: $ids) { id score } }"
        await cached.scores_of("1", "2")
        await expired(cached, "1", "2")
        cached.scores.subgraph.behave = resets
        async with asyncio.timeout(20):
            while True:
                answer = await cached.respond(query, {"ids": ["1", "2", "3"]}, x_concord_provenance="1")
                if "stale" in answer["extensions"]["concord"]:
                    break
                await asyncio.sleep(0.02)
        assert answer["data"]["users"] == [
            {"id": "1", "score": 10},
            {"id": "2", "score": 20},
            {"id": "3", "score": None},
        ]
        assert [(each["path"], each["extensions"]["code"]) for each in answer["errors"]] == [
            (["users", 2, "score"], "SYSTEM_UNAVAILABLE")
        ]
        (place,) = answer["extensions"]["concord"]["stale"]
        assert (place["path"], place["system"]) == (["users", "score"], "scores")
        assert {tuple(each["path"]): each["state"] for each in answer["extensions"]["concord"]["provenance"]} == {
            ("users",): "live",
            ("users", "score"): "stale",
        }
        # Whoever wants the truth or nothing gets nothing.
        answer = await cached.respond(query, {"ids": ["1"]}, cache_control="no-cache")
        assert (answer["data"]["users"], len(answer["errors"])) == ([{"id": "1", "score": None}], 1)
        # The vendor behind a subgraph that answers may be down as well.
        cached.scores.subgraph.behave = None
        cached.scores.failing["1"] = "SYSTEM_TIMEOUT"
        answer = await cached.respond(query, {"ids": ["1", "2"]})
        assert answer["data"]["users"] == [{"id": "1", "score": 10}, {"id": "2", "score": 20}]
        assert "errors" not in answer
        assert len(answer["extensions"]["concord"]["stale"]) == 1
        # A refusal is no outage.
        cached.scores.failing["1"] = "FORBIDDEN"
        answer = await cached.respond(query, {"ids": ["1"]}, cache_control="no-cache")
        assert answer["data"]["users"] == [{"id": "1", "score": None}]
        cached.scores.failing.clear()
        answer = await cached.respond(query, {"ids": ["1", "2", "3"]}, cache_control="no-cache")
        assert [user["score"] for user in answer["data"]["users"]] == [10, 20, 30]
        assert "extensions" not in answer


async def test_an_error_whose_code_is_no_text_is_no_outage(subgraphs):
    async with cached_engine({"User": replace(LONG, ttl_s=0.1, stale_s=600)}, subgraphs) as cached:
        await cached.scores_of("1")
        await expired(cached, "1")
        cached.scores.failing["1"] = ["SYSTEM_TIMEOUT"]
        query = "query($ids: [ID!]) { users(ids: $ids) { score } }"
        async with asyncio.timeout(20):
            while True:
                answer = await cached.respond(query, {"ids": ["1"]})
                if "errors" in answer:
                    break
                await asyncio.sleep(0.02)
        assert [each["extensions"]["code"] for each in answer["errors"]] == ["SYSTEM_ERROR"]
        assert answer["data"] == {"users": [{"score": None}]}


async def test_what_is_nested_too_deep_to_be_written_is_not_kept_and_costs_its_own_field_only(subgraphs):
    async with cached_engine({"User": LONG}, subgraphs) as cached:
        deep: Any = 1
        for _ in range(300):
            deep = [deep]
        cached.scores.scores["1"] = deep
        query = "query($ids: [ID!]) { users(ids: $ids) { score level } }"
        answers = await asyncio.gather(*(cached.respond(query, {"ids": ids}) for ids in (["1", "2"], ["2", "1"])))
        for answer in answers:
            assert [each["extensions"]["code"] for each in answer["errors"]] == ["SYSTEM_BAD_RESPONSE"]
            assert {user["score"] for user in answer["data"]["users"]} == {None, 20}
            assert {user["level"] for user in answer["data"]["users"]} == {1}
        cached.scores.forget()
        assert "errors" in await cached.respond(query, {"ids": ["1", "2"]})
        assert cached.scores.asked == [["1"]]


async def test_a_writer_sees_his_write_at_once_whatever_it_changed(subgraphs):
    async with cached_engine({"User": LONG}, subgraphs) as cached:
        assert await cached.scores_of("1", "2", caller=ADA) == [10, 20]
        mutation = "mutation($id: ID!, $score: Int) { setScore(id: $id, score: $score) { user { id score level } } }"
        answer = await cached.respond(mutation, {"id": "1", "score": 77}, caller=ADA)
        assert "errors" not in answer
        assert await cached.scores_of("1", "2", caller=ADA) == [77, 20]
        # What the answer names is gone for everybody; what it does not name, for the writer alone.
        assert await cached.scores_of("1", "2", caller=BOB) == [77, 20]
        await cached.respond("mutation { touch }", caller=ADA)
        assert await cached.scores_of("1", "2", caller=BOB) == [77, 20]
        assert await cached.scores_of("1", "2", caller=ADA) == [78, 21]
        assert await cached.scores_of("1", "2", caller=BOB) == [78, 21]


async def test_a_read_under_way_when_the_caller_writes_is_not_taken_for_what_is_there_afterwards(subgraphs):
    async with cached_engine({"User": LONG}, subgraphs) as cached:
        scores = cached.scores.subgraph
        gate = asyncio.Event()

        async def old(writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
            value = cached.scores.say(body)
            if "_entities" in body["query"]:
                await gate.wait()
            writer.write(reply(json.dumps(value).encode()))
            await writer.drain()

        scores.behave = old
        reading = asyncio.create_task(cached.scores_of("1"))
        await scores.got(1)
        scores.behave = None
        await cached.respond("mutation { touch }")
        assert await cached.scores_of("1") == [11]
        gate.set()
        assert await reading == [10]
        assert await cached.scores_of("1") == [11]


async def test_entities_further_inside_end_what_holds_them(subgraphs):
    async with cached_engine({"User": LONG, "Team": LONG}, subgraphs) as cached:
        query = "{ users(ids: [1]) { best { code points } } teams { code points } }"
        cached.people.say = lambda _: {
            "data": {
                "users": [{"__typename": "User", "id": "1"}],
                "teams": [{"__typename": "Team", "code": "red"}],
            }
        }
        answers = [await cached.respond(query) for _ in range(2)]
        assert answers[0] == answers[1]
        before = len(cached.scores.asked)
        await cached.cache.drop(["key Team code red", "in scores Team"])
        assert await cached.respond(query) == answers[0]
        after = [key for keys in cached.scores.asked[before:] for key in keys]
        assert sorted(after) == ["1", "red"]


async def test_an_answer_made_of_kept_entities_is_good_as_long_as_each_of_them_and_for_whom_they_are(subgraphs):
    async with cached_engine({"User": LONG}, subgraphs) as cached:
        for caller in (ADA, ADA, BOB, BOB):  # the second time it is kept whole, and good for the other one too
            assert await cached.scores_of("1", "2", caller=caller) == [10, 20]
        assert cached.scores.asked == [["1", "2"]]
        # A write that names nobody it changed ends it for the writer at once; what he reads then takes its place.
        await cached.respond("mutation { touch }", caller=BOB)
        assert await cached.scores_of("1", "2", caller=BOB) == [11, 21]
        for caller in (BOB, ADA, ADA, BOB):
            assert await cached.scores_of("1", "2", caller=caller) == [11, 21]
        assert cached.scores.asked == [["1", "2"], ["1", "2"]]
        # What an event says of one of its entities ends it for everybody; what it says of others does not.
        cached.scores.scores["2"] = 22
        await cached.cache.drop(["key User id 7"])
        assert await cached.scores_of("1", "2", caller=ADA) == [11, 21]
        await cached.cache.drop(["key User id 2"])
        for caller in (ADA, BOB, ADA, BOB):
            assert await cached.scores_of("1", "2", caller=caller) == [11, 22]
        assert cached.scores.asked == [["1", "2"], ["1", "2"], ["2"]]


async def test_an_answer_made_of_what_is_private_is_for_one_caller_alone(subgraphs):
    async with cached_engine({"User": replace(LONG, is_private=True)}, subgraphs) as cached:
        for _ in range(3):
            assert await cached.scores_of("1", caller=ADA) == [10]
        cached.scores.scores["1"] = 11
        for _ in range(3):
            assert await cached.scores_of("1", caller=BOB) == [11]
            assert await cached.scores_of("1", caller=ADA) == [10]
        assert cached.scores.asked == [["1"], ["1"]]


async def test_an_answer_made_of_kept_entities_ends_with_the_first_of_them(subgraphs):
    async with cached_engine({"User": replace(LONG, ttl_s=0.6)}, subgraphs) as cached:
        assert await cached.scores_of("1") == [10]
        cached.scores.scores["1"] = 11
        async with asyncio.timeout(60):
            while await cached.scores_of("1") == [10]:  # noqa: ASYNC110 - time has to pass
                await asyncio.sleep(0.02)
        assert len(cached.scores.asked) == 2


async def test_what_is_kept_is_bounded_in_bytes(subgraphs):
    async with cached_engine({"User": LONG}, subgraphs, max_bytes=20_000) as cached:
        for start in range(0, 400, 20):
            users = [str(number) for number in range(start, start + 20)]
            cached.scores.scores |= {user: int(user) for user in users}
            assert await cached.scores_of(*users) == [int(user) for user in users]
        assert 10_000 < cached.cache.local.bytes_kept + cached.cache.wholes.bytes_kept <= 20_000
        cached.scores.forget()
        await cached.scores_of("399", "0")
        assert cached.scores.asked == [["0"]]
