"""Personal data is masked on every way that leads to it, for whoever has no role for it, whoever asked before or asks beside."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from guarded import Scripted, composed, told
from guarded import gate_to as running_gate
from key_server import AUDIENCE, ISSUER

from gateway.access.settings import AccessSettings, IssuerSettings
from gateway.engine import Engine
from gateway.telemetry.log import JsonLines

MASK = "•••"
LINK = """extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@external", "@requires", "@composeDirective", "@shareable"])
  @link(url: "https://concord.invalid/classified/v1.0", import: ["@classified"])
  @composeDirective(name: "@classified")
directive @classified(as: String!) on FIELD_DEFINITION
"""
PEOPLE = """
type Query { person(id: ID!): Person people(first: Int): PersonConnection list: [Person!] node(id: ID!): Node nodes: [Node] found: [Found] firm: Firm }
type Mutation { touch: Touched }
type Subscription { touched: Person }
interface Node { id: ID! mail: String CLASSIFIED }
interface Reachable { mail: String CLASSIFIED }
union Found = Person | Note
type Person implements Node & Reachable KEY { id: ID! name: String mail: String CLASSIFIED mails: [String!] CLASSIFIED
  strict: String! CLASSIFIED age: Int CLASSIFIED boss: Person address: Address kind: Kind CLASSIFIED }
