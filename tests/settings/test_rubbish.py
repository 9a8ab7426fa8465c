"""Whatever a command is given, it says in a sentence what is wrong with it."""

from __future__ import annotations

import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

ROOT = Path(__file__).parents[2]
MARKUP = "[/b][red]"
NOT_TEXT = b"\xff\xfe\x00\x80"
SUBGRAPH = "type Query { a: Int }"
TABLES = """[supergraph]
path = "{0}/supergraph.graphql"
api_path = "{0}/api.graphql"
[state]
directory = "{0}/state"
[access]
policy = "development"
"""
ONE = '[subgraphs.a]\nurl = "http://127.0.0.1:1/"\nschema = "{0}/a.graphql"\n'
JOIN = """directive @join__graph(name: String!, url: String!) on ENUM_VALUE
type Query @join__type(graph: A) {{ a: T }}
type T @join__type(graph: A{0}) {{ id: ID }}
enum join__Graph {{ A @join__graph({1}) }}
"""
GRAPH = JOIN.format("", 'name: "a", url: ""')
SUPERGRAPHS = {
    "graph-without-name": JOIN.format("", 'url: "x"'),
    "type-without-graph": GRAPH.replace("T @join__type(graph: A)", 'T @join__type(key: "id")'),
    "key-with-spread": JOIN.format(', key: "{ ...F }"', 'name: "a", url: ""'),
    "key-of-another-kind": JOIN.format(", key: {x: 1}", 'name: "a", url: ""'),
    "graph-of-another-kind": GRAPH.replace("T @join__type(graph: A)", "T @join__type(graph: [A])"),
    "member-without-graph": GRAPH + 'union U @join__type(graph: A) @join__unionMember(member: "T") = T',
    "interface-without-graph": GRAPH.replace("T @join", 'T @join__implements(interface: "I") @join'),
    "context-of-texts": GRAPH.replace("id: ID", 'id: ID @join__field(graph: A, contextArguments: ["x"])'),
    "context-without-name": GRAPH.replace("id: ID", "id: ID @join__field(graph: A, contextArguments: [{}])"),
    "unknown-type": GRAPH.replace("id: ID", "id: Nowhere"),
    "no-supergraph": SUBGRAPH,
    "no-graphql": "{{{",
    "markup": MARKUP,
    "empty": "",
    "nested": "{ a " * 5_000,
    "nested-type": "type Query { a: " + "[" * 20_000,
}


def concord(*arguments: str, folder: Path, given: bytes = b"", **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway.cli.main", *arguments]
    environment = {**os.environ, "COLUMNS": "500", "PYTHONPATH": str(ROOT), **environment}
    run = subprocess.run(
        command, cwd=folder, input=given, capture_output=True, timeout=300, check=False, env=environment
    )
    return subprocess.CompletedProcess(command, run.returncode, run.stdout.decode(), run.stderr.decode())


def assert_told(run: subprocess.CompletedProcess[str], sentence: str = "") -> None:
    told = run.stdout + run.stderr
    assert "Traceback" not in told, told
    assert run.returncode in (1, 2), told
    assert told.strip()
    assert sentence in told


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "concord.toml").write_text((TABLES + ONE).format(tmp_path))
    (tmp_path / "a.graphql").write_text(SUBGRAPH)
    (tmp_path / "supergraph.graphql").write_text(GRAPH)
    (tmp_path / "query.graphql").write_text("{ a { id } }")
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(NOT_TEXT)
    (tmp_path / f"{MARKUP.replace('/', '')}.graphql").write_text("{ a { id } }")
    return tmp_path


COMMANDS = {
    "up": ["up"],
    "serve": ["serve"],
    "serve with workers": ["serve", "--workers", "2"],
    "compose": ["compose"],
    "compose and print": ["compose", "--print-subgraphs"],
    "check": ["check", "supergraph.graphql"],
    "plan": ["plan", "query.graphql"],
    "simulate": ["simulate"],
    "tail": ["events", "tail"],
    "dead letters": ["events", "dead-letters"],
    "replay": ["events", "replay", "--all"],
    "discard": ["events", "discard", "1", "--reason", "x"],
    "webhooks": ["events", "webhooks"],
    "enable webhook": ["events", "enable-webhook", "x"],
    "replay to": ["events", "replay-to", "x", "--since", "x", "--reason", "x"],
    "workflows": ["workflows"],
    "workflow": ["workflows", "show", "x"],
    "evidence": ["workflows", "evidence", "x"],
    "retry": ["workflows", "retry", "x"],
    "reconcile": ["reconcile"],
    "drifts": ["reconcile", "drifts"],
    "runs": ["reconcile", "runs"],
    "accept": ["reconcile", "accept", "x", "--reason", "x"],
    "mend": ["reconcile", "mend", "x"],
    "token": ["access", "token", "x"],
    "documents": ["documents", "check"],
    "publish": ["documents", "publish"],
}


