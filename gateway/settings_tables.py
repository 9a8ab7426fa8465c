"""The tables of the configuration file. What each key means stands beside it; `settings.py` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from msgspec import Meta, field

from gateway.access.csrf import CsrfPolicy
from gateway.access.trusted import TrustMode
from gateway.table import Table, known_keys


class ServerSettings(Table, frozen=True, kw_only=True):
    """Where the gateway listens."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 4000
    """0 takes a free port; the `ready` line names it."""
    drain_s: Annotated[float, Meta(ge=0)] = 5.0
    """How long requests in flight may go on after SIGTERM."""
    announce_stop_s: Annotated[float, Meta(ge=0)] = 0.0
    """How long before that new connections are still taken while /ready says no: the time balancers need to notice."""
    csrf: CsrfPolicy = CsrfPolicy.FETCH_METADATA
    """`strict` wants a header that makes browsers ask first on every GET, and so shuts out EventSource and plain links."""
    cors_origins: tuple[str, ...] = ()
    """Other sites' pages that may read answers, such as `https://portal.example`."""
    max_unsent_bytes: Annotated[int, Meta(ge=1 << 20)] = 256 << 20
    """What large answers may take together, from when they are read until clients have them; then more is OVERLOADED."""
    compress_from_bytes: Annotated[int, Meta(ge=0)] | None = None
    """Answers of this size and more are gzipped where accepted; absent, a proxy in front does it."""


class StateSettings(Table, frozen=True, kw_only=True):
    """Where the gateway keeps what must outlive it: event log, idempotency keys, generated secrets."""

    directory: Path = Path(".concord")


class SupergraphSettings(Table, frozen=True, kw_only=True):
    """The composed schema the gateway serves. Paths here and elsewhere are seen from the working directory."""

    path: Path = Path("supergraph.graphql")
    """Written by `concord compose`, read by `concord serve`."""
    api_path: Path = Path("api.graphql")
    """What clients see of it, written beside it."""
    ownership: Path | None = None
    """Which system owns each field, if composition is to hold the subgraphs to such a table; see schema/ownership.toml."""
    reload_interval_s: Annotated[float, Meta(gt=0)] = 1.0
    """How often the file is looked at for a new supergraph, which is swapped in without dropping a request."""


class RequestSettings(Table, frozen=True, kw_only=True):
    """What one request may take."""

    deadline_s: Annotated[float, Meta(gt=0)] = 30.0
    introspection: bool | None = None
    """Whether the schema may be asked for; absent: in the development policy only."""
    explain_documents: bool | None = None
    """Whether refused documents are told what is wrong, names they came near to included; absent: as above."""
    max_cost: Annotated[int, Meta(ge=1)] | None = None
    """The most an operation may cost by estimate; see gateway/access/README.md."""


class DocumentLimitsSettings(Table, frozen=True, kw_only=True):
    """Upper bounds on one document, where they are not the usual ones; `gateway/access/limits.py` says what each counts."""

    characters: Annotated[int, Meta(ge=1)] | None = None
    tokens: Annotated[int, Meta(ge=1)] | None = None
    nesting: Annotated[int, Meta(ge=1, le=200)] | None = None
    """Whoever raises `depth` may have to raise this too. Beyond 200 documents could not be read."""
    depth: Annotated[int, Meta(ge=1, le=100)] | None = None
    introspection_depth: Annotated[int, Meta(ge=1, le=100)] | None = None
    aliases: Annotated[int, Meta(ge=0)] | None = None
    fields: Annotated[int, Meta(ge=1)] | None = None
    trusted_characters: Annotated[int, Meta(ge=1)] | None = None
    trusted_tokens: Annotated[int, Meta(ge=1)] | None = None
    trusted_fields: Annotated[int, Meta(ge=1)] | None = None
    directives: Annotated[int, Meta(ge=0)] | None = None
    operations: Annotated[int, Meta(ge=1)] | None = None
    fragments: Annotated[int, Meta(ge=0)] | None = None
    variables: Annotated[int, Meta(ge=0)] | None = None
    root_fields: Annotated[int, Meta(ge=1)] | None = None
    mutation_root_fields: Annotated[int, Meta(ge=1)] | None = None

    def given(self) -> Mapping[str, int]:
        """Return the bounds that are set."""
        return {name: value for name in known_keys(type(self)) if (value := getattr(self, name)) is not None}


