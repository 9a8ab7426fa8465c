"""The short way through the engine: common queries begin without a task, and what is the same each time is looked up once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from gateway.access.caller import Caller
from gateway.access.trusted import TrustedDocuments, TrustMode
from gateway.access.unmet import UnmetDemands
from gateway.cache.single_flight import SingleFlightCache
from gateway.compile import DocumentKey
from gateway.errors import GatewayError, RequestRefused
from gateway.execution.answer import CompiledOperation
from gateway.execution.answering import Answering, GoOn, Respond
from gateway.execution.begun import Begun
from gateway.execution.message import GraphQLRequest, GraphQLResponse
from gateway.execution.ports import Flight, RequestContext
from gateway.execution.single_run import SingleRun
from gateway.execution.typed_plan import TypedPlan
from gateway.records.provenance import wanted
from gateway.upstream.turns import Turns

READ_HEADERS = frozenset({"x-concord-provenance", "x-request-timeout-ms"})
"""Request headers that decide how a query is answered, beside those that subgraphs are told of: each is looked at."""

_NO_LABELS: frozenset[str] = frozenset()
_NO_VARIABLES: Mapping[str, Any] = {}


Context = Callable[[GraphQLRequest, Caller, str], RequestContext]
"""Makes the context of a request by this caller and of this name, or refuses the request."""

Coerce = Callable[[CompiledOperation, Mapping[str, Any]], Mapping[str, Any]]
"""Returns an operation's variables, given a client's, or refuses them."""


class ShortWay:
    """Begins the queries of one engine whose documents are known; all else is left to `Engine.execute`."""

    def __init__(
        self,
        *,
        labels: frozenset[str],
        trusted: TrustedDocuments,
        unmet: UnmetDemands,
        operations: SingleFlightCache[DocumentKey, CompiledOperation],
        context: Context,
        coerce: Coerce,
        answer: tuple[Respond, GoOn],
        turns: Turns | None,
        deadline_s: float,
    ) -> None:
        """`answer` as in `Answering`; `deadline_s` is the time that a request has which doesn't say."""
        self._has_labels = bool(labels)
        self._trusted = trusted
        self._unmet = unmet
        self._operations = operations
        self._context = context
        self._coerce = coerce
        self._answer = answer
        self._turns = turns
        self._deadline_s = deadline_s

    def begin(
        self, request: GraphQLRequest, caller: Caller, correlation: str, done: Callable[[GraphQLResponse], None]
    ) -> Flight | None:
        """Begin a query, and return it; `done` is told the answer, later, however it went.

        Returns None where that can't be: then nothing has happened.
        """
        unmet = self._unmet.known(caller)
        text = request.query
        if text is None or request.extensions or self._has_labels or unmet is None or wanted(request) is not None:
            return None
        compiled = self._operations.get((text, request.operation_name, _NO_LABELS, unmet))
        if compiled is None or compiled.typed is None or not self._is_trusted(text):
            return None
        try:
            context = self._context(request, caller, correlation)
            variables = self._coerce(compiled, request.variables)
        except (GatewayError, RequestRefused):
            return None
        plan = compiled.typed.choose(variables)
        if plan is None:
            return None
        answering = Answering(compiled, compiled.typed, *self._answer)
        return _start(self._turns, answering, plan, variables, context, done)

    def ready(self, text: str) -> Ready | None:
        """Return what begins queries of a document without variables, whose headers have none of `READ_HEADERS`.

        None where each request has to be looked at.
        """
        if self._has_labels or not self._is_trusted(text):
            return None
        return Ready(
            text,
            deadline_s=self._deadline_s,
            unmet=self._unmet,
            operations=self._operations,
            coerce=self._coerce,
            answer=self._answer,
            turns=self._turns,
        )

    def _is_trusted(self, text: str) -> bool:
        if self._trusted.mode is TrustMode.OFF:
            return True
        try:
            self._trusted.check_sent(text)
            self._trusted.check(text)
        except GatewayError:
            return False
        return True


class Ready:
    """Begins the queries of one document, for one engine and whichever caller.

    It must not know what may change between two requests: plans are forgotten, callers' rights end.
    """

    def __init__(
        self,
        text: str,
        *,
        deadline_s: float,
        unmet: UnmetDemands,
        operations: SingleFlightCache[DocumentKey, CompiledOperation],
        coerce: Coerce,
        answer: tuple[Respond, GoOn],
        turns: Turns | None,
    ) -> None:
        self._text = text
        self._deadline_s = deadline_s
        self._unmet = unmet
        self._operations = operations
        self._coerce = coerce
        self._answer = answer
        self._turns = turns
        self._compiled: CompiledOperation | None = None
        """What the next two belong to."""
        self._answering: Answering | None = None
        self._variables = _NO_VARIABLES

    def begin(
        self,
        caller: Caller,
        correlation: str,
        headers: Mapping[str, str],
        done: Callable[[GraphQLResponse], None],
    ) -> Flight | None:
        """Begin a query, as `ShortWay.begin` does."""
        unmet = self._unmet.known(caller)
        if unmet is None:
            return None
        compiled = self._operations.get((self._text, None, _NO_LABELS, unmet))
        if compiled is not self._compiled:
            self._look_at(compiled)
        answering = self._answering
        if answering is None:
            return None
        variables = self._variables
        plan = answering.typed.choose(variables)
        if plan is None:
            return None
        context = RequestContext(
            correlation_id=correlation, deadline=monotonic() + self._deadline_s, caller=caller, headers=headers
        )
        return _start(self._turns, answering, plan, variables, context, done)

    def _look_at(self, compiled: CompiledOperation | None) -> None:
        self._compiled, self._answering = compiled, None
        if compiled is not None and compiled.typed is not None:
            try:
                self._variables = self._coerce(compiled, _NO_VARIABLES)
            except (GatewayError, RequestRefused):
                return
            self._answering = Answering(compiled, compiled.typed, *self._answer)


def _start(
    turns: Turns | None,
    answering: Answering,
    plan: TypedPlan,
    variables: Mapping[str, Any],
    context: RequestContext,
    done: Callable[[GraphQLResponse], None],
) -> Flight:
    query = (
        SingleRun(answering, plan.only, variables, context, done)
        if plan.only is not None
        else Begun(answering, plan, variables, context, done)
    )
    if turns is None:
        query.start()
    else:
        turns.call(query.start)
    return query
