"""What configures the ERP subgraph."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from subgraphs.kit.settings import SubgraphSettings


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
    due_soon_days: int = Field(default=7, ge=0, le=365)
    """How many days before its due date an invoice is announced as due soon."""
    today: dt.date | None = None
    """The business day; None: the current date in UTC."""

    def business_day(self) -> dt.date:
        """Return the day that overdue and recognised are judged by."""
        return self.today or dt.datetime.now(dt.UTC).date()