class ContractSettings(Table, frozen=True, kw_only=True):
    """A variant of the graph for some consumers, served at `/graphql/<name>`."""

    include: tuple[str, ...] = ()
    """Tags one of which a field or its type must have; without any, whatever isn't excluded is in."""
    exclude: tuple[str, ...] = ()
    introspection: bool | None = None
    """As in [request]; absent: as there."""
    explain_documents: bool | None = None
    max_cost: Annotated[int, Meta(ge=1)] | None = None
    limits: DocumentLimitsSettings = DocumentLimitsSettings()
    """As [limits.document]; absent: as there."""
    documents: TrustMode = TrustMode.OFF
    """Whether only documents of its own manifest are answered; see [documents]."""
    manifest: Path | None = None

    def __post_init__(self) -> None:
        both = sorted({*self.include} & {*self.exclude})
        if both:
            raise ValueError(f"includes and excludes the same tag, {both[0]!r}")


class LimitsSettings(Table, frozen=True, kw_only=True):
    """What callers, and all of them together, may take."""

    hidden: ClassVar[frozenset[str]] = frozenset({"redis_url"})

    in_flight: Annotated[int, Meta(ge=1)] = 500
    """Requests that are worked on at once; what is beyond that is refused with OVERLOADED. A quarter of them may wait for one
    subgraph; who comes on top waits for a second at most, so that a slow one leaves room for what doesn't need it."""
    reading_bytes: Annotated[int, Meta(ge=1 << 20)] = 64 << 20
    """Bytes of large answers that are being read from subgraphs, all together; what doesn't fit is left unread until it
    does. One for which there was no room in time is OVERLOADED. gateway/access/README.md says what that bounds."""
    requests_per_s: Annotated[float, Meta(gt=0)] | None = None
    """Requests a second of one caller, on the average; absent: any number."""
    burst: Annotated[int, Meta(ge=1)] = 50
    """Requests of one caller at once."""
    redis_url: Annotated[str, Meta(pattern=r"^rediss?://")] | None = None
    """The Redis in which several gateways count together; without it, or while it is gone, each counts for itself."""
    document: DocumentLimitsSettings = DocumentLimitsSettings()
    """What one document may ask for."""


class DocumentsSettings(Table, frozen=True, kw_only=True):
    """Trusted documents: the operations that clients may send."""

    mode: TrustMode = TrustMode.OFF
    manifest: Path | None = None
    """What `concord documents publish` wrote."""


class OverrideSettings(Table, frozen=True, kw_only=True):
    """For whom a label of `@override(from:, label:)` is active, that is whose fields come from the new subgraph."""

    active: bool = False
    """Everybody's."""
    roles: tuple[str, ...] = ()
    """Those of callers who have one of these roles."""
    share: Annotated[float, Meta(ge=0, le=100)] = 0.0
    """Those of so many percent of callers, the same ones each time; of anonymous ones, of so many of their requests."""


class PlansSettings(Table, frozen=True, kw_only=True):
    """How many plans are kept, and which are made before anybody asks for them, at the start and at a reload."""

    kept: Annotated[int, Meta(ge=1)] = 2_000
    """Plans of documents; beyond them the one used longest ago is forgotten, and made anew when it is asked for again."""
    documents: Path | None = None
    """A folder of `*.graphql` operations that are always planned ahead; those used last are remembered anyway."""
    warm_s: Annotated[float, Meta(ge=0)] = 3.0
    """How long a start or a swap may wait for it; what is left is planned afterwards, beside the requests."""
    remembered: Annotated[int, Meta(ge=0)] = 500
    """Documents used last that a new process knows of, kept in the state directory."""


class EventsSettings(Table, frozen=True, kw_only=True):
    """The event log and its door."""

    hidden: ClassVar[frozenset[str]] = frozenset({"feed_keys", "redis_url"})

    retention_days: Annotated[float, Meta(gt=0)] = 30.0
    contracts: Path | None = None
    """A folder of JSON schemas as schema/events is, one for each type of event that is taken; absent: none is."""
    redis_url: Annotated[str, Meta(pattern=r"^rediss?://")] | None = None
    """The Redis that several gateways share their log in; without it one gateway keeps a SQLite file."""
    egress_hosts: tuple[str, ...] = ()
    """Hosts that webhooks and callbacks may go to: `hooks.example.com`, `*.example.com`, `127.0.0.1:9000`."""
    egress_networks: tuple[str, ...] = ()
    """Networks that are not public and that those hosts' names may lead to: `10.20.0.0/16`."""
    feed_keys: Mapping[str, Annotated[str, Meta(min_length=16)]] = field(default_factory=dict)
    """Name of a consumer to the key with which it reads all of /events/feed, best given by the environment."""
    regions: Mapping[str, str] = field(default_factory=dict)
    """System of record (`crm`, `crm/acme`) to where its data lives, as identity's `regions`: callers who are confined to
    other regions don't see its events."""
    tenants_confine: bool = True
    """Whether a caller who acts for a tenant is confined to customers, and so doesn't see events that name none."""


