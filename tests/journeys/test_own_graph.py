"""A graph of one's own: two subgraphs that have nothing to do with the product, from any folder, with the least configuration."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx2
import pytest
from own_graph import concord, serving
from own_subgraphs import SCHEMAS

from gateway.graph.print_schema import print_schema as print_concord_schema

ROOT = Path(__file__).parents[2]
OPEN = '[access]\npolicy = "development"\n'
QUERY = "{ me { name reviews { body } } reviewCount }"
ANSWER = {"data": {"me": {"name": "User 1", "reviews": [{"body": "By 1"}]}, "reviewCount": 1}}


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def tables(urls: dict[str, str], *, schemas: bool) -> str:
    named = {name: f'schema = "{name}.graphql"\n' if schemas else "" for name in urls}
    return OPEN + "".join(f'[subgraphs.{name}]\nurl = "{url}"\n{named[name]}' for name, url in urls.items())


@contextmanager
def answering(body: bytes | None) -> Iterator[str]:
    """The address of a server that answers nothing but this with 501, or where nobody listens."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(501)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        url = f"http://127.0.0.1:{server.server_port}/graphql"
        if body is None:
            server.server_close()
            yield url
            return
        Thread(target=server.serve_forever).start()
        yield url
        server.shutdown()


def shipped() -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in (ROOT / "schema").rglob("*") if path.is_file()}


@pytest.mark.parametrize("schemas", [True, False], ids=["files", "asked"])
def test_two_subgraphs_compose_and_are_served_without_any_other_setting(own_subgraphs, tmp_path, schemas):
    before = shipped()
    written(tmp_path, tables(own_subgraphs, schemas=schemas))
    if schemas:
        for name, schema in SCHEMAS.items():
            (tmp_path / f"{name}.graphql").write_text(schema.as_str())
    composed = concord(tmp_path, "compose", "--config", "mine.toml")
    assert composed.returncode == 0, composed.stdout + composed.stderr
    assert "wrote supergraph.graphql" in composed.stdout
    assert {path.name for path in tmp_path.glob("*.graphql")} >= {"supergraph.graphql", "api.graphql"}
    with serving(tmp_path, "serve", "--config", "mine.toml") as url:
        assert httpx2.post(f"{url}/graphql", json={"query": QUERY}, trust_env=False).json() == ANSWER
        assert httpx2.get(url, headers={"accept": "text/html"}, trust_env=False).status_code == 200
    assert shipped() == before


def test_the_gateways_own_graph_joins_by_its_name_alone(own_subgraphs, tmp_path):
    """Without `schema` its SDL comes from the code. What it adds to customers, the others need not have."""
    written(tmp_path, tables(own_subgraphs, schemas=False) + '[subgraphs.concord]\nin_process = "concord"\n')
    composed = concord(tmp_path, "compose", "--config", "mine.toml")
    (tmp_path / "concord.graphql").write_text(print_concord_schema())
    text = (tmp_path / "mine.toml").read_text()
    named = written(tmp_path, f'{text}schema = "concord.graphql"\n')
    assert (
        concord(tmp_path, "compose", "--config", str(named)).stdout.splitlines()[0] == composed.stdout.splitlines()[0]
    )


def test_composing_again_says_whether_a_running_subgraph_has_changed(own_subgraphs, tmp_path):
    written(tmp_path, tables(own_subgraphs, schemas=False))
    assert concord(tmp_path, "compose", "--config", "mine.toml", "--check").returncode == 1
    assert concord(tmp_path, "compose", "--config", "mine.toml").returncode == 0
    assert concord(tmp_path, "compose", "--config", "mine.toml", "--check").returncode == 0
    assert concord(tmp_path, "check", "supergraph.graphql", "--config", "mine.toml").stdout == "No changes.\n"


