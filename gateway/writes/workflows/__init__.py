"""Writes over several systems: durable, resumed after a crash, undone where they can't be finished, visible meanwhile."""
