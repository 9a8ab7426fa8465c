"""What configures the CRM's sandbox: environment variables `CONCORD_CRM_SANDBOX_…`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from subgraphs.kit.sandbox.settings import SandboxSettings


class CrmSandboxSettings(SandboxSettings):
    """Environment variables `CONCORD_CRM_SANDBOX_…`."""

    model_config = SettingsConfigDict(env_prefix="CONCORD_CRM_SANDBOX_")

    vendor: Literal["hubspot", "salesforce"] = "hubspot"
    """Whose API it speaks."""
    port: int = Field(default=4102, ge=0, le=65535)
    state_dir: Path = Path(".concord/crm-sandbox")
    webhook_url: str = "http://127.0.0.1:4002/webhooks/hubspot"
    searches_per_s: float | None = Field(default=None, gt=0)
    """HubSpot allows 5; None: any number."""
    client_id: str = "concord"
    """The consumer key of Salesforce's connected app; `token` is its secret."""
    session_s: float = Field(default=7200.0, gt=0)
    """How long a Salesforce session lasts."""
