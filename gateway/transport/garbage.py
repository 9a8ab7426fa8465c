"""Set Python's cyclic garbage collector for a server.

Answers are trees that reference counting frees the moment they are sent. By default the collector looks through the
young ones after every 700 new containers, which one large answer makes many times over, and finds nothing. What does
make cycles (tasks with their exceptions, replaced schemas) is still collected, but later.
"""

from __future__ import annotations

import gc

_YOUNG = 50_000
"""Containers that may be made, beyond those freed, before the young ones are looked through."""
_MIDDLE = 20
_OLD = 50
"""How many times a younger generation is looked through before the next older one is, too."""


def settle_garbage() -> None:
    """Keep what lives now (modules, schema, query graph) out of every later collection, and make those rarer.

    Once the process is set up, and again after a reload: what was replaced since then is freed first.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)


def is_settled() -> bool:
    """Tell whether this process's collector was set."""
    return gc.get_freeze_count() > 0