type Address { street: String CLASSIFIED town: String }
enum Kind { STAFF GUEST }
type Note implements Node KEY { id: ID! mail: String CLASSIFIED text: String about: Person }
type Touched { person: Person }
type Firm { reachable: [Reachable] staff: [[Person!]!] }
type PersonConnection { edges: [Edge] nodes: [Person] }
type Edge { node: Person }
"""
MORE = """
type Person KEY { id: ID! mail: String EXTERNAL greeting: String REQUIRES alias: String CLASSIFIED }
type Query { anybody: Person }
"""
WORDS = {
    "CLASSIFIED": '@classified(as: "PII")',
    "KEY": '@key(fields: "id")',
    "EXTERNAL": "@external",
    "REQUIRES": '@requires(fields: "mail")',
}


def linked(sdl: str) -> str:
    for word, meant in WORDS.items():
        sdl = sdl.replace(word, meant)
    return LINK + sdl


def plain(sdl: str) -> str:
    for word in WORDS:
        sdl = sdl.replace(f" {word}", "")
    return sdl


CANARY = "canary-of-"


def person(number: int, *, boss: bool = True) -> dict:
    about = {"__typename": "Person", "id": str(number), "name": "n", "mail": f"{CANARY}mail", "mails": [f"{CANARY}mails"] * 2,
             "strict": f"{CANARY}strict", "age": 987654, "kind": "GUEST", "greeting": f"{CANARY}greeting", "alias": f"{CANARY}alias",
             "address": {"street": f"{CANARY}street", "town": "t"}}  # fmt: skip
    return {**about, "boss": person(2, boss=False)} if boss else about


NOTE = {"__typename": "Note", "id": "n", "mail": f"{CANARY}note", "text": "t", "about": person(1)}


async def touched():
    for number in (1, 2):
        yield {"touched": person(number)}


ONE = {"person": lambda **_: person(1), "list": [person(1), person(2)], "node": lambda **_: person(1), "nodes": [person(1), NOTE],
       "people": lambda **_: {"edges": [{"node": person(1)}], "nodes": [person(2)]}, "found": [NOTE, person(1)],
       "firm": {"reachable": [person(1)], "staff": [[person(1)]]}, "touch": {"person": person(1)}, "touched": lambda **_: touched()}  # fmt: skip
FIELDS = "mail a: mail mails strict age kind address { street } greeting alias boss { mail strict ...Deep } "
DEEP = " fragment Deep on Person { mail more: mails @include(if: true) address { s: street } }"
WAYS = {
    "field": f"query($id: ID = 1) {{ person(id: $id) {{ {FIELDS} }} }}{DEEP}",
    "list": f"{{ list {{ {FIELDS} }} }}{DEEP}",
    "list of lists": f"{{ firm {{ staff {{ {FIELDS} }} }} }}{DEEP}",
    "connection": f"{{ people(first: 1) {{ edges {{ node {{ {FIELDS} }} }} nodes {{ {FIELDS} }} }} }}{DEEP}",
    "node": f"{{ node(id: 1) {{ mail ... on Person {{ {FIELDS} }} }} }}{DEEP}",
    "interface": f"{{ nodes {{ id mail ... on Person {{ {FIELDS} }} ... on Note {{ about {{ {FIELDS} }} }} }} }}{DEEP}",
    "another interface": "{ firm { reachable { mail ... on Node { again: mail } } } }",
    "union": f"{{ found {{ ... on Note {{ mail about {{ mail }} }} ... on Person {{ {FIELDS} }} ... on Node {{ x: mail }} }} }}{DEEP}",
    "entity": "{ list { alias greeting } }",
    "mutation": f"mutation {{ touch {{ person {{ {FIELDS} }} }} }}{DEEP}",
}


class Asked(Scripted):
    """A subgraph that also answers for entities."""

    async def fetch(self, request, context):
        if "_entities" in request.document:
            from gateway.execution.ports import SubgraphAnswer

            self.documents.append(request.document)
            wanted = request.variables["representations"]
            names = {name: f"{CANARY}{name}" for name in ("greeting", "alias") if name in request.document}
            return SubgraphAnswer({"data": {"_entities": [{"__typename": "Person", **names} for _ in wanted]}})
        return await super().fetch(request, context)


@pytest.fixture
async def gate(shared_issuer):
    graph = composed(people=linked(PEOPLE), more=linked(MORE))
    more = Asked(plain(MORE), {})
    engine = Engine(
        graph, {"people": Scripted(plain(PEOPLE), ONE), "more": more}, classes={"PII": frozenset({"privacy"})}
    )
    login = IssuerSettings(issuer=ISSUER, audience=(AUDIENCE,), algorithms=("ES256",), jwks_url=shared_issuer.url)
    try:
        async with running_gate(engine, AccessSettings(issuers={"login": login})) as gate:
            gate.others = shared_issuer.token(sub="ada", roles=["sales"])
            gate.privacy = shared_issuer.token(sub="pia", roles=["privacy"])
            gate.more = more
            yield gate
    finally:
        engine.close()


def leaves(value):
    match value:
        case dict():
            for each in value.values():
                yield from leaves(each)
        case list():
            for each in value:
                yield from leaves(each)
        case _:
            yield value


@pytest.mark.parametrize("way", WAYS)
async def test_texts_are_masked_and_all_else_is_nothing(gate, way, caplog):
    caplog.set_level(logging.DEBUG, "concord")
    for _ in range(2):  # by turns, so that what one was answered is at hand for the other
        shown = (await gate.post(WAYS[way], gate.privacy)).json()
        assert CANARY in json.dumps(shown), shown
        assert MASK not in json.dumps(shown, ensure_ascii=False)
        assert "errors" not in shown
        answers = await asyncio.gather(
            *(gate.post(WAYS[way], each) for each in (gate.others, gate.privacy, gate.others))
        )
        for place, response in enumerate(answers):
            answer = response.json()
            if place == 1:
                assert answer == shown
                continue
            assert CANARY not in response.text
            assert "987654" not in response.text
            assert "GUEST" not in response.text
            assert set(leaves(answer["data"])) <= {MASK, None, "1", "2", "n", "t", "Person"}
            assert MASK in response.text
            # What is no text can't be masked: it is not there, and said so where it was asked for.
            assert {each["extensions"]["code"] for each in answer.get("errors", ())} <= {"UNAUTHORIZED_FIELD_OR_TYPE"}
    assert CANARY not in "".join(
        JsonLines().format(record) for record in caplog.records if record.name.startswith("concord")
    )


@pytest.mark.parametrize("transport", ["text/event-stream", "multipart/mixed;subscriptionSpec=1.0", "websocket"])
async def test_events_are_masked_for_each_subscriber(gate, transport):
    query = f"subscription {{ touched {{ {FIELDS} }} }}{DEEP}"

    async def told_to(token: str) -> str:
        if transport != "websocket":
            headers = {"accept": transport}
            return (await gate.post(query, token, **headers)).text
        async with gate.socket({"authorization": f"Bearer {token}"}) as connection:
            assert (await told(connection))["type"] == "connection_ack"
            await connection.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": query}}))
            messages = []
            while (message := await told(connection))["type"] == "next":
                messages.append(message)
            return json.dumps(messages, ensure_ascii=False)

    masked, shown, again = await asyncio.gather(*map(told_to, (gate.others, gate.privacy, gate.others)))
    assert CANARY in shown
    assert MASK not in shown
    for text in (masked, again):
        assert CANARY not in text
        assert "987654" not in text
        assert text.count(MASK) >= 10
