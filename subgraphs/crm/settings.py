"""What configures the CRM subgraph: environment variables `CONCORD_CRM_…`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from subgraphs.kit.settings import SubgraphSettings


class CrmSettings(SubgraphSettings):
    """Environment variables `CONCORD_CRM_…`."""

    model_config = SettingsConfigDict(env_prefix="CONCORD_CRM_")

    port: int = Field(default=4002, ge=0, le=65535)
    state_dir: Path = Path(".concord/crm")
    vendor_url: str = "http://127.0.0.1:4102"
    synchronise_interval_s: float = Field(default=3600.0, gt=0)
    """How often everything is read once more, so that a webhook that never came is made up for."""
