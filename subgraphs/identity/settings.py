"""What configures the identity process: `CONCORD_IDENTITY_…`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from subgraphs.kit.settings import SubgraphSettings


class IdentitySettings(SubgraphSettings):
    """Identity has no vendor; its store is its own."""

    model_config = SettingsConfigDict(env_prefix="CONCORD_IDENTITY_")

    port: int = Field(default=4001, ge=0, le=65535)
    state_dir: Path = Path(".concord/identity")
