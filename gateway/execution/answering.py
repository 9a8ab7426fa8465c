"""How the queries of one document are answered: what is the same for all of them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from msgspec import Struct

from gateway.execution.answer import CompiledOperation
from gateway.execution.message import GraphQLResponse
from gateway.execution.ports import RequestContext
from gateway.execution.run import Landed
from gateway.execution.typed_operation import TypedOperation


class HandedOver(Protocol):
    """A typed run that couldn't go on."""

    @property
    def variables(self) -> Mapping[str, Any]:
        """The operation's."""

    @property
    def context(self) -> RequestContext:
        """The request's."""

    @property
    def landed(self) -> dict[tuple[int, bytes], Landed] | None:
        """What came already, or is under way."""

    @property
    def is_late(self) -> bool:
        """Whether it couldn't since a subgraph is slow."""


Respond = Callable[[CompiledOperation, RequestContext, bytes], GraphQLResponse]
"""Makes the response of the JSON of `data`."""

GoOn = Callable[[CompiledOperation, HandedOver], Coroutine[Any, Any, GraphQLResponse]]
"""Executes in the general way what couldn't be finished."""


class Answering(Struct, frozen=True, eq=False):
    """What every query of one operation shares, from its beginning to its answer."""

    compiled: CompiledOperation
    typed: TypedOperation
    respond: Respond
    go_on: GoOn
