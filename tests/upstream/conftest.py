from __future__ import annotations

from scripted_fixtures import gateway, pool, subgraphs, unused_tcp_port
from served_graph import graph

__all__ = ["gateway", "graph", "pool", "subgraphs", "unused_tcp_port"]
