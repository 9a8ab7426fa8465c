"""What configures the identity process: `CONCORD_IDENTITY_…`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from subgraphs.kit.settings import SubgraphSettings


class IdentitySettings(SubgraphSettings):
    """Identity has no vendor; its store is its own."""

    model_config = SettingsConfigDict(env_prefix="CONCORD_IDENTITY_")

    port: int = Field(default=4001, ge=0, le=65535)
    state_dir: Path = Path(".concord/identity")
    regions: Mapping[str, str] = {}
    """System → where its data lives, such as `{"crm/acme": "US"}`. Callers whose claims confine them to other regions don't
    see its records."""