class WebhookSettings(Table, frozen=True, kw_only=True):
    """A receiver outside GraphQL, to which events are posted, signed as Standard Webhooks say."""

    hidden: ClassVar[frozenset[str]] = frozenset({"secret"})

    url: str
    secret: str
    """`whsec_` and the base64 of 24 to 64 bytes, best given by the environment (`CONCORD_WEBHOOKS__NAME__SECRET`)."""
    types: tuple[str, ...] | None = None
    """Event types; all, if absent."""
    systems: tuple[str, ...] | None = None
    """Systems whose events it gets; all, if absent."""
    tenant: str | None = None
    """For whom it is: it gets what a caller of this tenant may see …"""
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """… whose claims confine it so: `{ business_unit = ["EMEA"] }`."""
    timeout_s: Annotated[float, Meta(gt=0)] = 10.0
    first_pause_s: Annotated[float, Meta(gt=0)] = 1.0
    """Pause after a failure; it doubles with each further one …"""
    longest_pause_s: Annotated[float, Meta(gt=0)] = 300.0
    """… up to this."""
    park_after: Annotated[int, Meta(ge=1)] = 10
    """Attempts after which an event is parked that the receiver refuses, or fails at while it takes others."""
    disable_after_s: Annotated[float, Meta(gt=0)] = 3 * 24 * 3600.0
    """How long everything may fail before the webhook is switched off. Its events wait, as long as they are kept."""


class EntitiesSettings(Table, frozen=True, kw_only=True):
    """Where entities are kept whose types the ownership table lets be cached."""

    hidden: ClassVar[frozenset[str]] = frozenset({"redis_url"})

    max_bytes: Annotated[int, Meta(ge=1 << 20)] = 64 << 20
    """What one process keeps, at most."""
    redis_url: Annotated[str, Meta(pattern=r"^rediss?://")] | None = None
    """The Redis through which several gateways share entities and hear of each other's writes."""


class WritesSettings(Table, frozen=True, kw_only=True):
    """Where answered writes are kept by their idempotency key."""

    hidden: ClassVar[frozenset[str]] = frozenset({"postgres_url", "redis_url"})

    postgres_url: Annotated[str, Meta(pattern=r"^postgres(ql)?://")] | None = None
    """The Postgres that several gateways share; without it one gateway keeps a SQLite file."""
    redis_url: Annotated[str, Meta(pattern=r"^rediss?://")] | None = None
    """The Redis that several gateways keep keys and answers in, in place of either; workflows stay where they are."""
    keep_s: Annotated[float, Meta(gt=0)] = 24 * 3600.0
    """How long a key is remembered."""


class PricingRuleSettings(Table, frozen=True, kw_only=True):
    """Which changes of contracts an authority prices: those that meet every condition."""

    authority: Literal["billing", "cpq"]
    products: tuple[str, ...] = ()
    """Patterns of SKUs, such as `PLATFORM*`, of which one of the changed products fits one; empty: any."""
    above: Decimal | None = None
    """Changes of the yearly value, up or down, by more than this at billing's prices."""

    def __post_init__(self) -> None:
        _check_amounts(above=self.above)


class PricingSettings(Table, frozen=True, kw_only=True):
    """Who prices changes of contracts: the first rule that fits decides, else `authority`."""

    hidden: ClassVar[frozenset[str]] = frozenset({"cpq_token"})

    authority: Literal["billing", "cpq"] = "billing"
    rules: tuple[PricingRuleSettings, ...] = ()
    cpq_url: Annotated[str, Meta(pattern=r"^https?://")] | None = None
    """Where the CPQ service takes the requests that `schema/cpq` describes."""
    cpq_token: str | None = None
    """Sent to it as a bearer token."""
    cpq_timeout_s: Annotated[float, Meta(gt=0)] = 5.0

    def __post_init__(self) -> None:
        may_ask = "cpq" in {self.authority, *(rule.authority for rule in self.rules)}
        if may_ask and self.cpq_url is None:
            raise ValueError("`cpq_url` is needed where the CPQ service prices")


