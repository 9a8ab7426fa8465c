"""DIRECTIVE_DEFINITION_INVALID: a schema defines @tag in a way that gateways don't understand."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.model.type_reference import Named, NonNull
from gateway.federation.composition.rules.finding import in_subgraph


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """Tags have a name, which is a string."""
    for name in sorted(subgraph.spellings.get("tag", ())):
        definition = subgraph.definitions.get(name)
        if definition is None:
            continue
        argument = definition.arguments.get("name")
        if argument is None or argument.type != NonNull(Named("String")):
            yield in_subgraph(
                subgraph,
                "DIRECTIVE_DEFINITION_INVALID",
                f"the definition of `@{name}` has to take `name: String!`",
                coordinate=f"@{name}",
                at=(definition,),
                mend="Remove the definition.",
            )
