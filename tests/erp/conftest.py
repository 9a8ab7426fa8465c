"""What ERP tests ask for; everything of it is in `erp_world`."""

from erp_world import small_world, system, world

__all__ = ["small_world", "system", "world"]
