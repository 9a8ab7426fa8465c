"""What configures a sandbox process, from environment variables.

class CrmSandboxSettings(SandboxSettings):
    model_config = SettingsConfigDict(env_prefix="CONCORD_CRM_SANDBOX_")
    port: int = 4102
    state_dir: Path = Path(".concord/crm-sandbox")
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings


class SandboxSettings(BaseSettings):
    """Settings that every sandbox has. A subclass gives the prefix, the port and the folder."""

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    state_dir: Path = Path(".concord/sandbox")
    seed: int = 7
    customers: int = Field(default=200, ge=1, le=20_000)
    today: dt.date | None = None
    """The day the generated history ends at; None: the current date."""
    token: SecretStr = SecretStr("sandbox-token")
    webhook_url: str = ""
    """Where webhooks are delivered; empty: nowhere."""
    webhook_secret: SecretStr = SecretStr("sandbox-webhook-secret")

    @property
    def history_end(self) -> dt.date:
        """The day the generated history ends at."""
        return self.today or dt.datetime.now(dt.UTC).date()
