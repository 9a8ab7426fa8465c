"""What the line does once for a document: text → operation → plan → functions. Pure, and kept by the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol

from graphql import DocumentNode, OperationDefinitionNode

from gateway.access.admit import admit, admit_text
from gateway.access.cost import estimate
from gateway.access.demand import Demands
from gateway.access.limits import Limits
from gateway.access.restrict import Verdict, asks_root_field, demands_of, is_introspection, restrict, root_field
from gateway.access.rules import AccessRules
from gateway.access.trusted import TrustedDocuments
from gateway.access.visible import visible_schema
from gateway.access.weights import Weights
from gateway.errors import GatewayError, RequestRefused
from gateway.execution.answer import CompiledOperation, compile_answer
from gateway.execution.execute import Subgraphs, compile_plan
from gateway.federation.operation import Operation, parse_document, prepare
from gateway.federation.plan import OperationKind, QueryPlan
from gateway.federation.supergraph import Supergraph
from gateway.upstream.timing import Timing

DocumentKey = tuple[str, str | None, frozenset[str], Demands]
"""Text, name of the operation, override labels and what the caller lacks: what a plan is found by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLimits:
    """What one request may take of the engine."""

    deadline_s: float = 30.0
    """Time to the answer; the header X-Request-Timeout-Ms may shorten it."""
    cached_operations: int = 2_000
    reported_errors: int = 20
    """Entries of `errors` in one answer; the last one says how many more there were."""
    requires_write_keys: bool = False
    """Whether a mutation field without an idempotency key is refused."""
    document: Limits = field(default_factory=Limits)
    """What one document may ask for."""
    cost: int | None = None
    """The most an operation may cost by estimate; trusted documents may cost more. None: anything."""
    explains_documents: bool = True
    """Whether a refused document is told what is wrong with it; that tells what the schema has, one guess at a time."""
    is_typed: bool = True
    """Whether queries are executed over typed objects where that is possible; the answers are the same."""


class PlansOperations(Protocol):
    """A planner."""

    def plan(self, operation: Operation, active_labels: frozenset[str]) -> QueryPlan:
        """Return the operation's plan under some override labels; raises GatewayError where that takes too much."""


def read_document(text: str, limits: Limits, *, trusted: bool) -> DocumentNode:
    """Parse a document that is within the limits. Raises GatewayError or RequestRefused where it is not."""
    admit_text(text, limits, trusted=trusted)
    document = parse_document(text)
    admit(document, limits, trusted=trusted)
    return document


def check_document(text: str, supergraph: Supergraph, planner: PlansOperations, limits: Limits) -> None:
    """Do for each operation of a trusted document what a gateway does before it runs.

    Raises GatewayError or RequestRefused where that refuses one.
    """
    document = read_document(text, limits, trusted=True)
    for each in document.definitions:
        if isinstance(each, OperationDefinitionNode):
            name = each.name.value if each.name else None
            operation = prepare(supergraph.api_schema, text, name, document=document)
            for labels in {frozenset[str](), supergraph.override_labels}:
                planner.plan(operation, labels)


class DocumentCompiler:
    """Compiles documents for callers who lack the same rights, in any thread."""

    def __init__(
        self,
        supergraph: Supergraph,
        subgraphs: Subgraphs,
        *,
        planner: PlansOperations,
        rules: AccessRules,
        limits: EngineLimits,
        trusted: TrustedDocuments,
        known: Callable[[DocumentKey], CompiledOperation | None],
        timing: Timing,
    ) -> None:
        """`known` finds what was compiled before, so that callers who lack nothing a document asks for share its plan.

        `timing` counts what each document took.
        """
        self._supergraph = supergraph
        self._subgraphs = subgraphs
        self._planner = planner
        self._rules = rules
        self._limits = limits
        self._trusted = trusted
        self._known = known
        self._weights = Weights(supergraph)
        self._timing = timing

    def compile(self, key: DocumentKey) -> CompiledOperation:
        """Return the compiled operation. Raises GatewayError or RequestRefused where it is refused."""
        begun = perf_counter()
        try:
            return self._compile(key)
        finally:
            self._timing.note(perf_counter() - begun)

    def _compile(self, key: DocumentKey) -> CompiledOperation:
        text, operation_name, labels, unmet = key
        is_trusted = self._trusted.trusts(text)
        document = read_document(text, self._limits.document, trusted=is_trusted)
        try:
            operation = prepare(self._supergraph.api_schema, text, operation_name, document=document)
        except RequestRefused as refused:
            if self._limits.explains_documents:
                raise
            raise GatewayError("GRAPHQL_VALIDATION_FAILED") from refused
        cost = None if is_trusted else estimate(operation, self._weights)
        introspects = is_introspection(operation)
        if not introspects:
            unmet = unmet & demands_of(operation, self._root_type(operation), self._rules) if unmet else unmet
            shared = self._known((text, operation_name, labels, unmet)) if unmet != key[3] else None
            if shared is not None:
                return shared
        if not unmet:
            plan = self._planner.plan(operation, labels)
            return compile_answer(
                operation, compile_plan(plan, self._subgraphs), cost=cost, is_typed=self._limits.is_typed
            )
        verdict = Verdict(self._rules, unmet)
        restricted = restrict(operation, self._root_type(operation), verdict)
        if operation.kind is OperationKind.SUBSCRIPTION and not asks_root_field(restricted):
            raise GatewayError("UNAUTHORIZED_FIELD_OR_TYPE", path=(root_field(operation),))
        plan = self._planner.plan(restricted, labels)
        return compile_answer(
            operation,
            compile_plan(plan, self._subgraphs),
            denials=verdict,
            visible=visible_schema(operation.schema, verdict) if introspects else None,
            cost=cost,
            is_typed=self._limits.is_typed,
        )

    def _root_type(self, operation: Operation) -> str:
        return self._supergraph.root_types[operation.kind.value]
