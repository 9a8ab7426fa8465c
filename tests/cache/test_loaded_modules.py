"""A serving process holds in memory only what its configuration uses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import httpx2
from served_graph import ROOT, SECRET

PEOPLE = 'type Query { user: User } type User @key(fields: "id") { id: ID! name: String }'
SCORES = "type Query { count: Int }"

UNUSED = {
    "brotli": "no body came compressed by it",
    "click": "the command line is not part of it",
    "cryptography": "no issuer's tokens are verified",
    "difflib": "nobody misspelled anything",
    "dbos": "no workflows are carried",
    "gateway.federation.composition": "nothing is composed",
    "gateway.graph.schema": "the gateway's own graph is not served",
    "gateway.upstream.httpx_transport": "all subgraphs speak plain HTTP and none has a subscription",
    "gateway.workflows": "no workflows are carried",
    "graphql.execution.executor": "operations are executed by plans",
    "graphql.utilities.find_schema_changes": "no schemas are compared",
    "html.entities": "no text is taken from a page",
    "http.server": "nobody asked for metrics in Prometheus's older format",
    "httpx2": "nobody is called but subgraphs over plain HTTP",
    "joserfc": "no issuer's tokens are verified",
    "jsonschema": "no event broke its contract",
    "jsonschema_rs": "no event came",
    "psycopg": "no Postgres is named",
    "prometheus_client.exposition": "nobody asked for metrics in Prometheus's older format",
    "redis": "no Redis is named",
    "pydantic": "settings are read by what answers are decoded with",
    "rich": "the command line is not part of it",
    "sqlalchemy": "no workflows are carried",
    "stringprep": "the name that it listens on is in ASCII",
    "starlette": "no events came and nobody read them",
    "strawberry": "the gateway's own graph is not served",
    "typer": "the command line is not part of it",
    "uvicorn.main": "the command line is not part of it",
    "uvicorn.supervisors": "somebody else starts the workers",
    "websockets": "no WebSocket was opened",
}
"""Module → why a gateway over a plain graph has no use for it."""

_SERVE_AND_TELL = """
import sys
from gateway.cli.worker import main

status = main(sys.argv[1:])
print("loaded", *sorted(sys.modules), flush=True)
sys.exit(status)
"""


async def test_a_gateway_over_a_plain_graph_answers_without_the_libraries_of_what_it_was_not_asked_for(graph):
    graph.subgraphs["people"].say = lambda request: {"data": {"user": {"id": "1", "name": "Ada"}}}
    graph.compose({"people": PEOPLE, "scores": SCORES})
    config = graph.folder / "concord.toml"
    config.write_text(graph.configuration())
    environment = {
        **os.environ,
        "CONCORD_METRICS__KEY": SECRET,
        "CONCORD_SECRETS__INTERNAL": SECRET,
        "CONCORD_STATE__DIRECTORY": str(graph.folder / "state"),
    }
    process = subprocess.Popen(  # noqa: ASYNC220 - it is waited for below
        [sys.executable, "-c", _SERVE_AND_TELL, str(config)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("ready ").strip()
        async with httpx2.AsyncClient(timeout=30, trust_env=False) as client:
            answer = await client.post(f"{url}/graphql", json={"query": "{ user { name } }"})
            page = await client.get(f"{url}/", headers={"accept": "text/html"})
            metrics = await client.get(
                f"{url}/metrics",
                headers={
                    "accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
                    "authorization": f"Bearer {SECRET}",
                },
            )
        assert answer.json() == {"data": {"user": {"name": "Ada"}}}
        assert page.status_code == 200
        assert metrics.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert metrics.text.endswith("# EOF\n")
        process.send_signal(signal.SIGTERM)
        loaded = process.stdout.read().split()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait(30)
        process.stdout.close()
    assert loaded[:1] == ["loaded"]
    assert {"gateway.engine", "graphql"} <= set(loaded)
    assert {name: reason for name, reason in UNUSED.items() if name in loaded} == {}


_ASK_FOR_THE_REST = """
import sys
from gateway.cli.sparing import spare_memory

spare_memory()
import graphql, prometheus_client, typing_extensions, uvicorn
from graphql import GraphQLSchema, build_schema, graphql_sync
from graphql.type.schema import GraphQLSchema as the_same

assert GraphQLSchema is the_same
assert "graphql.execution.executor" not in sys.modules or "graphql.execution.execute" in sys.modules
assert graphql_sync(build_schema("type Query { a: Int }"), "{ a }").data == {"a": None}
assert callable(graphql.build_ast_schema) and callable(graphql.utilities.print_schema)
assert {name for name in graphql.__all__ if not hasattr(graphql, name)} == set()
assert callable(uvicorn.run) and uvicorn.Server.__module__ == "uvicorn.server"
assert prometheus_client.generate_latest(prometheus_client.CollectorRegistry()) == b""
assert typing_extensions.TypedDict and typing_extensions.NotRequired
import logging.config
assert callable(logging.config.dictConfig)
try:
    uvicorn.nothing
except AttributeError:
    print("as ever")
"""


def test_what_a_serving_process_left_out_is_there_for_whoever_asks_for_it_after_all():
    done = subprocess.run(
        [sys.executable, "-c", _ASK_FOR_THE_REST], check=False, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("as ever\n", "")
