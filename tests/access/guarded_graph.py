"""A graph with every kind of guard, the table of who may see what in it, and the paths that lead to each field.

Each value says where it is from (`Customer.margin:1`), so that an answer can be searched for what must not be in it.
The table is written down here once more, apart from the SDL: it is what the gateway's reading is held against.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from guarded import Scripted, composed

from gateway.engine import Engine

LINK = """extend schema @link(url: "https://specs.apollo.dev/federation/v2.9",
  import: ["@key", "@shareable", "@external", "@requires", "@authenticated", "@requiresScopes", "@policy"])
"""

PEOPLE = (
    LINK
    + """
type Query {
  customer(id: ID!): Customer
  customers: [Customer!]
  page: Page
  node(id: ID!): Node
  nodes: [Node]
  search: [Found]
  hardly: Hardly
  rootSecret: String @requiresScopes(scopes: [["root"]])
  safe: Vault
}
type Mutation {
  touch: Customer
  alter: Customer @requiresScopes(scopes: [["write"]])
}
type Subscription {
  changes: Customer
  secretChanges: Customer @requiresScopes(scopes: [["root"]])
}
interface Node { id: ID! label: String }
union Found = Customer | Note | Vault
type Page { edges: [Edge!]! total: String }
type Edge { node: Customer! }
type Hardly { inner: Strict }
type Strict { plain: String strict: String! @requiresScopes(scopes: [["margin"]]) }
type Customer implements Node @key(fields: "id") {
  id: ID!
  label: String
  openName: String
  margin: String @requiresScopes(scopes: [["margin"]])
  eitherOf: String @requiresScopes(scopes: [["a", "b"], ["c"]])
  onlyKnown: String @authenticated
  ruled: String @policy(policies: [["finance"], ["audit", "legal"]])
  allOfIt: String @authenticated @requiresScopes(scopes: [["a"]]) @policy(policies: [["finance"]])
  kind: Kind
  best: Note
}
enum Kind @authenticated { CustomerKindGold }
type Note implements Node @key(fields: "id") {
  id: ID!
  label: String @requiresScopes(scopes: [["notes"]])
  words: String
  about: Customer
}
type Vault implements Node @key(fields: "id") @requiresScopes(scopes: [["vault"]]) {
  id: ID!
  label: String
  contents: String
}
"""
)

MONEY = (
    LINK
    + """
type Customer @key(fields: "id") {
  id: ID!
  margin: String @external
  rating: String @requires(fields: "margin") @requiresScopes(scopes: [["margin"]])
  debt: String @requiresScopes(scopes: [["money"]])
  limit: String
}
type Vault @key(fields: "id") @requiresScopes(scopes: [["vault"]]) { id: ID! worth: String }
"""
)


@dataclass(frozen=True)
class Who:
    """A caller, as the table sees it."""

    name: str
    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()

    @property
    def is_known(self) -> bool:
        return self.name != "nobody"


May = Callable[[Who], bool]


def scope(*names: str) -> May:
    return lambda who: set(names) <= who.scopes


def everybody(_: Who) -> bool:
    return True


CUSTOMER: dict[str, May] = {
    "label": everybody,
    "openName": everybody,
    "limit": everybody,
    "margin": scope("margin"),
    "rating": scope("margin"),
    "debt": scope("money"),
    "eitherOf": lambda who: {"a", "b"} <= who.scopes or "c" in who.scopes,
    "onlyKnown": lambda who: who.is_known,
    "ruled": lambda who: "finance" in who.roles or {"audit", "legal"} <= who.roles,
    "allOfIt": lambda who: who.is_known and "a" in who.scopes and "finance" in who.roles,
    "kind": lambda who: who.is_known,
}
NOTE: dict[str, May] = {"label": scope("notes"), "words": everybody}
VAULT: dict[str, May] = dict.fromkeys(("label", "contents", "worth"), scope("vault"))

SCOPES = ("margin", "money", "a", "b", "c", "notes", "vault", "root", "write")


def callers() -> list[Who]:
    """Nobody, somebody with nothing, each scope and role alone, everything but one, pairs, and everything."""
    roles = ("finance", "audit", "legal")
    whole = frozenset(SCOPES)
    found = [Who("nobody"), Who("known"), Who("all", whole, frozenset(roles))]
    found += [Who(f"only {each}", frozenset({each})) for each in SCOPES]
    found += [Who(f"not {each}", whole - {each}, frozenset(roles)) for each in SCOPES]
    found += [Who(f"role {each}", roles=frozenset({each})) for each in roles]
    found += [
        Who("a and b", frozenset("ab")),
        Who("audit and legal", roles=frozenset({"audit", "legal"})),
        Who("finance a", frozenset("a"), frozenset({"finance"})),
        Who("similar", frozenset({"margi", "margins", "Margin", "*", "vault money"})),
        Who("admin by name", frozenset({"admin", "root:all", "unrestricted"}), frozenset({"admin", "unrestricted"})),
    ]
    return found


@dataclass(frozen=True)
class Way:
    """A way to a field of a type. `%s` is the field's place; `may` says who may go it at all."""

    name: str
    document: str
    kind: str = "query"
    may: May = everybody


