from __future__ import annotations

from billing_processes import pair, peers

__all__ = ["pair", "peers"]
