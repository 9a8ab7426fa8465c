from __future__ import annotations

from crm_world import company, hubspot_sandbox, world

__all__ = ["company", "hubspot_sandbox", "world"]
