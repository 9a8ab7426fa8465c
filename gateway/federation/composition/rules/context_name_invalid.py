"""CONTEXT_NAME_INVALID: the name of a context has other characters than letters and digits."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.rules.finding import in_subgraph


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """The supergraph joins subgraph and context names with `__`, so a context has no underscore."""
    for element in subgraph.types.values():
        for applied in subgraph.uses(element, "context"):
            name = applied.text("name") or ""
            if not (name.isascii() and name.isalnum() and name[0].isalpha()):
                yield in_subgraph(
                    subgraph,
                    "CONTEXT_NAME_INVALID",
                    f"the context name `{name}` on `{element.name}` has to be letters and digits, a letter first",
                    coordinate=element.name,
                    at=(applied,),
                )
