"""Fetches of a plan over typed objects: what each sends, how its answer is read, and how it joins the tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson

from gateway.execution.ports import Begin, SubgraphRequest, encode
from gateway.execution.typed_generate import Irregular, Keys, Merge
from gateway.execution.typed_tree import Spot
from gateway.federation.plan import OperationKind

IRREGULAR = object()
"""Stands for an answer that is JSON but not what its class says, or tells of errors."""


@dataclass(slots=True)
class TypedPath:
    """One path of an input: the objects that it leads to."""

    spot: Spot
    keys: Keys
    merge: Merge


@dataclass(slots=True)
class TypedInput:
    """One list of representations."""

    variable: str
    paths: tuple[TypedPath, ...]
    attribute: str
    """Of the answer's `data`: where the results are."""


@dataclass(slots=True)
class TypedFetch:
    """A fetch. A root fetch has no inputs and merges its whole answer into the root."""

    id: int
    subgraph: str
    document: str
    operation_name: str | None
    variables: tuple[str, ...]
    root_fields: tuple[str, ...]
    prefix: bytes
    begin: Begin
    begins_itself: bool
    """Whether the client starts fetches itself. Any other one may look into what it decodes, and gets plain JSON."""
    inputs: tuple[TypedInput, ...]
    merge_root: Merge | None
    data: Any
    """The class of the answer's `data`."""
    creates: tuple[Spot, ...]
    """Places whose objects come with the answer: of those above others first."""
    decoder: Callable[[bytes], Any] = field(init=False)
    _copy: Callable[[], SubgraphRequest] = field(init=False)
    """Makes the request without variables anew: a copy is made in C, from what is the same in each."""

    def __post_init__(self) -> None:
        answer = msgspec.defstruct("Answer", [("data", self.data), ("errors", Any, None)], gc=False)
        self.decoder = msgspec.json.Decoder(answer).decode
        bare = SubgraphRequest(
            subgraph=self.subgraph,
            kind=OperationKind.QUERY,
            document=self.document,
            variables={},
            operation_name=self.operation_name,
            root_fields=self.root_fields,
            prefix=self.prefix,
            fetch_id=self.id,
            decode=self.decode if self.begins_itself else orjson.loads,
            body_=b"%b{}}" % self.prefix,
        )
        self._copy = bare.__copy__  # type: ignore[attr-defined]  # msgspec's stubs lack it

    def decode(self, body: bytes) -> Any:
        """Return the answer's `data`, or IRREGULAR. Raises ValueError on what isn't JSON."""
        try:
            answer = self.decoder(body)
        except (msgspec.ValidationError, RecursionError):
            orjson.loads(body)
            return IRREGULAR
        return IRREGULAR if answer.errors else answer.data

    def typed(self, value: Any) -> Any:
        """Return the `data` of what a client says it decoded. Raises Irregular."""
        if value.__class__ is not self.data and value is not IRREGULAR:
            # An answer that never was text, or came under a status that isn't 200.
            try:
                value = self.decode(orjson.dumps(value))
            except (TypeError, ValueError):
                raise Irregular from None
        if value is IRREGULAR:
            raise Irregular
        return value

    def request(self, variables: Mapping[str, Any], entities: int) -> SubgraphRequest:
        """Return the request with these variables."""
        request = self._copy()
        request.variables = variables
        request.entities = entities
        if variables:
            request.body_ = b"%b%b}" % (self.prefix, encode(variables))
        return request
