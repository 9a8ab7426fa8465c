"""What configures the CRM subgraph: environment variables `CONCORD_CRM_…`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from subgraphs.kit.settings import SubgraphSettings


class CrmInstance(BaseModel):
    """A further CRM beside one's own, such as an acquisition's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")
    """What its ids begin with, and the crosswalk calls `crm/<name>`. Never changed once there are records."""
    vendor: Literal["hubspot", "salesforce"]
    url: str
    token: SecretStr
    client_id: str = "concord"
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    webhook_secret: SecretStr = SecretStr("")
    region: str | None = None
    """Where its data lives: callers whose claims confine them to other regions don't see it."""


class CrmSettings(SubgraphSettings):
    """Environment variables `CONCORD_CRM_…`."""

    model_config = SettingsConfigDict(env_prefix="CONCORD_CRM_")

    port: int = Field(default=4002, ge=0, le=65535)
    state_dir: Path = Path(".concord/crm")
    vendor: Literal["hubspot", "salesforce"] = "hubspot"
    """Which CRM is behind the graph. Salesforce takes a connected app's id and, as `vendor_token`, its secret."""
    vendor_url: str = "http://127.0.0.1:4102"
    """HubSpot's API host, or the org's own (`https://acme.my.salesforce.com`)."""
    vendor_client_id: str = "concord"
    """The consumer key of the connected app. HubSpot's private apps have none."""
    vendor_currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    """The currency of an org that has only one, whose opportunities therefore don't name it."""
    region: str | None = None
    """Where its data lives; see `CrmInstance.region`."""
    instances: tuple[CrmInstance, ...] = ()
    """Further CRMs: `[{"name": "acme", "vendor": "salesforce", "url": "…", "token": "…"}]`."""
    synchronise_interval_s: float = Field(default=3600.0, gt=0)
    """How often everything is read once more, so that a webhook that never came is made up for."""

    def instance_settings(self, instance: CrmInstance) -> CrmSettings:
        """Return the settings as they are for a further CRM."""
        return self.model_copy(
            update={
                "vendor": instance.vendor,
                "vendor_url": instance.url,
                "vendor_token": instance.token,
                "vendor_client_id": instance.client_id,
                "vendor_currency": instance.currency,
                "webhook_secret": instance.webhook_secret,
                "region": instance.region,
                "instances": (),
            }
        )
