"""A start or a reload plans what is known to be asked, in bounded time, whatever became of the file that remembers it."""

from __future__ import annotations

import json
import stat

import pytest

from gateway.access.trusted import print_manifest
from gateway.cache.known_documents import DocumentFile

PEOPLE = 'type Query { user: User more: User } type User @key(fields: "id") { id: ID! name: String }'
SCORES = 'type User @key(fields: "id") { id: ID! score: Int }'
QUERY = "query Score { user { name score } }"


def answering(graph):
    graph.compose({"people": PEOPLE, "scores": SCORES})
    user = {"__typename": "User", "id": "1", "name": "Ada"}
    graph.subgraphs["people"].say = lambda request: {"data": {"user": dict(user), "more": dict(user)}}
    graph.subgraphs["scores"].say = lambda request: {"data": {"_entities": [{"score": 7}]}}
    return graph


async def test_what_was_used_is_planned_at_the_next_start_and_before_a_reload_serves(graph):
    answering(graph)
    expected = {"data": {"user": {"name": "Ada", "score": 7}}}
    with graph.serve() as gateway:
        assert not gateway.lines("planned_ahead")
        assert await gateway.ask(QUERY) == expected
        assert "data" in await gateway.ask("{ more { id } }")
    file = graph.folder / "state/gateway/documents.json"
    kept = json.loads(file.read_text())
    assert [each["query"] for each in kept["documents"]] == ["{ more { id } }", QUERY]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with graph.serve() as gateway:
        (line,) = gateway.lines("planned_ahead")
        assert (line["documents"], line["refused"]) == (2, 0)
        # Without `more`, one of them no longer fits the graph: it is forgotten, the other one is planned again.
        graph.compose({"people": PEOPLE.replace("more: User", "other: User"), "scores": SCORES})
        await gateway.logged("reloaded")
        events = [json.loads(line)["event"] for line in gateway.log.read_text().splitlines()]
        assert events == ["planned_ahead", "planned_ahead", "reloaded"]
        line = gateway.lines("planned_ahead")[-1]
        assert (line["documents"], line["refused"]) == (1, 1)
        assert await gateway.ask(QUERY) == expected
    assert [each["query"] for each in json.loads(file.read_text())["documents"]] == [QUERY]


async def test_no_more_plans_are_kept_than_allowed_and_those_used_last_stay(graph):
    answering(graph)
    graph.settings = "[plans]\nkept = 5\n"
    with graph.serve() as gateway:
        assert "errors" not in await gateway.ask(QUERY)
        for number in range(40):
            assert await gateway.ask(f"query Name{number} {{ user {{ name }} }}") == {"data": {"user": {"name": "Ada"}}}
            assert await gateway.ask(QUERY) == {"data": {"user": {"name": "Ada", "score": 7}}}
    kept = json.loads((graph.folder / "state/gateway/documents.json").read_text())["documents"]
    others = [f"query Name{number} {{ user {{ name }} }}" for number in (39, 38, 37, 36)]
    assert [each["query"] for each in kept] == [QUERY, *others]
    graph.settings = "[plans]\nkept = 2\n"
    with graph.serve() as gateway:  # planning ahead doesn't push out what it planned first, which was used last
        assert gateway.lines("planned_ahead")[0]["documents"] == 2
    kept = json.loads((graph.folder / "state/gateway/documents.json").read_text())["documents"]
    assert [each["query"] for each in kept] == [QUERY, others[0]]


async def test_documents_of_a_folder_are_planned_at_every_start_with_and_without_their_name(graph):
    answering(graph)
    folder = graph.folder / "documents"
    folder.mkdir()
    (folder / "score.graphql").write_text(QUERY)
    (folder / "two.graphql").write_text("query A { user { id } } query B { more { id } }")
    (folder / "broken.graphql").write_text("query {")
    graph.settings = f'[plans]\ndocuments = "{folder}"\n'
    with graph.serve() as gateway:
        (line,) = gateway.lines("document_not_planned")
        assert line["file"].endswith("broken.graphql")
        assert gateway.lines("planned_ahead")[0]["documents"] == 4
        assert "errors" not in await gateway.ask(QUERY)


async def test_trusted_documents_are_planned_at_every_start_before_anybody_asks(graph):
    answering(graph)
    manifest = graph.folder / "trusted.json"
    other = "query Other { user { id } }"
    manifest.write_text(print_manifest([("score", QUERY), ("other", other)]))
    graph.settings = f'[documents]\nmode = "enforce"\nmanifest = "{manifest}"\n'
    for _ in range(2):
        with graph.serve() as gateway:
            (line,) = gateway.lines("planned_ahead")
            assert (line["documents"], line["refused"]) == (4, 0)  # each with and without its name
            assert "errors" not in await gateway.ask(other)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"{}",
        b"[" * 5_000,
        json.dumps({"format": 2, "documents": [{"query": QUERY, "operationName": None, "labels": []}]}).encode(),
        json.dumps({"format": 1, "documents": [{"query": QUERY, "operationName": 1, "labels": []}]}).encode(),
        b" " * 17_000_000,
    ],
    ids=lambda content: content[:12],
)
def test_a_file_that_can_not_be_used_costs_a_line_in_the_log(tmp_path, caplog, content):
    path = tmp_path / "documents.json"
    path.write_bytes(content)
    assert DocumentFile(path).read() == ()
    assert [line.message for line in caplog.records] == ["remembered_documents_ignored"]


async def test_a_poisoned_document_keeps_no_gateway_from_starting(graph):
    answering(graph)
    file = graph.folder / "state/gateway/documents.json"
    file.parent.mkdir(parents=True)
    entries = [
        {"query": query, "operationName": None, "labels": ["no such"]}
        for query in (
            "{" * 30_000,
            "{ user { " + "a: name " * 3_000 + "} }",
            "{ user { ...F } } fragment F on User { ...F }",
            QUERY,
        )
    ]
    file.write_text(json.dumps({"format": 1, "documents": entries}))
    with graph.serve() as gateway:
        (line,) = gateway.lines("planned_ahead")
        assert (line["documents"], line["refused"]) == (1, 3)
        assert "errors" not in await gateway.ask(QUERY)


async def test_readiness_waits_for_no_longer_than_allowed_and_the_rest_is_planned_afterwards(graph):
    answering(graph)
    file = graph.folder / "state/gateway/documents.json"
    file.parent.mkdir(parents=True)
    entries = [{"query": f"{{ user {{ a{n}: name }} }}", "operationName": None, "labels": []} for n in range(50)]
    file.write_text(json.dumps({"format": 1, "documents": entries}))
    graph.settings = "[plans]\nwarm_s = 0\nremembered = 20\n"
    with graph.serve() as gateway:
        assert gateway.lines("plans_left_cold")[0]["documents"] == 20
        (line,) = await gateway.logged("planned_ahead")
        assert line["documents"] == 20
        assert "errors" not in await gateway.ask(QUERY)
