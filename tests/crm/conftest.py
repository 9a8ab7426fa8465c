from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "systems")]

from crm_world import company, hubspot_sandbox, world  # noqa: E402 - found through the path above

__all__ = ["company", "hubspot_sandbox", "world"]