class WorkflowsSettings(Table, frozen=True, kw_only=True):
    """Writes over several systems. They are kept where `[writes]` says."""

    enabled: bool = False
    lease_s: Annotated[float, Meta(gt=0)] = 10.0
    """How long a gateway that says nothing is taken for alive; then others resume its workflows."""
    approval_above: Decimal | None = None
    """The amount, in the currency of the request, beyond which somebody else has to approve."""
    pricing: PricingSettings = PricingSettings()

    def __post_init__(self) -> None:
        _check_amounts(approval_above=self.approval_above)


class ToleranceSettings(Table, frozen=True, kw_only=True):
    """Amounts that differ by no more than the larger of the two agree."""

    amount: Decimal = Decimal(0)
    percent: Decimal = Decimal(0)
    """Of the owner's amount."""

    def __post_init__(self) -> None:
        _check_amounts(amount=self.amount, percent=self.percent)


class ReconciliationSettings(Table, frozen=True, kw_only=True):
    """Comparing owners with copies. Drift is kept beside the workflows."""

    interval_s: Annotated[float, Meta(ge=1)] | None = None
    """Time from one run to the next, over all gateways together; absent: only when somebody asks."""
    page_size: Annotated[int, Meta(ge=1, le=200)] = 50
    """Customers, or contracts, that one request reads."""
    parallel: Annotated[int, Meta(ge=1, le=8)] = 2
    """Kinds of things that are read at once."""
    patience_s: Annotated[float, Meta(ge=0)] = 30.0
    """How long a run waits, in all, for a system that does not answer."""
    tolerances: Mapping[Literal["contractValue", "invoiced", "paid", "recognized"], ToleranceSettings] = field(
        default_factory=dict
    )
    recognized_within_days: Annotated[int, Meta(ge=0, le=90)] = 5
    """How long after a month's end the ERP may take to recognise it."""
    legal_forms: tuple[str, ...] = ()
    """Ends of a legal name, such as `GmbH`, that a customer's name need not have; absent: the usual ones."""
    ignore_case: bool = False
    """Whether texts agree that differ in capitals only."""


class SecretsSettings(Table, frozen=True, kw_only=True):
    """Secrets, best given by the environment (`CONCORD_SECRETS__INTERNAL`). Generated into the state directory if absent."""

    hidden: ClassVar[frozenset[str]] = frozenset({"internal"})

    internal: Annotated[str, Meta(min_length=16)] | None = None
    """Signs calls between Concord's own processes."""


class MetricsSettings(Table, frozen=True, kw_only=True):
    """`/metrics`: for callers with the scope `operations:read`, and for whoever has its key; in the development policy for all."""

    hidden: ClassVar[frozenset[str]] = frozenset({"key"})

    key: Annotated[str, Meta(min_length=16)] | None = None
    """Sent as `Authorization: Bearer …`, best given by the environment (`CONCORD_METRICS__KEY`)."""


class ConsoleSettings(Table, frozen=True, kw_only=True):
    """The query page."""

    query: Path | None = None
    """A document that a newcomer finds in the editor."""


class BreakerSettings(Table, frozen=True, kw_only=True):
    """When a subgraph that fails is left alone, and for how long; then one fetch finds out how it is."""

    ratio: Annotated[float, Meta(gt=0, le=1)] = 0.5
    """Share of failures at which it is."""
    least: Annotated[int, Meta(ge=1)] = 20
    """Fetches below which it never is."""
    window_s: Annotated[float, Meta(gt=0)] = 10.0
    """Both are counted over the last so many seconds."""
    open_s: Annotated[float, Meta(gt=0)] = 5.0


class RetrySettings(Table, frozen=True, kw_only=True):
    """How fetches are repeated that failed: reads, writes with an idempotency key, and what was never sent."""

    retries: Annotated[int, Meta(ge=0)] = 2
    """Times that one fetch is repeated; 0 never repeats any."""
    backoff_s: Annotated[float, Meta(ge=0)] = 0.05
    """Pause before the first time, more or less; it doubles with each further one. A Retry-After goes before it."""
    budget: Annotated[float, Meta(ge=0, le=1)] = 0.2
    """Share of the fetches that may be repeated, so that a subgraph which is down isn't asked several times as often …"""
    saved: Annotated[int, Meta(ge=1)] = 10
    """… with so many repetitions in reserve."""


