"""The line: one request from top to bottom, no way back. Read this file first.

An `Engine` is built for one supergraph and never changes; a reload builds another and swaps one reference.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any

from graphql import GraphQLObjectType

from gateway.access.caller import ANONYMOUS, Caller
from gateway.access.cost import actual_cost
from gateway.access.override import ChooseLabels, Overrides
from gateway.access.persisted import PersistedDocuments, resolve_document
from gateway.access.policies import PolicyPort
from gateway.access.rules import AccessRules
from gateway.access.suggestion import without_suggestion
from gateway.access.trusted import TrustedDocuments, TrustMode
from gateway.access.unmet import UnmetDemands
from gateway.cache.known_documents import KnownDocument
from gateway.cache.shared_answers import SharedAnswers, depended_on
from gateway.compile import DocumentCompiler, EngineLimits, PlansOperations
from gateway.errors import GatewayError, RequestRefused
from gateway.execution.answer import CompiledOperation
from gateway.execution.answering import HandedOver
from gateway.execution.begun import execute_typed, hand_over
from gateway.execution.correlation import correlation_id
from gateway.execution.execute import Subgraphs, execute, execute_event, source_events
from gateway.execution.located import SubgraphProfile
from gateway.execution.message import ABSENT, GraphQLRequest, GraphQLResponse, SharedResponse, refusal
from gateway.execution.ports import (
    CallerView,
    RequestContext,
    SourceEvent,
    SubgraphAnswer,
    SubgraphClient,
)
from gateway.execution.run import Run
from gateway.federation.operation import coerce_variables
from gateway.federation.plan import OperationKind
from gateway.federation.planner import Planner
from gateway.federation.supergraph import Supergraph
from gateway.kept_plans import KeptPlans
from gateway.open_streams import OpenStream, OpenStreams
from gateway.records.provenance import FetchLog, Wanted, wanted
from gateway.records.response import respond, respond_typed
from gateway.short_way import ShortWay
from gateway.telemetry.requests import RequestMeter
from gateway.upstream.turns import Turns
from gateway.writes.keys import write_keys

__all__ = ["ABSENT", "ANONYMOUS", "Caller", "Engine", "EngineLimits", "GraphQLRequest", "GraphQLResponse", "refusal"]


class Engine:
    """Answers GraphQL requests over one supergraph."""

    def __init__(
        self,
        supergraph: Supergraph,
        clients: Mapping[str, SubgraphClient],
        *,
        planner: PlansOperations | None = None,
        profiles: Mapping[str, SubgraphProfile] | None = None,
        documents: PersistedDocuments | None = None,
        choose_labels: ChooseLabels | None = None,
        limits: EngineLimits | None = None,
        turns: Turns | None = None,
        meter: RequestMeter | None = None,
        policies: PolicyPort | None = None,
        classes: Mapping[str, frozenset[str]] | None = None,
        varies_by: Sequence[str] = (),
        trusted: TrustedDocuments | None = None,
        variants: Mapping[str, Engine] | None = None,
        announcing: frozenset[str] = frozenset(),
    ) -> None:
        """Build an engine. `clients` has one for each subgraph; whoever made them closes them.

        `profiles` name subgraphs to clients; a subgraph without one is its own system. `turns` decide when a request may
        start; without them it does at once. `meter` counts what was answered. `policies` and `classes` (classification → roles) decide, with the caller,
        what of the schema's demands is met. `varies_by` names request headers that subgraphs are told, in lower
        case. `trusted` are the documents of a manifest, and what becomes of others. `choose_labels` decides of progressive
        overrides; without it percentages do.
        `announcing` subgraphs answer an event by whatever selection they are asked for.
        """
        self.supergraph = supergraph
        self.variants = variants or {}
        """Consumers' contracts over the same graph, by name; they live and end with this engine."""
        self.open_streams = OpenStreams(self, announcing)
        """Subscriptions that this engine answers."""
        self._documents = documents
        self._choose_labels = choose_labels or Overrides()
        self._limits = limits = limits or EngineLimits()
        self._turns = turns
        self._meter = meter = meter or RequestMeter()
        self._trusted = trusted or TrustedDocuments()
        rules = AccessRules(supergraph)
        self._unmet = UnmetDemands(rules, policies=policies, classes=classes)
        self._varies_by = tuple(varies_by)
        self._shared: SharedAnswers[GraphQLResponse] = SharedAnswers()
        given = profiles or {}
        subgraphs = Subgraphs(
            clients=clients,
            profiles={
                name: given.get(name) or SubgraphProfile(name=name, system=name) for name in supergraph.subgraphs
            },
            object_types=frozenset(
                name for name, each in supergraph.schema.type_map.items() if isinstance(each, GraphQLObjectType)
            ),
        )
        compiler = DocumentCompiler(
            supergraph,
            subgraphs,
            planner=planner or Planner(supergraph),
            rules=rules,
            limits=limits,
            trusted=self._trusted,
            known=lambda key: self._operations.peek(key),  # noqa: PLW0108 - made of the compiler, below
            timing=meter.planning,
        )
        self._plans = KeptPlans(
            compiler.compile, most=limits.cached_operations, override_labels=supergraph.override_labels
        )
        self._operations = self._plans.operations
        self.short_way = ShortWay(
            labels=supergraph.override_labels,
            trusted=self._trusted,
            unmet=self._unmet,
            operations=self._operations,
            context=self._context,
            coerce=self._coerce,
            answer=(respond_typed, self._go_on),
            turns=turns,
            deadline_s=limits.deadline_s,
        )
        """For common queries, beside `execute`."""

    def close(self) -> None:
        """End the planning thread once what waits for it is planned. Requests in flight, and late ones, are answered."""
        self._plans.close()
        for each in self.variants.values():
            each.close()

    async def plan_ahead(self, documents: Sequence[KnownDocument], *, until: float) -> Sequence[KnownDocument]:
        """Plan documents before anybody asks for them; returns those that were left at `until` (event loop's clock)."""
        return await self._plans.plan_ahead(documents, until=until)

    @property
    def plans(self) -> tuple[int, int]:
        """How many plans are kept, and how many documents wait to be planned; those of its contracts included."""
        own = self._plans.counts
        each = [variant.plans for variant in self.variants.values()]
        return own[0] + sum(kept for kept, _ in each), own[1] + sum(waiting for _, waiting in each)

    def known_documents(self) -> Sequence[KnownDocument]:
        """Return the documents whose plans are kept, last used first."""
        return self._plans.known_documents()

    async def execute(self, request: GraphQLRequest, caller: Caller = ANONYMOUS) -> GraphQLResponse:
        """Answer a query or mutation. Expected failures are in the response, never raised.

        A subscription is refused with BAD_REQUEST; cancelling stops the subgraph requests in flight.
        """
        begun = monotonic()
        correlation = correlation_id(request.headers.get("x-correlation-id"))
        try:
            context = self._context(request, caller, correlation)
            if self._turns is not None:
                await self._turns.start()
            compiled = await self._prepare(request, context, caller)
            if compiled.operation.kind is OperationKind.SUBSCRIPTION:
                raise GatewayError("BAD_REQUEST", "A subscription needs a stream: a WebSocket or text/event-stream.")
            return self._measured(compiled, begun, await self._execute(compiled, request, context))
        except (GatewayError, RequestRefused) as refused:
            return refusal(refused, correlation)
        except Exception as error:  # noqa: BLE001 - the edge of the engine: a bug becomes an answer and a log line
            return _internal_error(error, correlation)

    async def subscribe(
        self, request: GraphQLRequest, caller: Caller = ANONYMOUS
    ) -> AsyncIterator[GraphQLResponse] | GraphQLResponse:
        """Answer any operation over a streaming transport.

        A subscription gives an async generator of one response per event (close it with `aclose()`); a query or mutation
        gives its one response, and so does a refusal.
        """
        begun = monotonic()
        correlation = correlation_id(request.headers.get("x-correlation-id"))
        try:
            context = self._context(request, caller, correlation)
            compiled = await self._prepare(request, context, caller)
            if compiled.operation.kind is not OperationKind.SUBSCRIPTION:
                return self._measured(compiled, begun, await self._execute(compiled, request, context))
            variables = self._coerce(compiled, request.variables)
            # Equal for subscribers that may read each other's answers.
            equal = (caller.rights, self._varying(request), depended_on(compiled.operation, variables))
            stream = OpenStream(
                request=request,
                caller=caller,
                correlation_id=correlation,
                compiled=compiled,
                variables=variables,
                equal=equal,
            )
            self._meter.note("subscription", monotonic() - begun, is_whole=True)
            return self.open_streams.events(stream, context)
        except (GatewayError, RequestRefused) as refused:
            return refusal(refused, correlation)
        except Exception as error:  # noqa: BLE001 - as above
            return _internal_error(error, correlation)

    def _measured(self, compiled: CompiledOperation, begun: float, response: GraphQLResponse) -> GraphQLResponse:
        self._meter.note(compiled.operation.kind.value, monotonic() - begun, is_whole=not response.errors)
        return response

    async def _prepare(self, request: GraphQLRequest, context: RequestContext, caller: Caller) -> CompiledOperation:
        """Request → compiled operation: resolve the document, and one look-up where it is known."""
        trusted = self._trusted
        trusted.check_sent(request.query)
        text = trusted.find(request.extensions) if request.query is None else None
        if text is None:
            text = await resolve_document(
                request.query,
                request.extensions,
                self._documents,
                max_characters=self._limits.document.characters,
            )
            if trusted.mode is not TrustMode.OFF and not caller.is_background:
                trusted.check(text)
        labels = self.supergraph.override_labels
        unmet = self._unmet.known(caller)
        if unmet is None:
            unmet = await self._unmet.find(caller)
        key = (text, request.operation_name, self._choose_labels(labels, caller) if labels else labels, unmet)
        compiled = self._operations.get(key)
        if compiled is None:
            try:
                async with asyncio.timeout_at(context.deadline):
                    compiled = await self._operations.make(key)
            except TimeoutError as error:
                raise GatewayError("REQUEST_DEADLINE_EXCEEDED") from error
        if request.is_read_only and compiled.operation.kind is OperationKind.MUTATION:
            raise GatewayError("METHOD_NOT_ALLOWED", "Send a mutation by POST.", headers={"Allow": "POST"})
        return compiled

    def _wanted(self, request: GraphQLRequest) -> Wanted | None:
        """Return what the caller asks to be told; plans name what the schema hides, so they go with explanations."""
        asked = wanted(request)
        if asked is None or self._limits.explains_documents or not asked.plan:
            return asked
        return replace(asked, plan=False)

    def _coerce(self, compiled: CompiledOperation, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the operation's variables, with which its cost is known and must be within the limit."""
        try:
            variables = coerce_variables(compiled.operation, given)
        except RequestRefused as refused:
            if self._limits.explains_documents:
                raise
            raise RequestRefused(tuple(map(without_suggestion, refused.errors))) from refused
        if self._limits.cost is not None and compiled.cost is not None:
            compiled.cost.check(variables, self._limits.cost, explains=self._limits.explains_documents)
        return variables

    async def _execute(
        self, compiled: CompiledOperation, request: GraphQLRequest, context: RequestContext
    ) -> GraphQLResponse:
        """Compiled operation → response."""
        variables = self._coerce(compiled, request.variables)
        tell = self._wanted(request)
        if tell is not None:
            context.observer = FetchLog()
        run = self._run(compiled, variables, context)
        try:
            if compiled.typed is not None and tell is None:
                data = await execute_typed(compiled.typed, run)
                if data is not None:
                    return respond_typed(compiled, context, data)
            if run.is_write:
                context.write_keys = write_keys(compiled.operation, variables, request.headers)
                if self._limits.requires_write_keys and not context.write_keys:
                    raise GatewayError("IDEMPOTENCY_KEY_REQUIRED")
            await execute(compiled.plan, run)
            return self._respond(compiled, run, tell)
        finally:
            context.kept = None  # whatever else still names the context

    async def _go_on(self, compiled: CompiledOperation, typed: HandedOver) -> GraphQLResponse:
        """Execute in the general way a query that was begun over typed objects. Never raises."""
        try:
            assert compiled.typed is not None
            run = self._run(compiled, typed.variables, typed.context)
            hand_over(compiled.typed, typed, run)
            await execute(compiled.plan, run)
            return self._respond(compiled, run, None)
        except Exception as error:  # noqa: BLE001 - the edge of the engine, as in execute
            return _internal_error(error, typed.context.correlation_id)
        finally:
            typed.context.kept = None

    def source(self, stream: OpenStream, context: RequestContext) -> AsyncGenerator[SourceEvent, None]:
        """Return the source stream of a subscription."""
        return source_events(stream.compiled.plan, self._run(stream.compiled, stream.variables, context))

    async def answer_event(self, stream: OpenStream, event: SourceEvent) -> GraphQLResponse:
        """Return what a subscription's client is told of an event; equal subscribers share it."""
        compiled, tell = stream.compiled, self._wanted(stream.request)

        async def answer() -> GraphQLResponse:
            context = self._context(stream.request, stream.caller, stream.next_id())
            context.observer = FetchLog() if tell is not None else None
            context.reads_anew = True  # the event says that something changed
            run = self._run(compiled, stream.variables, context)
            await execute_event(compiled.plan, event, run)
            return self._respond(compiled, run, tell)

        async def shared() -> GraphQLResponse:
            return SharedResponse(await answer())

        if isinstance(event, SubgraphAnswer) or event.key is None or tell is not None:
            return await answer()
        return await self._shared.get(compiled, (event.key, stream.equal), shared)

    async def prepare_again(self, stream: OpenStream) -> tuple[CompiledOperation, Mapping[str, Any]]:
        """Return what another engine's open subscription is over this graph. Raises what refuses it."""
        context = self._context(stream.request, stream.caller, stream.correlation_id)
        compiled = await self._prepare(stream.request, context, stream.caller)
        return compiled, self._coerce(compiled, stream.request.variables)

    async def hand_over(self, successor: Engine) -> None:
        """Let the subscriptions that are open here go on at another engine, or end where they can't."""
        await self.open_streams.hand_over(successor.open_streams)
        for name, variant in self.variants.items():
            if (following := successor.variants.get(name)) is not None:
                await variant.hand_over(following)

    def _varying(self, request: GraphQLRequest) -> tuple[str | None, ...]:
        return tuple(request.headers.get(name) for name in self._varies_by)

    def _context(self, request: GraphQLRequest, caller: CallerView, correlation: str) -> RequestContext:
        timeout_s = self._limits.deadline_s
        asked = request.headers.get("x-request-timeout-ms")
        if asked is not None:
            if not (asked.isascii() and asked.isdigit() and 0 < len(asked) < 10 and int(asked)):
                raise GatewayError("BAD_REQUEST", "X-Request-Timeout-Ms is a whole number of milliseconds above 0.")
            timeout_s = min(timeout_s, int(asked) / 1000)
        return RequestContext(
            correlation_id=correlation,
            deadline=monotonic() + timeout_s,
            caller=caller,
            headers=request.headers,
        )

    def _run(self, compiled: CompiledOperation, variables: Mapping[str, Any], context: RequestContext) -> Run:
        run = Run(
            variables,
            context,
            is_write=compiled.operation.kind is OperationKind.MUTATION,
        )
        if compiled.introspection is not None:
            run.data.update(compiled.introspection.answer(variables))
        return run

    def _respond(self, compiled: CompiledOperation, run: Run, tell: Wanted | None) -> GraphQLResponse:
        return respond(compiled, run, tell, most_errors=self._limits.reported_errors, actual_cost=actual_cost)


def _internal_error(error: Exception, correlation: str) -> GraphQLResponse:
    return refusal(GatewayError("INTERNAL_SERVER_ERROR"), correlation, cause=error)