CUSTOMER_WAYS = (
    Way("directly", '{ customer(id: "1") { %s } }'),
    Way("alias", '{ x: customer(id: "1") { y: %s } }'),
    Way("aliased as another", '{ customer(id: "1") { openName: %s } }'),
    Way("list", "{ customers { %s } }"),
    Way("connection", "{ page { edges { node { %s } } } }"),
    Way("inline fragment", '{ customer(id: "1") { ... { ... on Customer { %s } } } }'),
    Way("named fragment", '{ customer(id: "1") { ...F } } fragment F on Customer { %s }'),
    Way(
        "fragment in a fragment",
        '{ customer(id: "1") { ...F } } fragment F on Node { ...G } fragment G on Customer { %s }',
    ),
    Way(
        "fragment twice",
        '{ a: customer(id: "1") { ...F } b: customer(id: "2") { ...F } } fragment F on Customer { %s }',
    ),
    Way("include", 'query($yes: Boolean = true) { customer(id: "1") { %s @include(if: $yes) } }'),
    Way("not skipped", 'query($no: Boolean = false) { customer(id: "1") { ... @skip(if: $no) { %s } } }'),
    Way("node", '{ node(id: "1") { ... on Customer { %s } } }'),
    Way("nodes", "{ nodes { __typename ... on Customer { %s } } }"),
    Way("union", "{ search { ... on Customer { %s } } }"),
    Way("interface in a union", "{ search { ... on Node { ... on Customer { %s } } } }"),
    Way("through another type", '{ customer(id: "1") { best { about { %s } } } }'),
    Way("beside what is open", '{ customer(id: "1") { id openName %s limit } }'),
    Way("twice", '{ customer(id: "1") { one: %s two: %s } }'),
    Way("root fragment", "{ ...Q } fragment Q on Query { customers { %s } }"),
    Way("mutation", "mutation { touch { %s } }", "mutation"),
    Way("guarded mutation", "mutation { alter { %s } }", "mutation", scope("write")),
    Way("subscription", "subscription { changes { %s } }", "subscription"),
    Way("guarded subscription", "subscription { secretChanges { %s } }", "subscription", scope("root")),
)
NOTE_WAYS = (
    Way("note of a customer", '{ customer(id: "1") { best { %s } } }'),
    Way("note as a node", '{ node(id: "n") { ... on Note { %s } } }'),
    Way("note among nodes", "{ nodes { ... on Note { %s } } }"),
    Way("note found", "{ search { ... on Note { x: %s } } }"),
)
VAULT_WAYS = (
    Way("vault itself", "{ safe { %s } }"),
    Way("vault as a node", '{ node(id: "v") { ... on Vault { %s } } }'),
    Way("vault among nodes", "{ nodes { __typename ... on Vault { %s } } }"),
    Way("vault found", "{ search { __typename ... on Vault { x: %s } } }"),
)


@dataclass(frozen=True)
class Probe:
    """One question, and what its answer may hold."""

    who: Who
    type_name: str
    field_name: str
    way: Way

    @property
    def document(self) -> str:
        return self.way.document.replace("%s", self.field_name)

    @property
    def is_allowed(self) -> bool:
        table = {"Customer": CUSTOMER, "Note": NOTE, "Vault": VAULT}[self.type_name]
        return self.way.may(self.who) and table[self.field_name](self.who)

    @property
    def canary(self) -> str:
        return "CustomerKindGold" if self.field_name == "kind" else f"{self.type_name}.{self.field_name}:"


