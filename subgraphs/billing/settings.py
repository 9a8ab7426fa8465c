"""What configures the billing subgraph: environment variables with the prefix CONCORD_BILLING_."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from subgraphs.kit.settings import SubgraphSettings


class BillingSettings(SubgraphSettings):
    """`vendor_token` is Stripe's secret key, `webhook_secret` the endpoint's signing secret."""

    model_config = SettingsConfigDict(env_prefix="CONCORD_BILLING_")

    port: int = 4003
    state_dir: Path = Path(".concord/billing")
    vendor_url: str = "http://127.0.0.1:4103"
    vendor_token: SecretStr = SecretStr("sk_test_sandbox")
    webhook_secret: SecretStr = SecretStr("whsec_sandbox")
    webhook_tolerance_s: int = Field(default=300, gt=0)
    max_staleness_s: float = Field(default=15.0, ge=0)
    """How long ago Stripe may have been asked for news before a read asks first; 0: every read does."""
    serve_stale_for_s: float = Field(default=0.0, ge=0)
    """How much longer reads are answered from the copy while Stripe can't be reached."""
    usage_refresh_s: float = Field(default=600.0, gt=0)
    """Stripe tells nothing of use that others record: within this time every meter in force is read once."""
    renewal_days_before: tuple[int, ...] = (90, 60, 30, 7)
    renewal_check_s: float = Field(default=3600.0, gt=0)
    threshold_percents: tuple[int, ...] = (80, 90)
