"""From a finished run to an answer's `data` and `errors`; compiled once per operation beside its plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, assert_never

from graphql import GraphQLSchema

from gateway.errors import REGISTRY, Outcome
from gateway.execution.complete import Completer, visible_path
from gateway.execution.entity_fetch import CompiledEntity
from gateway.execution.execute import (
    CompiledCondition,
    CompiledNode,
    CompiledParallel,
    CompiledPlan,
    CompiledSequence,
    CompiledSubscription,
)
from gateway.execution.generate import Complete, Irregular, generate_complete
from gateway.execution.introspect import Introspection, introspection_of
from gateway.execution.located import ErrorList, Failure, SubgraphProfile, failure_of
from gateway.execution.message import GraphQLResponse
from gateway.execution.ports import SubgraphFailure
from gateway.execution.root_fetch import CompiledRoot
from gateway.execution.run import Run
from gateway.execution.shape import Denials, ObjectShape, compile_shape
from gateway.execution.typed_operation import TypedOperation, type_operation
from gateway.execution.walk import ConcretePath, static_path
from gateway.federation.operation import Operation

StaticPath = tuple[str, ...]
"""Response names without list indices: `("customers", "name")`."""


class EstimatesCost(Protocol):
    """What an operation may cost, by its variables."""

    def __call__(self, variables: Mapping[str, Any], /) -> int:
        """Return the estimate."""

    def check(self, variables: Mapping[str, Any], limit: int, *, explains: bool) -> None:
        """Raise GatewayError where it is above the limit, or can't be told."""


@dataclass(frozen=True, slots=True)
class CompiledOperation:
    """An operation with everything that answering it needs. Immutable; shared by every request of its document."""

    operation: Operation
    plan: CompiledPlan
    shape: ObjectShape
    providers: Mapping[StaticPath, SubgraphProfile]
    """Place in the tree → the subgraph that supplies it and, down to the next entry, what is below."""
    complete: Callable[[Mapping[str, Any]], Complete]
    """Variables → the generated function that completes regular trees."""
    introspection: Introspection | None
    """The operation's `__schema` and `__type` fields alone."""
    typed: TypedOperation | None = None
    """The operation over typed objects, where it can be."""
    cost: EstimatesCost | None = None
    """The operation's estimated cost; None where nobody asks for it."""

    def provider(self, path: ConcretePath) -> SubgraphProfile | None:
        """Return the subgraph that supplies the field at a path of the answer."""
        names = tuple(step for step in path if isinstance(step, str))
        for length in range(len(names), 0, -1):
            found = self.providers.get(names[:length])
            if found is not None:
                return found
        return None


def compile_answer(
    operation: Operation,
    plan: CompiledPlan,
    *,
    denials: Denials | None = None,
    visible: GraphQLSchema | None = None,
    cost: EstimatesCost | None = None,
    is_typed: bool = True,
) -> CompiledOperation:
    """Compile what completes the operation's answers.

    `denials` are what the caller may not see, `visible` the schema that introspection is answered from where that is
    not the operation's own.
    """
    providers: dict[StaticPath, SubgraphProfile] = {}
    for path, profile in _supplied(plan.root):
        providers.setdefault(path, profile)
    shape = compile_shape(operation, denials)
    return CompiledOperation(
        operation,
        plan,
        shape,
        providers,
        generate_complete(shape, plan.shared),
        introspection_of(operation, visible),
        type_operation(plan, shape) if is_typed else None,
        cost,
    )


def _supplied(node: CompiledNode | CompiledSubscription | None) -> Iterator[tuple[StaticPath, SubgraphProfile]]:
    match node:
        case None:
            return
        case CompiledRoot(fetch=root, profile=profile):
            for name in root.root_fields:
                yield (name,), profile
        case CompiledEntity(fetch=entity, profile=profile):
            for entity_input in entity.inputs:
                for path in entity_input.paths:
                    for name in entity_input.fields:
                        yield (*static_path(path), name), profile
        case CompiledSequence(nodes) | CompiledParallel(nodes):
            for each in nodes:
                yield from _supplied(each)
        case CompiledCondition(_, if_true, if_false):
            yield from _supplied(if_true)
            yield from _supplied(if_false)
        case CompiledSubscription(primary, rest):
            yield from _supplied(primary)
            yield from _supplied(rest)
        case _:
            assert_never(node)


def answer(
    compiled: CompiledOperation, run: Run, *, most_errors: int
) -> tuple[dict[str, Any] | None, tuple[dict[str, Any], ...]]:
    """Complete a finished run: return the answer's `data` and the entries of its `errors`."""
    data: dict[str, Any] | None
    try:
        data = compiled.complete(run.variables)(run.data)
    except Irregular:
        data = _complete_exactly(compiled, run)
    if not run.errors.found:
        return data, ()
    return data, _as_selected(compiled.shape, run).entries(run.context.correlation_id, most_errors)


def _complete_exactly(compiled: CompiledOperation, run: Run) -> dict[str, Any] | None:
    def owner_of(path: ConcretePath) -> Failure:
        profile = compiled.provider(path)
        outcome = (Outcome.UNKNOWN if len(path) == 1 else Outcome.APPLIED) if run.is_write else None
        system, owner = (profile.system, profile.owner) if profile else ("gateway", None)
        return Failure(
            code="SYSTEM_BAD_RESPONSE", system=system, owner=owner, retryable=not run.is_write, outcome=outcome
        )

    def denied_at(path: ConcretePath) -> Failure:
        outcome = (Outcome.NOT_APPLIED if len(path) == 1 else Outcome.APPLIED) if run.is_write else None
        return Failure(code="UNAUTHORIZED_FIELD_OR_TYPE", outcome=outcome)

    return Completer(run.variables, run.errors, owner_of, denied_at).complete(compiled.shape, run.data)


def stream_refusal(compiled: CompiledOperation, failed: SubgraphFailure, correlation_id: str) -> GraphQLResponse:
    """Return the one answer of a subscription whose source can't start or broke: errors and no data."""
    root = compiled.plan.root
    assert isinstance(root, CompiledSubscription)
    errors = ErrorList()
    for name in root.primary.fetch.root_fields:
        errors.add((name,), failure_of(failed, root.primary.profile, is_write=False))
    return GraphQLResponse(
        errors=errors.entries(correlation_id, len(errors.found)),
        http_status=REGISTRY[failed.code].http_status,
        headers={"X-Correlation-Id": correlation_id},
    )


def _as_selected(shape: ObjectShape, run: Run) -> ErrorList:
    """Return the errors at places the client selected, in the order of their paths.

    An error of a field that only the gateway asked for is told at the fields that depend on it; where none does, at the
    nearest place the client knows.
    """
    selected = ErrorList(omitted=run.errors.omitted)
    hidden: list[tuple[ConcretePath, Failure]] = []
    for path, found in run.errors.found:
        failure = found
        if run.is_write and not run.context.write_keys and found.outcome is not Outcome.NOT_APPLIED:
            # Repeating the request would repeat the write: only a key makes that safe.
            failure = replace(found, retryable=False)
        visible = visible_path(shape, path, run.data, run.variables)
        if visible == path:
            selected.add(path, failure)
        else:
            hidden.append((visible, failure))
    for path, failure in hidden:
        if not selected.explains(path):
            selected.add(path, failure)
    selected.found.sort(key=lambda each: [(isinstance(step, str), step) for step in each[0]])
    return selected
