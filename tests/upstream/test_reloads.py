"""A reload is whole or not at all, and leaves nothing behind: `concord serve` over a supergraph that changes."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from served_graph import ROOT, Graph

PEOPLE = "type Query { name: String }"
OTHERS = {"people": PEOPLE, "erp": "type Query { order: String }"}
BAD = {
    "http://erp:${PORT}/graphql": "Port could not be cast to integer value as '${PORT}'",
    "http:///graphql": "`url` must name a host, in ASCII and without spaces, not 'http:///graphql'",
    "http://e rp/graphql": "`url` must name a host, in ASCII and without spaces, not 'http://e rp/graphql'",
    "ftp://erp/graphql": "`url` must start with http:// or https://, not 'ftp://erp/graphql'",
}


@pytest.fixture
def people(graph: Graph) -> Graph:
    """A graph of which `people` alone is configured."""
    graph.subgraphs = {"people": graph.subgraphs["people"]}
    graph.subgraphs["people"].say = lambda request: {"data": {"name": "Ada", "nick": "A"}}
    graph.compose({"people": PEOPLE})
    return graph


@pytest.mark.parametrize("url", BAD)
async def test_a_supergraph_with_an_address_that_is_none_is_refused_and_the_next_one_is_served(
    people: Graph, url: str
) -> None:
    with people.serve() as gateway:
        people.compose(OTHERS, erp=url)
        (line,) = await gateway.logged("reload_refused")
        (problem,) = line["problems"]
        assert problem.startswith("The supergraph's address of `erp`: ")
        assert BAD[url] in problem
        assert problem.endswith("; mend it in the supergraph, or say another in `[subgraphs.erp]`.")
        assert await gateway.ask("{ name }") == {"data": {"name": "Ada"}}
        people.compose({"people": PEOPLE.replace("name", "nick")})
        await gateway.logged("reloaded")
        assert await gateway.ask("{ nick }") == {"data": {"nick": "A"}}


def refused(people: Graph) -> str:
    """What a gateway says that does not start."""
    config = people.folder / "concord.toml"
    config.write_text(people.configuration())
    command = [sys.executable, "-m", "gateway.cli.main", "serve", "--config", str(config)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
    return run.stderr


def test_a_gateway_does_not_start_over_an_address_that_is_none(people: Graph) -> None:
    people.compose(OTHERS, erp=next(iter(BAD)))
    assert "✗ The supergraph's address of `erp`: " in refused(people)


def test_a_gateway_does_not_start_without_the_certificates_that_it_is_to_use(people: Graph) -> None:
    people.settings = 'tls_authority = "nowhere.pem"\n'  # in the last table, the subgraph's
    assert "✗ `subgraphs.people`: " in (told := refused(people))
    assert "nowhere.pem holds no certificates: No such file or directory." in " ".join(told.split())


async def test_the_client_of_a_subgraph_that_moved_is_closed_once_nobody_is_at_it(graph: Graph) -> None:
    people, moved = graph.subgraphs["people"], graph.subgraphs["scores"]
    for each in (people, moved):
        each.say = lambda request: {"data": {"name": "Ada"}}
    schema = {"erp": PEOPLE}
    graph.subgraphs = {}
    graph.compose(schema, erp=people.url)
    graph.settings = "[request]\ndeadline_s = 3\n"
    with graph.serve() as gateway:
        assert await gateway.ask("{ name }") == {"data": {"name": "Ada"}}
        assert people.open == 1
        graph.compose(schema, erp=moved.url)
        await gateway.logged("reloaded")
        assert await gateway.ask("{ name }") == {"data": {"name": "Ada"}}
        assert moved.open == 1
        async with asyncio.timeout(60):
            while True:
                if not people.open:
                    break
                await asyncio.sleep(0.05)