CONFIGURATIONS = ("wrong.toml", "nowhere.toml", "folder", "binary", "nested.toml", "a.graphql")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_configuration_that_is_none_is_told_of(folder, command):
    (folder / "wrong.toml").write_text(f'"{MARKUP}" = 1\n[server]\nhost = "{MARKUP}"\nport = "{MARKUP}"\n')
    (folder / "nested.toml").write_text("x = " + "[" * 5_000)
    # They all read it by one function: each kind of rubbish once, and each command with one.
    for config in CONFIGURATIONS if command == "compose" else CONFIGURATIONS[:1]:
        assert_told(concord(*COMMANDS[command], "--config", config, folder=folder), config)


@pytest.mark.parametrize("name", SUPERGRAPHS)
def test_a_supergraph_that_is_none_is_told_of(folder, name):
    (folder / "supergraph.graphql").write_text(SUPERGRAPHS[name])
    (folder / "right.graphql").write_text(GRAPH)
    (folder / "folder/q.graphql").write_text("{ a { id } }")
    commands = [["plan", "query.graphql"]]
    if name == "graph-without-name":
        commands += [["check", "right.graphql", "supergraph.graphql"], ["check", "supergraph.graphql", "right.graphql"]]
        commands += [["documents", "check", "folder"], ["serve"]]
    for command in commands:
        assert_told(concord(*command, "--config", "concord.toml", folder=folder))


FILES = ("nowhere", "folder", "binary", MARKUP)


@pytest.mark.parametrize(
    "command",
    [
        ["plan", "FILE"],
        ["plan", "query.graphql", "--supergraph", "FILE"],
        ["plan", "query.graphql", "--svg", "folder"],
        ["plan", "query.graphql", "--svg", "binary/x"],
        ["check", "FILE"],
        ["check", "supergraph.graphql", "FILE"],
        ["check", "supergraph.graphql", "--old-events", "FILE"],
        ["documents", "check", "FILE"],
        ["documents", "publish", "FILE"],
        ["documents", "publish", "folder", "--to", "folder"],
        ["documents", "publish", "folder", "--to", "binary/x"],
        ["adaptor", "check", "FILE"],
    ],
)
def test_a_file_that_is_none_is_told_of(folder, command):
    for each in FILES if command[0] in ("check", "documents") and command[-1] == "FILE" else FILES[-2:]:
        if "documents" in command and each == "folder":
            (folder / "folder/q.graphql").write_bytes(NOT_TEXT)
        arguments = [each if word == "FILE" else word for word in command]
        assert_told(
            concord(*arguments, *([] if command[0] == "adaptor" else ["--config", "concord.toml"]), folder=folder)
        )


