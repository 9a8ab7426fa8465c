from __future__ import annotations

from served_graph import graph

__all__ = ["graph"]
