"""Asks a running subgraph for its SDL, where the configuration names no file that has it."""

from __future__ import annotations

import ssl

import httpx2
import orjson

from gateway.open_subgraph import trust_of
from gateway.settings import SettingsRefused
from gateway.upstream.settings import SubgraphSettings

_BODY = orjson.dumps({"query": "{ _service { sdl } }"})
_HEADERS = {"content-type": "application/json", "accept": "application/graphql-response+json, application/json;q=0.9"}


def told_schema(name: str, subgraph: SubgraphSettings) -> str:
    """Return the SDL that the first replica to answer tells of itself. Raises SettingsRefused where none does.

    <https://www.apollographql.com/docs/graphos/schema-design/federated-schemas/reference/subgraph-spec#query_service>
    """
    problems = []
    trust = trust_of(name, subgraph)
    for url in subgraph.urls:
        try:
            return _ask(url, subgraph, trust)
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError, ValueError) as error:
            problems.append(f"{url}: {str(error) or type(error).__name__}")
    mend = "start it, or name a file with its SDL by `schema`"
    raise SettingsRefused((f"subgraph `{name}` does not tell its schema: {'; '.join(problems)}; {mend}.",))


def _ask(url: str, subgraph: SubgraphSettings, trust: ssl.SSLContext | None) -> str:
    """Ask one address. Raises httpx2.HTTPError, or ValueError with what is wrong with its answer."""
    headers = {**_HEADERS, **subgraph.headers}
    with httpx2.Client(timeout=subgraph.timeout_s, trust_env=False, verify=True if trust is None else trust) as client:
        reply = client.post(url, content=_BODY, headers=headers)
    try:
        answer = orjson.loads(reply.content)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"it answered {reply.status_code} with what is no JSON") from error
    match answer:
        case {"data": {"_service": {"sdl": str(sdl)}}}:
            return sdl
        case {"errors": [{"message": str(message)}, *_]}:
            raise ValueError(f"it answered `{{ _service {{ sdl }} }}` with “{message}”")
        case _:
            raise ValueError(f"it answered {reply.status_code} without an SDL")