DOCUMENTS = {
    "markup": b'{ a(x: "[/b]") { id } }',
    "markup as a name": b'{ a { "[/b]" } }',
    "nothing": b"",
    "bytes": NOT_TEXT,
    "nested": b"{ a " * 5_000,
    "nested and closed": b"{ a " * 300 + b"}" * 300,
    "nested values": b"{ a(x: " + b"[" * 5_000,
    "several": b"query A { a { id } } query B { a { id } }",
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_that_is_none_is_told_of(folder, name):
    (folder / "query.graphql").write_bytes(DOCUMENTS[name])
    config = ["--config", "concord.toml"]
    assert_told(concord("plan", "-", *config, folder=folder, given=DOCUMENTS[name]))
    if name == "several":
        assert_told(concord("plan", "query.graphql", "--stages", "-o", MARKUP, *config, folder=folder), MARKUP)
    if name != "several":
        (folder / "folder/[b].graphql").write_bytes(DOCUMENTS[name])
        assert_told(concord("documents", "check", "folder", *config, folder=folder), "[b].graphql")


@pytest.mark.parametrize(
    ("table", "command"),
    [
        ('[subgraphs.a]\nurl = "http://127.0.0.1:1/"\nschema = "binary"\n', ["compose"]),
        ('[subgraphs.a]\nurl = "http://127.0.0.1:1/"\nschema = "folder"\n', ["compose"]),
        ('[subgraphs.a]\nurl = "http://127.0.0.1:1/"\nschema = "\\u0000"\n', ["compose"]),
        ('[subgraphs.a]\nurl = "http://127.0.0.1:1/"\nschema = "[/b]"\n', ["compose"]),
        (ONE + '[supergraph]\npath = "folder"\n', ["compose"]),
        (ONE + '[supergraph]\npath = "binary/x"\n', ["compose"]),
        (ONE + '[supergraph]\npath = "binary"\n', ["compose", "--check"]),
        (ONE + '[supergraph]\nownership = "binary"\n', ["compose"]),
        (ONE + '[supergraph]\nownership = "a.graphql"\n', ["compose"]),
        (ONE + '[supergraph]\nownership = "[/b]"\n', ["compose"]),
        (ONE + '[documents]\nmanifest = "binary"\n[plans]\ndocuments = "folder"\n', ["documents", "check"]),
        (ONE + '[documents]\nmanifest = "binary"\nmode = "ids"\n', ["serve"]),
        (ONE + '[documents]\nmanifest = "folder"\nmode = "ids"\n', ["serve"]),
        (ONE + '[events]\ncontracts = "binary"\n', ["check", "supergraph.graphql", "--old-events", "folder"]),
        (ONE + '[state]\ndirectory = "binary"\n', ["serve"]),
        (ONE + '[state]\ndirectory = "binary"\n', ["up"]),
        (ONE + '[console]\nquery = "binary"\n', ["serve"]),
        (ONE + '[access]\nrevoked = "folder"\nanonymous = true\n', ["serve"]),
        (ONE + '[access]\npolicies = "nowhere.at:All"\nanonymous = true\n', ["serve"]),
        (ONE + '[processes.a]\nmodule = "[/b]"\nport = 0\n', ["compose", "--print-subgraphs"]),
        (
            ONE
            + '[access.issuers.local]\nissuer = "i"\naudience = ["a"]\nalgorithms = ["ES256"]\njwks = "keys/jwks"\n',
            ["access", "token", "x"],
        ),
    ],
)
def test_what_a_configuration_names_is_told_of(folder, table, command):
    tables = "" if "[supergraph]" in table else '[supergraph]\npath = "supergraph.graphql"\n'
    (folder / "concord.toml").write_text(tables + table.format(folder))
    (folder / "keys").mkdir()
    (folder / "keys/signing-key.json").write_text('{"kty": "none"}')
    assert_told(concord(*command, "--config", "concord.toml", folder=folder))


def test_event_contracts_that_are_none_are_told_of(folder):
    for name, text in {"list": b"[]", "number": b"1", "bytes": NOT_TEXT, "broken": b"{", "empty": b"{}"}.items():
        old = folder / name
        old.mkdir()
        (old / "concord.x.v1.json").write_bytes(text)
        (folder / "concord.toml").write_text((TABLES + ONE + f'[events]\ncontracts = "{name}"\n').format(folder))
        run = concord(
            "check",
            "supergraph.graphql",
            "supergraph.graphql",
            "--old-events",
            name,
            "--config",
            "concord.toml",
            folder=folder,
        )
        assert "Traceback" not in run.stderr, (name, run.stderr)


def test_secrets_that_are_none_are_told_of(folder):
    (folder / "state").mkdir()
    for text in (b"[]", b"{", NOT_TEXT, b'"x"'):
        (folder / "state/secrets.json").write_bytes(text)
        assert_told(concord("serve", "--config", "concord.toml", folder=folder), "secrets.json")


ANSWERS = (b"", b"[]", b"1", b'{"errors": 1}', b'{"errors": [1]}', b'{"data": []}', b'{"data": {}}', NOT_TEXT)
ASKING = [each for each in COMMANDS if COMMANDS[each][0] in ("events", "workflows", "reconcile")]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        *((each, ANSWERS[0]) for each in ASKING),
        *(("tail", each) for each in ANSWERS),
        *(("drifts", each) for each in ANSWERS),
    ],
)
def test_a_gateway_that_is_none_is_told_of(folder, command, answer):
    class Rubbish(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(400)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Rubbish)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert_told(concord(*COMMANDS[command], "--url", f"http://127.0.0.1:{server.server_port}", folder=folder))
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "url", ["x", "http://", "http://[", "ftp://127.0.0.1", "http://127.0.0.1:x", "http://127.0.0.1:1", MARKUP, "\x01"]
)
def test_an_address_that_is_none_is_told_of(folder, url):
    assert_told(concord("workflows", "--url", url, folder=folder))


def test_a_token_that_is_none_is_told_of(folder):
    for token in ("ä", "a\nb", "\x7f"):
        assert_told(concord("workflows", "--url", "http://127.0.0.1:1", "--token", token, folder=folder))
