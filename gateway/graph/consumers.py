"""Which consumers' variants of the graph have what of the gateway's own: `@tag`s, of which `contracts` of the configuration
make variants. `Workflow` means all fields of a type, `Workflow.id` one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from copy import copy
from typing import Any

from strawberry.federation.schema_directives import External, Tag
from strawberry.schema import Schema

_OBJECTS = "Query.node Query.nodes Node PageInfo"
_EVENTS = "LifecycleEvent FieldChange EventGap"

CONSUMERS: Mapping[str, str] = {
    "portal": (
        f"{_OBJECTS} {_EVENTS} Query.events LifecycleEventConnection LifecycleEventEdge"
        " Subscription.customerEvents Subscription.renewalUpdates Subscription.contractEvents Subscription.invoiceEvents"
        " Subscription.entitlementChanges Subscription.workflowUpdates Query.workflow Mutation.closeOpportunity"
        " Mutation.amendContract Mutation.renewContract Mutation.creditContract CloseOpportunityPayload AmendContractPayload"
        " RenewContractPayload CreditContractPayload PlannedWrite PlannedChange Workflow.id Workflow.kind Workflow.status Workflow.steps"
        " Workflow.error Workflow.customer Workflow.contract Workflow.startedAt Workflow.effectiveOn Workflow.finishedAt WorkflowStep WorkflowError"
    ),
    "support": f"{_OBJECTS} {_EVENTS} Subscription.entitlementChanges",
    "analytics": _OBJECTS,
}
"""Consumer → coordinates."""


def tag(schema: Schema) -> None:
    """Write the table's tags on the fields of a schema."""
    types: dict[str, Any] = {name: each.definition for name, each in schema.schema_converter.type_map.items()}
    taken: set[int] = set()
    for definition in types.values():
        if hasattr(definition, "fields"):  # what several inherit is one object there: here each has its own
            definition.fields[:] = [copy(each) if id(each) in taken else each for each in definition.fields]
            taken.update(map(id, definition.fields))
    naming = schema.config.name_converter
    tags: defaultdict[int, list[str]] = defaultdict(list)
    fields: dict[int, Any] = {}
    for consumer, coordinates in CONSUMERS.items():
        for coordinate in coordinates.split():
            type_name, _, wanted = coordinate.partition(".")
            for field in types[type_name].fields:
                is_external = any(isinstance(each, External) for each in field.directives or ())
                if not is_external and (not wanted or naming.from_field(field) == wanted):
                    fields[id(field)] = field
                    tags[id(field)].append(consumer)
    for key, field in fields.items():
        others = [each for each in field.directives or () if not isinstance(each, Tag)]
        field.directives = [*others, *(Tag(name=name) for name in sorted(set(tags[key])))]
