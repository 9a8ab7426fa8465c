"""What configures the identity process: `CONCORD_IDENTITY_…`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from subgraphs.identity.record import RecordRefusedError, parse_system
from subgraphs.kit.settings import SubgraphSettings


class IdentitySettings(SubgraphSettings):
    """Identity has no vendor; its store is its own."""

    model_config = SettingsConfigDict(env_prefix="CONCORD_IDENTITY_")

    port: int = Field(default=4001, ge=0, le=65535)
    state_dir: Path = Path(".concord/identity")
    systems: tuple[str, ...] = ()
    """The systems that are to tell their customers, such as `["crm", "billing", "erp"]`. Until each has done so once, answers
    say of which customers they may be short."""
    regions: Mapping[str, str] = {}
    """System → where its data lives, such as `{"crm/acme": "US"}`. Callers whose claims confine them to other regions don't
    see its records."""
    dimensions: Mapping[str, str] = {}
    """Dimension of claims → the facet of customers that it means, such as `{"business_unit": "segment", "tenant": "reference"}`.
    Whoever is confined in a dimension that isn't here sees no customer."""
    tenants_confine: bool = True
    """Whether a caller who acts for a tenant sees only the customer that it is; as `events.tenants_confine` of the gateway."""

    @field_validator("systems")
    @classmethod
    def _are_names(cls, systems: tuple[str, ...]) -> tuple[str, ...]:
        for system in systems:
            try:
                parse_system(system)
            except RecordRefusedError as error:
                raise ValueError(f"{system!r} is no name of a system, such as crm or crm/acme") from error
        return systems

    @field_validator("dimensions")
    @classmethod
    def _knows_no_region(cls, dimensions: Mapping[str, str]) -> Mapping[str, str]:
        if "region" in dimensions:
            raise ValueError("a region is where a system's data lives, see `regions`; it is no dimension of customers")
        return dimensions

    @field_validator("tenants_confine")
    @classmethod
    def _says_what_dimensions_say(cls, tenants_confine: bool, info: ValidationInfo) -> bool:
        if not tenants_confine and "tenant" in info.data.get("dimensions", {}):
            raise ValueError("`dimensions` says what customer a tenant is; leave `tenant` out there, or this setting")
        return tenants_confine
