"""What configures the ERP subgraph."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from subgraphs.kit.settings import SubgraphSettings


class ErpInstance(BaseModel):
    """A further ERP beside one's own, such as another region's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")
    """What its ids begin with, and the crosswalk calls `erp/<name>`. Never changed once there are records."""
    url: str
    token: SecretStr
    login: str = "concord"
    password: SecretStr
    region: str | None = None
    """Where its data lives: callers whose claims confine them to other regions don't see it."""


class ErpRoute(BaseModel):
    """Which ERP gets a new customer; every part that is stated must fit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    instance: str = ""
    """Its name; empty for one's own."""
    countries: tuple[str, ...] = ()
    """ISO 3166 alpha-2."""
    currencies: tuple[str, ...] = ()
    business_units: tuple[str, ...] = ()


class ErpSettings(SubgraphSettings):
    """Settings from `CONCORD_ERP_…`. `vendor_token` is Tryton's application key for REST."""

    model_config = SettingsConfigDict(env_prefix="CONCORD_ERP_")

    port: int = Field(default=4004, ge=0, le=65535)
    state_dir: Path = Path(".concord/erp")
    vendor_url: str = "http://127.0.0.1:4104/erp"
    """Tryton's address with the database's name."""
    vendor_login: str = "concord"
    vendor_password: SecretStr = SecretStr("sandbox-password")
    """Of the Tryton user that writes by RPC."""
    region: str | None = None
    """Where its data lives; see `ErpInstance.region`."""
    instances: tuple[ErpInstance, ...] = ()
    """Further ERPs: `[{"name": "us", "url": "…", "token": "…", "password": "…", "region": "US"}]`."""
    routes: tuple[ErpRoute, ...] = ()
    """Where new customers go, the first that fits: `[{"countries": ["US", "CA"], "instance": "us"}]`. Else one's own ERP."""
    synchronise_interval_s: float = Field(default=3600.0, gt=0)
    """How often the crosswalk is told all customers once more, for changes that leave no mark on them: who belongs to whom."""
    due_soon_days: int = Field(default=7, ge=0, le=365)
    """How many days before its due date an invoice is announced as due soon."""
    today: dt.date | None = None
    """The business day; None: the current date in UTC."""

    def business_day(self) -> dt.date:
        """Return the day that overdue and recognised are judged by."""
        return self.today or dt.datetime.now(dt.UTC).date()

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        names = [instance.name for instance in self.instances]
        if len(set(names)) < len(names):
            raise ValueError("two of `instances` have one name")
        if unknown := {route.instance for route in self.routes} - {"", *names}:
            raise ValueError(f"`routes` name no instance {min(unknown)!r}")
        return self

    def instance_settings(self, instance: ErpInstance) -> ErpSettings:
        """Return the settings as they are for a further ERP."""
        return self.model_copy(
            update={
                "vendor_url": instance.url,
                "vendor_token": instance.token,
                "vendor_login": instance.login,
                "vendor_password": instance.password,
                "region": instance.region,
                "instances": (),
                "routes": (),
            }
        )
