"""What configures a subgraph process, from environment variables.

class CrmSettings(SubgraphSettings):
    model_config = SettingsConfigDict(env_prefix="CONCORD_CRM_")
    port: int = 4002
    state_dir: Path = Path(".concord/crm")
    vendor_url: str = "http://127.0.0.1:4102"
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings


class SubgraphSettings(BaseSettings):
    """Settings that every subgraph has. A subclass gives the prefix, the port and the folder."""

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    """0: any free port; the `ready` line tells which."""
    state_dir: Path = Path(".concord/subgraph")
    """Shared by the replicas of this subgraph on one machine, or each one's own; see `replica.py`."""
    store_redis_url: str = ""
    """Where replicas that have no disk in common share their store; empty: `state_dir` is shared, or there is one alone."""
    vendor_url: str = ""
    vendor_token: SecretStr = SecretStr("sandbox-token")
    webhook_secret: SecretStr = SecretStr("sandbox-webhook-secret")
    webhook_public_url: str = ""
    """The address under which the vendor calls us, where its signature covers it; empty: the address it used."""
    crosswalk_url: str = "http://127.0.0.1:4001"
    """The identity subgraph's address, or those of its replicas with commas between."""
    events_url: str = "http://127.0.0.1:4000/events"
    """Where events go: a gateway's address, or those of several with commas between, so that another takes them."""
    signing_secret: SecretStr = SecretStr("concord-development-secret")
    """Shared by our own processes."""
    require_caller: bool = False
    """Whether requests that don't come through the gateway, which says for whom they are, are refused."""
    poll_interval_s: float = Field(default=5.0, gt=0)
    vendor_timeout_s: float = Field(default=10.0, gt=0)
    vendor_requests_per_s: float | None = Field(default=None, gt=0)
    """What this product may send the vendor over a long time, by all replicas together; None: no budget of ours."""
    vendor_burst: int = Field(default=100, ge=1)
    """How many of them at once, after a pause."""
    vendor_budget_redis_url: str = ""
    """Where replicas share the budget; empty: where they share their store, or the processes that share `state_dir` do."""
    max_body_bytes: int = Field(default=4_000_000, gt=0)