class SubgraphSettings(Table, frozen=True, kw_only=True):
    """One subgraph: who it is, where it answers, how it may be called."""

    hidden: ClassVar[frozenset[str]] = frozenset({"headers"})

    url: str | None = None
    """Its address, or those of its replicas with commas between. One that fails rests for 2 s, twice as long each further time."""
    in_process: str | None = None
    """Name of a graph the gateway carries itself, instead of a `url`; `concord` is the only one."""
    schema_path: Path | None = field(name="schema", default=None)
    """A file with its SDL; absent: `concord compose` asks the running subgraph for it, by `{ _service { sdl } }`."""
    system: str | None = None
    """The logical system of record named in errors; that of the ownership table, or the subgraph's name, if absent."""
    owner: str | None = None
    """Handle of the team to turn to, named in errors; the team of the ownership table if absent."""
    timeout_s: Annotated[float, Meta(gt=0)] = 10.0
    """How long one try of a fetch may take, and how long it may take to begin the answer to a subscription over server-sent events."""
    stream_silence_s: Annotated[float, Meta(gt=0)] = 300.0
    """How long a subscription over server-sent events may be silent; subgraphs send comments in between. Then it ends
    with SYSTEM_UNAVAILABLE. WebSockets are pinged."""
    share_subscriptions: bool = True
    """Whether equal subscriptions of callers with equal rights are one at the subgraph, and those that only have their
    headers in common go over one WebSocket. Who joins one that is open gets what comes from then on: a subgraph whose
    first event tells how things stand needs `false`."""
    max_connections: Annotated[int, Meta(ge=1)] = 64
    """Fetches, and so connections, at once."""
    max_waiting: Annotated[int, Meta(ge=0)] = 1_000
    """Fetches that may wait for one of them; what is beyond that is refused. See `limits.in_flight` as well."""
    breaker: BreakerSettings = BreakerSettings()
    retry: RetrySettings = RetrySettings()
    headers: Mapping[str, str] = field(default_factory=dict)
    """Fixed headers sent with every request."""
    forward_headers: tuple[str, ...] = ()
    """Names of client headers passed on unchanged."""
    speaks_for: frozenset[str] = frozenset()
    """Systems, as errors name them, whose failures it may tell of: identity knows whose customers it has not been told."""
    tls_authority: Path | None = None
    """Certificates (PEM) to trust for an https URL, in place of the system's."""
    tls_certificate: Path | None = None
    """Our own certificate (PEM), which is shown to it: mutual TLS."""
    tls_key: Path | None = None
    """The certificate's key, where that is not in the same file."""
    tell_caller: bool = True
    """Whether it is told for whom it is asked, by a signed X-Concord-Caller."""
    shown_codes: frozenset[str] = frozenset()
    """Error codes whose messages clients may read as the subgraph wrote them; others get a fixed sentence."""

    def __post_init__(self) -> None:
        if (self.url is None) == (self.in_process is None):
            raise ValueError("needs either `url` or `in_process`, not both")
        for url in self.urls:
            _check_address(url)

    @property
    def urls(self) -> tuple[str, ...]:
        """The addresses of its replicas; none where the gateway carries it itself."""
        return () if self.url is None else tuple(url.strip() for url in self.url.split(","))


class ProcessSettings(Table, frozen=True, kw_only=True):
    """One process that `concord up` starts beside the gateway."""

    hidden: ClassVar[frozenset[str]] = frozenset({"environment"})

    module: str
    """Run as `python -m <module>`."""
    port: Annotated[int, Meta(ge=0, le=65535)]
    after: tuple[str, ...] = ()
    """Processes that must answer first."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """`${secret:NAME}` is a generated secret, `${url:PROCESS}` another process's address."""


def _check_address(url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"`url` must start with http:// or https://, not {url!r}")
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ValueError(f"`url` {url!r} can't be asked: {error}") from None
    if not (has_host and url.isascii() and url.isprintable() and " " not in url):
        raise ValueError(f"`url` must name a host, in ASCII and without spaces, not {url!r}")


def _check_amounts(**amounts: Decimal | None) -> None:
    for name, amount in amounts.items():
        if amount is not None and not (amount.is_finite() and amount >= 0):
            raise ValueError(f"`{name}` must be 0 or more")
