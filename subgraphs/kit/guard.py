"""Who may see what of a subgraph, as one page: a table from coordinates to what they demand.

    ACCESS = {
        "Invoice": scopes("invoices:read"),                 # a type, wherever it comes from
        "Customer.creditLimit": scopes("credit:read"),      # a field
        "Contact.email": classified("PII"),                 # shown to some roles, masked for others
        "Mutation.setCreditHold": scopes("credit:write"),
    }

The table becomes directives of the schema; composition carries them to the gateway, which keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import strawberry
from strawberry.federation.schema_directives import Authenticated, RequiresScopes
from strawberry.schema_directive import Location


@strawberry.federation.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="classified",
    compose=True,
    import_url="https://concord.invalid/classified/v1.0",
    description="Shown as it is to the roles that the configuration names for this classification; masked for others.",
)
class Classified:
    """`@classified(as: "PII")`."""

    as_: str = strawberry.directive_field(name="as")


Guard: TypeAlias = RequiresScopes | Authenticated | Classified
Access: TypeAlias = Mapping[str, Guard]
"""Coordinate (`Invoice`, `Customer.creditLimit`) → what it demands."""


def scopes(*names: str) -> RequiresScopes:
    """Return the demand for all of these scopes."""
    return RequiresScopes(scopes=[list(names)])


def classified(classification: str) -> Classified:
    """Return the mark of a classification."""
    return Classified(as_=classification)


def apply(access: Access, schema: strawberry.Schema) -> None:
    """Write the table's directives on the types of a schema. Raises KeyError for a coordinate that isn't there."""
    for coordinate, guard in access.items():
        type_name, _, field_name = coordinate.partition(".")
        concrete = schema.schema_converter.type_map.get(type_name)
        if concrete is None:
            raise KeyError(coordinate)
        element: Any = concrete.definition
        if field_name:
            names = {schema.config.name_converter.from_field(field): field for field in element.fields}
            element = names.get(field_name)
            if element is None:
                raise KeyError(coordinate)
        others = [each for each in element.directives or () if not isinstance(each, type(guard))]
        element.directives = [*others, guard]