def test_the_first_replica_that_answers_tells_the_schema(own_subgraphs, tmp_path):
    urls = own_subgraphs | {"accounts": f"http://127.0.0.1:1/graphql, {own_subgraphs['accounts']}"}
    written(tmp_path, tables(urls, schemas=False))
    composed = concord(tmp_path, "compose", "--config", "mine.toml")
    assert composed.returncode == 0, composed.stderr


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (None, ""),
        (b"<html>", "it answered 501 with what is no JSON"),
        (b'{"data":{"_service":null}}', "it answered 501 without an SDL"),
        (b'{"errors":[{"message":"Cannot query field [/_service]."}]}', "“Cannot query field [/_service].”"),
    ],
    ids=["down", "not GraphQL", "no SDL", "no subgraph"],
)
def test_a_subgraph_that_tells_no_schema_is_named_with_its_address_and_a_mend(own_subgraphs, tmp_path, answer, told):
    with answering(answer) as url:
        written(tmp_path, tables(own_subgraphs | {"accounts": url}, schemas=False))
        refused = concord(tmp_path, "compose", "--config", "mine.toml")
    assert f"subgraph `accounts` does not tell its schema: {url}: " in refused.stderr
    assert refused.returncode == 2
    assert told in refused.stderr
    assert "name a file with its SDL by `schema`" in refused.stderr.replace("\n", " ")
    assert "Traceback" not in refused.stderr


def test_a_port_that_somebody_has_is_refused_with_a_mend(own_subgraphs, tmp_path):
    written(tmp_path, tables(own_subgraphs, schemas=False))
    assert concord(tmp_path, "compose", "--config", "mine.toml").returncode == 0
    with serving(tmp_path, "serve", "--config", "mine.toml") as url:
        port = url.rpartition(":")[2]
        folder = str(tmp_path / "another")
        refused = concord(
            tmp_path, "serve", "--config", "mine.toml", CONCORD_SERVER__PORT=port, CONCORD_STATE__DIRECTORY=folder
        )
    taken = f"✗ Can't listen on 127.0.0.1:{port}: Address already in use; choose another by `server.port`"
    assert taken in refused.stderr
    assert refused.returncode == 2
    for host in ("nowhere.invalid", "nowhere..invalid"):
        refused = concord(tmp_path, "serve", "--config", "mine.toml", CONCORD_SERVER__HOST=host)
        assert f"✗ Can't listen on {host}:4000: " in refused.stderr
        assert refused.returncode == 2


def has_ipv6() -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
def test_the_address_of_a_host_of_ipv6_can_be_opened(own_subgraphs, tmp_path):
    written(tmp_path, tables(own_subgraphs, schemas=False))
    assert concord(tmp_path, "compose", "--config", "mine.toml").returncode == 0
    with serving(tmp_path, "serve", "--config", "mine.toml", CONCORD_SERVER__HOST="::1") as url:
        assert httpx2.post(f"{url}/graphql", json={"query": QUERY}, trust_env=False).json() == ANSWER


def test_ctrl_c_stops_a_gateway_without_a_word(own_subgraphs, tmp_path):
    written(tmp_path, tables(own_subgraphs, schemas=False))
    assert concord(tmp_path, "compose", "--config", "mine.toml").returncode == 0
    with serving(tmp_path, "serve", "--config", "mine.toml", stopped_by=signal.SIGINT) as url:
        assert httpx2.get(f"{url}/health", trust_env=False).status_code == 200
    assert [json.loads(line)["event"] for line in (tmp_path / "serve.log").read_text().splitlines()] == [
        "access_development"
    ]


@pytest.mark.parametrize("command", ["compose", "serve"])
def test_an_ownership_table_that_is_not_there_is_refused_by_its_path(own_subgraphs, tmp_path, command):
    text = tables(own_subgraphs, schemas=False)
    written(tmp_path, text)
    assert concord(tmp_path, "compose", "--config", "mine.toml").returncode == 0
    written(tmp_path, text + '[supergraph]\nownership = "nope.toml"\n')
    refused = concord(tmp_path, command, "--config", "mine.toml")
    assert refused.returncode == 2
    assert "there is no file nope.toml" in refused.stderr


def test_a_place_that_cannot_be_written_is_refused_by_its_path(own_subgraphs, tmp_path):
    (tmp_path / "taken").write_text("")
    for path in ("taken/supergraph.graphql", "."):
        written(tmp_path, tables(own_subgraphs, schemas=False) + f'[supergraph]\npath = "{path}"\n')
        refused = concord(tmp_path, "compose", "--config", "mine.toml")
        assert (refused.returncode, "Traceback" in refused.stderr) == (2, False), refused.stderr
        assert path in refused.stderr
