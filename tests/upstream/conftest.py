from __future__ import annotations

from scripted_fixtures import gateway, pool, subgraphs, unused_tcp_port

__all__ = ["gateway", "pool", "subgraphs", "unused_tcp_port"]
