"""Print the in-process subgraph's SDL: `python -m gateway.graph.print_schema > schema/subgraphs/concord.graphql`."""

from __future__ import annotations

import sys

from gateway.graph.schema import create_schema


def print_schema() -> str:
    """Return the SDL as composition reads it: without federation's own fields and types."""
    data = create_schema().execute_sync("{ _service { sdl } }").data
    assert data is not None
    return str(data["_service"]["sdl"]).rstrip() + "\n"


if __name__ == "__main__":
    sys.stdout.write(print_schema())
