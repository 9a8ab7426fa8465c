"""A canary in every secret that the configuration can hold: it is in no answer, log line, metric, page, file or refusal."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from gateway.federation.composition import SubgraphSource, compose
from gateway.settings import SettingsRefused, load_settings
from gateway.table import Table

ROOT = Path(__file__).parents[2]
CANARY = "canary-5b1e"
WEBHOOK = base64.b64encode(f"{CANARY}-of-a-webhook-long-enough".encode()).decode()
SDL = "type Query { answer: String }"
SECRETS = {
    "secrets.internal": f"{CANARY}-internal-secret",
    "metrics.key": f"{CANARY}-metrics-key",
    "limits.redis_url": f"redis://:{CANARY}-redis@127.0.0.1:1/0",
    "webhooks.hook.secret": f"whsec_{WEBHOOK}",
    "events.feed_keys.reader": f"{CANARY}-feed-key",
    "subgraphs.silent.headers.x-api-key": f"{CANARY}-of-a-system",
    "workflows.pricing.cpq_token": f"{CANARY}-of-prices",
    "writes.redis_url": f"redis://:{CANARY}-redis@127.0.0.1:1/0",
    "writes.postgres_url": f"postgresql://u:{CANARY}-postgres@127.0.0.1:1/x",
    "events.redis_url": f"redis://:{CANARY}-redis@127.0.0.1:1/0",
    "entities.redis_url": f"redis://:{CANARY}-redis@127.0.0.1:1/0",
}
FATAL = {"writes.redis_url", "writes.postgres_url", "events.redis_url"}
"""Without these stores a gateway does not start."""


def is_inside(text: str) -> bool:
    """Whether no canary, plain or in base64, is in a text."""
    return CANARY not in text and WEBHOOK not in text and base64.b64encode(CANARY.encode()).decode()[:12] not in text


def written(folder: Path, secrets: dict[str, str]) -> Path:
    sdl = compose([SubgraphSource(name="silent", url="http://127.0.0.1:1/graphql", sdl=SDL)]).supergraph_sdl
    assert sdl is not None
    (folder / "supergraph.graphql").write_text(sdl)
    tables: dict[str, list[str]] = {
        "access": ['policy = "development"'],
        "server": ["port = 0"],
        "state": [f'directory = "{folder}/state"'],
        "supergraph": [f'path = "{folder}/supergraph.graphql"'],
        "subgraphs.silent": ['url = "http://127.0.0.1:1/graphql"', f'schema = "{folder}/none"'],
        "webhooks.hook": ['url = "http://127.0.0.1:9/in"'] if "webhooks.hook.secret" in secrets else [],
        "events": ['egress_hosts = ["127.0.0.1:9"]'] if "webhooks.hook.secret" in secrets else [],
        "limits": ["requests_per_s = 100000", "burst = 1000"],
    }
    for name, secret in secrets.items():
        table, _, key = name.rpartition(".")
        tables.setdefault(table, []).append(f'{key} = "{secret}"')
    path = folder / "concord.toml"
    path.write_text("".join(f"[{table}]\n" + "\n".join(lines) + "\n" for table, lines in tables.items() if lines))
    return path


def started(path: Path, folder: Path) -> tuple[subprocess.Popen[str], str, Path]:
    log = folder / "log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli.main", "serve", "--config", str(path)],
            stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT, env={**os.environ, "NO_COLOR": "1"},
        )  # fmt: skip
    assert process.stdout is not None
    return process, process.stdout.readline(), log


async def test_a_running_gateway_keeps_its_secrets(tmp_path):
    secrets = {
        name: secret for name, secret in SECRETS.items() if name not in FATAL and name != "workflows.pricing.cpq_token"
    }
    process, line, log = started(written(tmp_path, secrets), tmp_path)
    assert line.startswith("ready "), log.read_text()
    url = line.removeprefix("ready ").strip()
    told = []
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:
            for query in ("{ answer }", "{ nothing }", "{", "{ __schema { types { name } } }"):
                asked = {"query": query, "extensions": {"concord": {"provenance": True, "plan": True, "cost": True}}}
                told.append(await http.post(f"{url}/graphql", json=asked))
            for path in (
                "/",
                "/health",
                "/ready",
                "/metrics",
                "/events/feed",
                "/nowhere",
                "/graphql",
                "/console/page.js",
            ):
                told.append(await http.get(f"{url}{path}", headers={"accept": "text/html, */*"}))
            for key in ("wrong", SECRETS["metrics.key"], SECRETS["events.feed_keys.reader"]):
                for path in ("/metrics", "/events/feed?follow=false"):
                    told.append(await http.get(f"{url}{path}", headers={"authorization": f"Bearer {key}"}))
            told.append(
                await http.post(
                    f"{url}/events", content=b"[]", headers={"content-type": "application/cloudevents-batch+json"}
                )
            )
            assert told[-5].status_code == 200  # the metrics, with their key
    finally:
        process.terminate()
        rest = process.stdout.read() if process.stdout else ""
        process.wait(60)
        process.stdout.close()
    for response in told:
        assert is_inside(response.text), response.text[:500]
        assert is_inside(str(response.headers))
    assert is_inside(log.read_text())
    assert "rates_not_shared" in log.read_text()  # what uses a secret has failed, and was logged
    assert "answered_with_errors" in log.read_text()
    assert is_inside(line + rest)
    for path in (tmp_path / "state").rglob("*"):
        assert path.is_dir() or is_inside(path.read_bytes().decode("latin-1")), path


@pytest.mark.parametrize("name", sorted(FATAL))
def test_a_gateway_that_cannot_start_keeps_its_secrets(tmp_path, name):
    process, line, log = started(written(tmp_path, {name: SECRETS[name]}), tmp_path)
    assert process.wait(60) != 0
    assert process.stdout is not None
    assert is_inside(line + process.stdout.read() + log.read_text()), log.read_text()[-2_000:]
    process.stdout.close()


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_settings_hide_their_secrets_and_a_refusal_quotes_none(tmp_path, name):
    settings = load_settings(written(tmp_path, {name: SECRETS[name]}), {})
    assert is_inside(repr(settings))
    wrong = CANARY[:11] + "\\u0007" if name.endswith("_url") or "webhooks" in name else CANARY[:11]
    for value in (f'"{wrong}"', f'["{CANARY}"]', f'{{ a = "{CANARY}" }}', "7"):
        text = written(tmp_path, {name: "SECRET"}).read_text().replace('"SECRET"', value)
        (tmp_path / "wrong.toml").write_text(text)
        try:
            shown = repr(load_settings(tmp_path / "wrong.toml", {}))
        except SettingsRefused as refused:
            shown = str(refused)
        assert is_inside(shown), shown


def test_every_setting_that_sounds_like_a_secret_is_hidden():
    """And so in the sweep above: a new one fails here until it is."""
    secret = re.compile(r"secret|token$|password|(^|_)key$|feed_keys|redis_url|postgres_url")
    found = set()
    pending: list[type[Table]] = [Table]
    while pending:
        for each in pending.pop().__subclasses__():
            pending.append(each)
            for name in each.__struct_fields__:
                if secret.search(name) and name not in {"tls_key", "secrets"}:  # a file, a table
                    found.add(name)
                    assert name in each.hidden, (each, name)
    assert found <= {name.rpartition(".")[2] for name in SECRETS} | {"feed_keys"}
