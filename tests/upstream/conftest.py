from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "execution"))

from scripted_fixtures import gateway, pool, subgraphs, unused_tcp_port

__all__ = ["gateway", "pool", "subgraphs", "unused_tcp_port"]
