"""What configures the CRM subgraph: environment variables `CONCORD_CRM_…`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from subgraphs.kit.settings import SubgraphSettings


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
    synchronise_interval_s: float = Field(default=3600.0, gt=0)
    """How often everything is read once more, so that a webhook that never came is made up for."""
