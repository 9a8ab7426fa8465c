"""What configures the sandbox: environment variables with the prefix CONCORD_BILLING_SANDBOX_."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from subgraphs.kit.sandbox.settings import SandboxSettings


class BillingSandboxSettings(SandboxSettings):
    """`token` is the secret key that requests have to bring."""

    model_config = SettingsConfigDict(env_prefix="CONCORD_BILLING_SANDBOX_")

    port: int = 4103
    state_dir: Path = Path(".concord/billing-sandbox")
    token: SecretStr = SecretStr("sk_test_sandbox")
    webhook_secret: SecretStr = SecretStr("whsec_sandbox")
    webhook_url: str = "http://127.0.0.1:4003/webhooks/stripe"
