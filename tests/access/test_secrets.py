"""Secrets stay inside, and subgraphs are who their certificates say."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import ssl
from contextlib import asynccontextmanager

import httpx2
import pytest
from guarded import codes
from key_server import AUDIENCE, ISSUER
from written_certificate import written

from gateway.access.caller import ANONYMOUS
from gateway.access.settings import AccessSettings, IssuerSettings, KeySettings
from gateway.app import create_gateway
from gateway.execution.ports import RequestContext, SubgraphFailure, SubgraphRequest
from gateway.federation.composition import SubgraphSource, compose
from gateway.federation.plan import OperationKind
from gateway.settings import Settings, SettingsRefused, load_settings
from gateway.settings_tables import StateSettings, SupergraphSettings
from gateway.telemetry.log import JsonLines
from gateway.transport.server import server
from gateway.upstream.remote import remote_subgraph
from gateway.upstream.settings import SubgraphSettings
from gateway.upstream.tls import TlsFiles, TlsFilesRefused

CANARY = "canary-7f3a"
SDL = "type Query { answer: String other: String }"


@asynccontextmanager
async def raw_server(reply, **tls):
    """A subgraph at the edge of the world that sends these bytes to whatever it is asked."""

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        await writer.drain()
        writer.close()

    running = await asyncio.start_server(serve, "127.0.0.1", 0, **tls)
    async with running:
        yield running.sockets[0].getsockname()[1]


def said(body: bytes, status: bytes = b"200 OK", kind: bytes = b"application/json") -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b" % (status, kind, len(body), body)


REPLIES = {
    "an error that quotes its credentials": said(
        json.dumps(
            {"errors": [{"message": f"bad key {CANARY}-upstream", "extensions": {"trace": f"{CANARY}-upstream"}}]}
        ).encode()
    ),
    "a page that quotes them": said(f"<b>{CANARY}-upstream</b>".encode(), b"500 Oops", b"text/html"),
    "a refusal": said(f"{CANARY}-upstream".encode(), b"401 No", b"text/plain"),
    "rubbish": f"{CANARY}-upstream\r\n\r\n".encode(),
    "a redirect": b"HTTP/1.1 302 Go\r\nlocation: http://%b-upstream/\r\ncontent-length: 0\r\n\r\n" % CANARY.encode(),
}


@pytest.mark.parametrize("name", REPLIES)
async def test_no_credential_is_in_an_answer_or_a_log_line(name, issuer, tmp_path, caplog):
    caplog.set_level(logging.DEBUG, "concord")
    key = f"{CANARY}-service-key"
    async with raw_server(REPLIES[name]) as port:
        url = f"http://127.0.0.1:{port}/graphql"
        composed = compose([SubgraphSource(name="silent", url=url, sdl=SDL)])
        (tmp_path / "supergraph.graphql").write_text(composed.supergraph_sdl)
        settings = Settings(
            access=AccessSettings(
                issuers={
                    "login": IssuerSettings(
                        issuer=ISSUER, audience=(AUDIENCE,), algorithms=("ES256",), jwks_url=issuer.url
                    )
                },
                keys={"export": KeySettings(sha256=hashlib.sha256(key.encode()).hexdigest())},
            ),
            state=StateSettings(directory=tmp_path),
            supergraph=SupergraphSettings(path=tmp_path / "supergraph.graphql"),
            subgraphs={
                "silent": SubgraphSettings(
                    url=url, schema_path=tmp_path / "none", headers={"x-api-key": f"{CANARY}-upstream"}
                )
            },
        )
        assert CANARY not in repr(settings.access)
        gateway = create_gateway(settings, internal_secret=f"{CANARY}-internal-secret")
        process = server(gateway.app, drain=gateway.drain, settings=gateway.transport, port=0, drain_s=0.2)
        task = asyncio.create_task(process.serve())
        await process.ready.wait()
        address = "http://{}:{}/graphql".format(*process.addresses[0])
        token = issuer.token(sub="ada", note=f"{CANARY}-claim")
        answers = []
        async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
            for headers in (
                {"authorization": f"Bearer {token}"},
                {"x-api-key": key},
                {"x-api-key": f"{CANARY}-wrong"},
                {"authorization": f"Basic {CANARY}-basic"},
                {"authorization": f"Bearer {CANARY}.{CANARY}.{CANARY}"},
            ):
                for query in ("{ answer }", "{ nothing }", "{"):
                    response = await client.post(address, json={"query": query}, headers=headers)
                    answers.append(response)
        process.should_exit = True
        await task
    for response in answers:
        assert CANARY not in response.text
        assert CANARY not in str(response.headers)
        assert token not in response.text
    lines = [JsonLines().format(record) for record in caplog.records if record.name.startswith("concord")]
    assert lines
    for line in lines:
        assert f"{CANARY}-service" not in line
        assert f"{CANARY}-internal" not in line
        assert f"{CANARY}-upstream" not in line
        assert f"{CANARY}-claim" not in line
        assert token not in line
    assert codes(answers[0].json())[0][0].startswith("SYSTEM_")
    # What is masked for the client is found by its correlation id, in one line.
    for failed in (answers[0], answers[3]):
        assert sum(failed.headers["x-correlation-id"] in line for line in lines) == 1


def test_secrets_come_from_files(tmp_path):
    (tmp_path / "secret").write_text("a secret of sixteen letters\n")
    config = tmp_path / "concord.toml"
    config.write_text("")
    settings = load_settings(config, {"CONCORD_SECRETS__INTERNAL_FROM_FILE": str(tmp_path / "secret")})
    assert settings.secrets.internal == "a secret of sixteen letters"
    assert "sixteen" not in repr(settings)
    with pytest.raises(SettingsRefused) as refused:
        load_settings(config, {"CONCORD_SECRETS__INTERNAL_FROM_FILE": str(tmp_path / "gone")})
    assert "CONCORD_SECRETS__INTERNAL_FROM_FILE" in str(refused.value)


# ── TLS to subgraphs ────────────────────────────────────────────────────────────────────────────────────────────


async def asked(port, trust):
    client = remote_subgraph(f"https://127.0.0.1:{port}/graphql", trust=trust)
    context = RequestContext(correlation_id="c", deadline=asyncio.get_running_loop().time() + 10, caller=ANONYMOUS)
    request = SubgraphRequest(subgraph="s", kind=OperationKind.QUERY, document="{ answer }", variables={})
    try:
        return (await client.fetch(request, context)).value
    except SubgraphFailure as failed:
        return failed
    finally:
        await client.aclose()


async def test_mutual_tls_lets_nobody_in_between(tmp_path):
    authority = written(tmp_path, "authority", is_authority=True)
    written(tmp_path, "subgraph", authority)
    written(tmp_path, "gateway", authority)
    written(tmp_path, "stranger", written(tmp_path, "other", is_authority=True))
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(tmp_path / "subgraph.pem", tmp_path / "subgraph.key")
    theirs.load_verify_locations(tmp_path / "authority.pem")
    theirs.verify_mode = ssl.CERT_REQUIRED

    def files(name, authority="authority"):
        certificate = tmp_path / f"{name}.pem" if name else None
        return TlsFiles(
            authority=tmp_path / f"{authority}.pem",
            certificate=certificate,
            key=certificate and tmp_path / f"{name}.key",
        ).context()

    async with raw_server(said(b'{"data":{"answer":"yes"}}'), ssl=theirs) as port:
        assert await asked(port, files("gateway")) == {"data": {"answer": "yes"}}
        for trust in (files(None), files("stranger"), files("gateway", "other"), None):
            failed = await asked(port, trust)
            assert isinstance(failed, SubgraphFailure), failed
            assert failed.code == "SYSTEM_UNAVAILABLE"
    with pytest.raises(TlsFilesRefused, match=r"gone\.pem"):
        TlsFiles(authority=tmp_path / "gone.pem").context()
    with pytest.raises(TlsFilesRefused):
        TlsFiles(certificate=tmp_path / "gateway.pem", key=tmp_path / "stranger.key").context()
