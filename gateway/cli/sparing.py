"""What libraries would load, and a serving process has no use for: a sixth of what it would else hold in memory.

`tests/cache/test_loaded_modules.py` tells where a new version of a library loads such a part after all.
"""

from __future__ import annotations

from gateway.bare_package import bare_package


def spare_memory() -> None:
    """Leave parts of libraries out of this process. They come as ever once somebody asks for them.

    Called before anything else is imported; whatever was imported before stays as it is.
    """
    # Its execution, which ours stands in for, and utilities to compare and build schemas.
    bare_package("graphql")
    bare_package("graphql.utilities")
    bare_package("graphql.execution")
    # Its command line and supervisors, and what sets its own log up.
    bare_package("uvicorn")
    bare_package("logging.config")
    # Its own HTTP servers and pushing clients.
    bare_package("prometheus_client", values="prometheus_client.values")
    # What this Python has itself.
    bare_package("typing_extensions", get_type_hints="typing", NotRequired="typing", Required="typing")
