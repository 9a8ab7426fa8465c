"""Tables of the configuration file that belong to no one room; those of access, events, writes and upstream are there.

What each key means stands beside it; `settings.py` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

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


class EntitiesSettings(Table, frozen=True, kw_only=True):
    """Where entities are kept whose types the ownership table lets be cached."""

    hidden: ClassVar[frozenset[str]] = frozenset({"redis_url"})

    max_bytes: Annotated[int, Meta(ge=1 << 20)] = 64 << 20
    """What one process keeps, at most."""
    redis_url: Annotated[str, Meta(pattern=r"^rediss?://")] | None = None
    """The Redis through which several gateways share entities and hear of each other's writes."""


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