def probes() -> Iterator[Probe]:
    """Yield every caller with every type, field and way."""
    for who in callers():
        for type_name, table, ways in (
            ("Customer", CUSTOMER, CUSTOMER_WAYS),
            ("Note", NOTE, NOTE_WAYS),
            ("Vault", VAULT, VAULT_WAYS),
        ):
            for field_name in table:
                for way in ways:
                    yield Probe(who, type_name, field_name, way)


def _entity(type_name: str, identity: str) -> dict[str, Any]:
    names = {"Customer": CUSTOMER, "Note": NOTE, "Vault": VAULT}[type_name]
    found: dict[str, Any] = {name: f"{type_name}.{name}:{identity}" for name in names}
    found |= {"__typename": type_name, "id": identity}
    if type_name == "Customer":
        found |= {"kind": "CustomerKindGold", "best": lambda: _entity("Note", "n")}
    if type_name == "Note":
        found["about"] = lambda: _entity("Customer", "1")
    return found


def _kind_of(identity: str) -> str:
    return {"n": "Note", "v": "Vault"}.get(identity, "Customer")


async def _changes() -> Any:
    yield {"changes": _entity("Customer", "1"), "secretChanges": _entity("Customer", "1")}


@dataclass
class GuardedGraph:
    """The graph, running in this process; `people` and `money` remember what they were asked."""

    people: Scripted = field(init=False)
    money: Scripted = field(init=False)
    engine: Engine = field(init=False)
    touched: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        everything = [("Customer", "1"), ("Customer", "2"), ("Note", "n"), ("Vault", "v")]
        root: dict[str, Any] = {
            "customer": lambda **given: _entity("Customer", given["id"]),
            "customers": [_entity("Customer", "1"), _entity("Customer", "2")],
            "page": {"edges": [{"node": _entity("Customer", "1")}], "total": "Page.total:"},
            "node": lambda **given: _entity(_kind_of(given["id"]), given["id"]),
            "nodes": [_entity(*each) for each in everything],
            "search": [_entity(*each) for each in everything],
            "hardly": {"inner": {"plain": "Strict.plain:", "strict": "Strict.strict:"}},
            "rootSecret": "Query.rootSecret:",
            "safe": _entity("Vault", "v"),
            "touch": lambda: self.touched.append("touch") or _entity("Customer", "1"),
            "alter": lambda: self.touched.append("alter") or _entity("Customer", "1"),
            "changes": _changes,
            "secretChanges": _changes,
            "_entities": lambda representations: [_entity(each["__typename"], each["id"]) for each in representations],
        }
        self.people = Scripted(_plain(PEOPLE, "Customer | Note | Vault"), root)
        self.money = Scripted("type Query { none: String }" + _plain(MONEY, "Customer | Vault"), root)
        self.engine = Engine(composed(people=PEOPLE, money=MONEY), {"people": self.people, "money": self.money})

    def forget(self) -> None:
        self.people.documents.clear()
        self.money.documents.clear()
        self.touched.clear()

    @property
    def documents(self) -> list[str]:
        return [*self.people.documents, *self.money.documents]


def _plain(sdl: str, entities: str) -> str:
    """What the subgraph's server runs: its SDL with federation's own definitions."""
    definitions = """
directive @key(fields: String!) repeatable on OBJECT
directive @external on FIELD_DEFINITION
directive @requires(fields: String!) on FIELD_DEFINITION
directive @authenticated on FIELD_DEFINITION | OBJECT | ENUM
directive @requiresScopes(scopes: [[String!]!]!) on FIELD_DEFINITION | OBJECT
directive @policy(policies: [[String!]!]!) on FIELD_DEFINITION | OBJECT
"""
    query = "extend type Query { _entities(representations: [_Any!]!): [_Entity]! }"
    body = sdl.replace(LINK, "")
    return f"scalar _Any\nunion _Entity = {entities}\n{definitions}{body}{query}"
