"""The gateway's configuration: one TOML file, overridden by environment variables, refused with the nearest name.

`CONCORD_SERVER__PORT=4100` overrides `port` in `[server]`: a double underscore steps into a table.
`CONCORD_SECRETS__INTERNAL_FROM_FILE=/run/secrets/internal` takes the value from a file.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, field

from gateway.access.choice import Contract
from gateway.access.limits import Limits
from gateway.access.override import LabelRule, Overrides
from gateway.access.settings import AccessSettings
from gateway.events.settings import EventsSettings, WebhookSettings
from gateway.federation.ownership import Ownership, OwnershipInvalidError, parse_ownership
from gateway.settings_tables import (
    ConsoleSettings,
    ContractSettings,
    DocumentsSettings,
    EntitiesSettings,
    LimitsSettings,
    MetricsSettings,
    OverrideSettings,
    PlansSettings,
    ProcessSettings,
    RequestSettings,
    SecretsSettings,
    ServerSettings,
    StateSettings,
    SupergraphSettings,
)
from gateway.table import Table, TableRefused, read_table
from gateway.upstream.settings import SubgraphSettings
from gateway.writes.settings import ReconciliationSettings, WorkflowsSettings, WritesSettings

ENVIRONMENT_PREFIX = "CONCORD_"
DEFAULT_PATH = Path("schema/concord.toml")


class SettingsRefused(Exception):  # noqa: N818 - reads as what it is
    """The configuration can't be used. `problems` holds one sentence each, all of them at once."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(Table, frozen=True, kw_only=True):
    """The whole configuration file."""

    server: ServerSettings = ServerSettings()
    state: StateSettings = StateSettings()
    supergraph: SupergraphSettings = SupergraphSettings()
    request: RequestSettings = RequestSettings()
    plans: PlansSettings = PlansSettings()
    events: EventsSettings = EventsSettings()
    webhooks: Mapping[str, WebhookSettings] = field(default_factory=dict)
    entities: EntitiesSettings = EntitiesSettings()
    writes: WritesSettings = WritesSettings()
    workflows: WorkflowsSettings = WorkflowsSettings()
    reconciliation: ReconciliationSettings = ReconciliationSettings()
    limits: LimitsSettings = LimitsSettings()
    documents: DocumentsSettings = DocumentsSettings()
    contracts: Mapping[Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,63}$")], ContractSettings] = field(
        default_factory=dict
    )
    overrides: Mapping[str, OverrideSettings] = field(default_factory=dict)
    console: ConsoleSettings = ConsoleSettings()
    metrics: MetricsSettings = MetricsSettings()
    access: AccessSettings = AccessSettings()
    secrets: SecretsSettings = SecretsSettings()
    subgraphs: Mapping[str, SubgraphSettings] = field(default_factory=dict)
    processes: Mapping[str, ProcessSettings] = field(default_factory=dict)


def load_settings(path: Path = DEFAULT_PATH, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the file, lay the environment over it and return what both say.

    Raises SettingsRefused with every problem: a missing file, broken TOML, unknown keys, values of the wrong kind.
    """
    environment = os.environ if environment is None else environment
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsRefused((f"There is no configuration file {path}; name one with --config.",)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsRefused((f"{path} can't be read: {error}",)) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsRefused((f"{path} is not TOML: {error}",)) from error
    said_by: dict[str, str] = {}
    for variable, keys, value in _overrides(environment):
        said_by |= dict.fromkeys(_lay_over(document, variable, keys, value), variable)
    try:
        return read_table(Settings, document)
    except TableRefused as refused:
        problems = tuple(f"{said_by.get(_place(problem), path)}: {problem}" for problem in refused.problems)
        raise SettingsRefused(problems) from refused


def contracts_of(settings: Settings) -> Mapping[str, Contract]:
    """Return the contracts of the configuration, by name."""
    return {
        name: Contract(include=frozenset(each.include), exclude=frozenset(each.exclude))
        for name, each in settings.contracts.items()
    }


def document_limits(settings: Settings, contract: str | None = None) -> Limits:
    """Return what one document may ask for, of the graph or of a contract over it."""
    introspection = settings.request.introspection
    given = dict(settings.limits.document.given())
    if contract is not None:
        own = settings.contracts[contract]
        introspection = introspection if own.introspection is None else own.introspection
        given |= own.limits.given()
    return Limits(introspection=settings.access.by_policy(introspection), **given)


def overrides_of(settings: Settings) -> Overrides:
    """Return what is decided of labels of progressive overrides."""
    return Overrides(
        {
            label: LabelRule(is_active=each.active, roles=frozenset(each.roles), share=each.share)
            for label, each in settings.overrides.items()
        }
    )


def load_ownership(settings: Settings) -> Ownership | None:
    """Read the ownership table, where the configuration names one. Raises SettingsRefused if it is missing or wrong."""
    path = settings.supergraph.ownership
    if path is None:
        return None
    try:
        return parse_ownership(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        mend = "mend the path, or leave the key out to compose without such a table"
        raise SettingsRefused((f"`supergraph.ownership`: there is no file {path}; {mend}.",)) from error
    except (OSError, UnicodeDecodeError, OwnershipInvalidError) as error:
        raise SettingsRefused((f"`supergraph.ownership`: {path}: {error}",)) from error


def _place(problem: str) -> str:
    """Return where a problem is: what it names first."""
    return problem.split("`", 2)[1]


def _overrides(environment: Mapping[str, str]) -> Iterator[tuple[str, list[str], str]]:
    """Yield each variable that overrides something, with the keys that lead there and the value."""
    for name, value in sorted(environment.items()):
        if name.startswith(ENVIRONMENT_PREFIX) and "__" in name:
            keys = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
            if keys[-1].endswith("_from_file"):
                yield name, [*keys[:-1], keys[-1].removesuffix("_from_file")], _secret_in(name, Path(value))
            else:
                yield name, keys, value


def _secret_in(variable: str, path: Path) -> str:
    """Return what a file holds, without the line's end that editors add; secrets are mounted as files."""
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsRefused((f"{variable}: {path} can't be read.",)) from error


def _lay_over(document: dict[str, Any], variable: str, keys: list[str], value: str) -> Iterator[str]:
    """Put a variable's value into the file's tables and yield the places that say something only by it."""
    *tables, last = keys
    table = document
    place: tuple[str, ...] = ()
    for name in tables:
        # Subgraph and process names may hold a dash, which an environment variable's name can't.
        spelled = next((known for known in table if known.replace("-", "_") == name), name)
        place = (*place, spelled)
        if spelled not in table:
            yield ".".join(place)
        inner = table.setdefault(spelled, {})
        if not isinstance(inner, dict):
            raise SettingsRefused((f"{variable} steps into `{name}`, which is a value and no table.",))
        table = inner
    table[last] = value
    yield ".".join((*place, last))
