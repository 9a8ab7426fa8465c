"""COST_APPLIED_TO_INTERFACE_FIELD: @cost stands on a field of an interface.

Spec: https://ibm.github.io/graphql-specs/cost-spec.html#sec-No-Cost-on-Interface-Fields
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.element import InterfaceType
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.rules.finding import in_subgraph


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """What a field costs is known where it is resolved: on the implementations."""
    for parent, field in subgraph.fields():
        applied = subgraph.use(field, "cost")
        if isinstance(parent, InterfaceType) and applied is not None:
            yield in_subgraph(
                subgraph,
                "COST_APPLIED_TO_INTERFACE_FIELD",
                f"@cost cannot stand on `{parent.name}.{field.name}`, a field of an interface",
                coordinate=f"{parent.name}.{field.name}",
                at=(applied, field),
                mend="Put @cost on the field of the implementing types.",
            )
