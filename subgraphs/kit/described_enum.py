"""Enumerations with a description of each value, for members that know nothing of GraphQL.

    described_enum("Where a contract stands.", DRAFT="Agreed, not started yet.", ACTIVE="…")(ContractStatus)

`strawberry.enum_value` can't be a `StrEnum`'s value, and records are of no wire's terms.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TypeVar

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

EnumT = TypeVar("EnumT", bound=type[Enum])


def described_enum(description: str, *, called: str | None = None, **values: str) -> Callable[[EnumT], EnumT]:
    """Return a decorator that makes a class a GraphQL enumeration, `called` something else if need be.

    Raises KeyError unless exactly the members are described.
    """

    def decorate(members: EnumT) -> EnumT:
        if difference := values.keys() ^ members.__members__.keys():
            raise KeyError(members.__name__, *sorted(difference))
        made = strawberry.enum(members, name=called, description=description)
        definition = getattr(made, "__strawberry_definition__")  # noqa: B009 - strawberry adds it
        assert isinstance(definition, StrawberryEnumDefinition)
        for value in definition.values:
            value.description = values[value.name]
        return made

    return decorate
