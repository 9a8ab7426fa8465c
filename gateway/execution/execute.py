"""Run a query plan: one `match` over its nodes, three phases per fetch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping
from collections.abc import Sequence as Seq
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

from gateway.execution.early import PATIENCE, Ancestors, ancestors_of, needless_waits
from gateway.execution.entity_fetch import CompiledEntity, PreparedEntity, compile_entity
from gateway.execution.fetch import load_entity, load_prepared, load_root
from gateway.execution.located import SubgraphProfile
from gateway.execution.ports import Announced, SourceEvent, SubgraphAnswer, SubgraphClient, cursor_of
from gateway.execution.root_fetch import CompiledRoot, compile_root
from gateway.execution.run import Run
from gateway.execution.sharing import Mentions, Place, mentions_of, shared_places
from gateway.execution.split_writes import split_writes
from gateway.federation.plan import (
    Condition,
    EntityFetch,
    Parallel,
    PlanNode,
    QueryPlan,
    RootFetch,
    Sequence,
    SubscriptionPlan,
)


@dataclass(frozen=True, slots=True)
class CompiledSequence:
    """Nodes that run one after another."""

    nodes: tuple[CompiledNode, ...]
    hurried: frozenset[int] = frozenset()
    """Indices of nodes that not all of what follows needs: where one is slow, what follows runs early."""


@dataclass(frozen=True, slots=True)
class CompiledParallel:
    """Nodes that run at once."""

    nodes: tuple[CompiledNode, ...]
    starts: tuple[CompiledEntity | None, ...]
    """For each node the entity fetch that it starts with, if it does. These look at the tree together, right after the
    answer before them was merged: later, other requests would have driven it out of the processor's cache."""


@dataclass(frozen=True, slots=True)
class CompiledCondition:
    """One of two sub-plans, chosen by a variable."""

    variable: str
    if_true: CompiledNode | None
    if_false: CompiledNode | None


CompiledNode: TypeAlias = CompiledRoot | CompiledEntity | CompiledSequence | CompiledParallel | CompiledCondition


@dataclass(frozen=True, slots=True)
class CompiledSubscription:
    """The source stream, and what to fetch after each of its events."""

    primary: CompiledRoot
    rest: CompiledNode | None


@dataclass(frozen=True, slots=True)
class CompiledPlan:
    """A query plan bound to clients, with all its functions made. Immutable; shared by every request of the operation."""

    plan: QueryPlan
    root: CompiledNode | CompiledSubscription | None
    shared: Collection[Place] = ()
    """Where the tree may hold one object more than once."""


@dataclass(frozen=True, slots=True)
class Subgraphs:
    """The subgraphs of one supergraph, as the runtime knows them."""

    clients: Mapping[str, SubgraphClient]
    profiles: Mapping[str, SubgraphProfile]
    object_types: frozenset[str]
    """Names of the supergraph's object types."""
    is_sharing: bool = True
    """Whether, in the plan being compiled, one result may serve several objects."""
    ancestors: Ancestors = field(default_factory=dict)
    """What each fetch of the plan being compiled needs."""
    mentions: Mentions = field(default_factory=dict)
    """Where, in the plan being compiled, equal mentions of an entity may be one object."""


def compile_plan(plan: QueryPlan, subgraphs: Subgraphs) -> CompiledPlan:
    """Bind a plan to its clients and generate its functions.

    Raises KeyError if the plan names a subgraph that has no client.
    """
    # Below two users, the same order may be priced differently: then each user needs an order of his own.
    is_sharing = not _reads_ancestors(plan.root)
    subgraphs = replace(
        subgraphs,
        is_sharing=is_sharing,
        ancestors=ancestors_of(plan),
        mentions=mentions_of(plan.root) if is_sharing else {},
    )
    shared = shared_places(plan.root, subgraphs.mentions)
    match plan.root:
        case None:
            return CompiledPlan(plan, None)
        case SubscriptionPlan(primary=primary, rest=rest):
            compiled = _compile_root(primary, subgraphs)
            return CompiledPlan(plan, CompiledSubscription(compiled, _compile(rest, subgraphs)), shared)
        case node:
            return CompiledPlan(plan, _compile(node, subgraphs), shared)


def _reads_ancestors(node: PlanNode | SubscriptionPlan | None) -> bool:
    match node:
        case None | RootFetch():
            return False
        case EntityFetch(inputs=inputs):
            return any(each.context_arguments for each in inputs)
        case Sequence(nodes) | Parallel(nodes):
            return any(map(_reads_ancestors, nodes))
        case Condition(_, if_true, if_false):
            return _reads_ancestors(if_true) or _reads_ancestors(if_false)
        case SubscriptionPlan(rest=rest):
            return _reads_ancestors(rest)
        case _:
            assert_never(node)


def _compile(node: PlanNode | None, subgraphs: Subgraphs) -> CompiledNode | None:
    match node:
        case None:
            return None
        case RootFetch():
            match split_writes(node):
                case (RootFetch() as only,):
                    return _compile_root(only, subgraphs)
                case alone:
                    return CompiledSequence(_compile_all(alone, subgraphs))
        case EntityFetch(subgraph=name):
            client, profile = subgraphs.clients[name], subgraphs.profiles[name]
            return compile_entity(
                node,
                client,
                profile,
                subgraphs.object_types,
                subgraphs.mentions,
                is_sharing=subgraphs.is_sharing,
            )
        case Sequence(nodes):
            return CompiledSequence(_compile_all(nodes, subgraphs), needless_waits(nodes, subgraphs.ancestors))
        case Parallel(nodes):
            compiled = _compile_all(nodes, subgraphs)
            return CompiledParallel(compiled, tuple(map(_start_of, compiled)))
        case Condition(variable, if_true, if_false):
            return CompiledCondition(variable, _compile(if_true, subgraphs), _compile(if_false, subgraphs))
        case _:
            assert_never(node)


def _start_of(node: CompiledNode) -> CompiledEntity | None:
    match node:
        case CompiledEntity():
            return node
        case CompiledSequence((CompiledEntity() as first, *_), hurried) if 0 not in hurried:
            return first
        case _:
            return None


def _compile_all(nodes: tuple[PlanNode, ...], subgraphs: Subgraphs) -> tuple[CompiledNode, ...]:
    return tuple(compiled for node in nodes if (compiled := _compile(node, subgraphs)) is not None)


def _compile_root(fetch: RootFetch, subgraphs: Subgraphs) -> CompiledRoot:
    return compile_root(fetch, subgraphs.clients[fetch.subgraph], subgraphs.profiles[fetch.subgraph])


async def execute(compiled: CompiledPlan, run: Run) -> None:
    """Run the plan of a query or mutation to its end; what it brought and what failed is in `run`.

    Expected failures never raise. Cancelling stops every fetch in flight.
    """
    assert not isinstance(compiled.root, CompiledSubscription)
    if compiled.root is not None:
        await _execute(compiled.root, run)


async def _execute(node: CompiledNode, run: Run) -> None:
    match node:
        case CompiledEntity():
            await load_entity(node, run)
        case CompiledRoot():
            await load_root(node, run)
        case CompiledSequence(nodes, hurried):
            await _execute_sequence(nodes, hurried, 0, run)
        case CompiledParallel(nodes, starts):
            ready = [None if start is None else start.prepare(run) for start in starts]
            async with asyncio.TaskGroup() as group:
                branches = list(zip(nodes, starts, ready, strict=True))
                for each, start, prepared in branches[:-1]:
                    group.create_task(_execute_branch(each, start, prepared, run))
                # The last branch needs no task of its own.
                for each, start, prepared in branches[-1:]:
                    await _execute_branch(each, start, prepared, run)
        case CompiledCondition(variable, if_true, if_false):
            chosen = if_true if run.variables.get(variable) else if_false
            if chosen is not None:
                await _execute(chosen, run)
        case _:
            assert_never(node)


async def _execute_branch(
    node: CompiledNode, start: CompiledEntity | None, prepared: PreparedEntity | None, run: Run
) -> None:
    """Run one of several branches; its first fetch is prepared, unless it has nothing to ask."""
    if start is None:
        await _execute(node, run)
        return
    if prepared is not None:
        await load_prepared(start, prepared, run)
    if isinstance(node, CompiledSequence):
        await _execute_sequence(node.nodes, node.hurried, 1, run)


async def _execute_sequence(nodes: Seq[CompiledNode], hurried: frozenset[int], begin: int, run: Run) -> None:
    for index in range(begin, len(nodes)):
        if index not in hurried or run.is_write:
            await _execute(nodes[index], run)
        else:
            await _execute_hurried(nodes, hurried, index, run)


async def _execute_hurried(nodes: Seq[CompiledNode], hurried: frozenset[int], index: int, run: Run) -> None:
    """Run a node of a sequence; where it is slow, run what follows beside it."""
    loop = asyncio.get_running_loop()
    left_s = 0 if run.is_late else run.context.deadline - loop.time()
    async with asyncio.TaskGroup() as group:

        def go_on() -> None:
            if run.sent is None:
                run.sent = {}
            group.create_task(_execute_sequence(nodes, hurried, index + 1, run))

        timer = loop.call_later(max(left_s, 0) * PATIENCE, go_on)
        try:
            await _execute(nodes[index], run)
        finally:
            timer.cancel()


async def source_events(compiled: CompiledPlan, source: Run) -> AsyncGenerator[SourceEvent, None]:
    """Run a subscription's source stream, which closes with this generator; `execute_event` answers each event.

    `source` holds the variables and context of the stream. Raises SubgraphFailure when it can't start or breaks.
    """
    root = compiled.root
    assert isinstance(root, CompiledSubscription)
    request = root.primary.prepare(source)
    async with aclosing(root.primary.client.subscribe(request, source.context)) as stream:
        async for event in stream:
            yield event


async def execute_event(compiled: CompiledPlan, event: SourceEvent, run: Run) -> None:
    """Run the plan for one event to its end, in a run with a deadline of its own."""
    root = compiled.root
    assert isinstance(root, CompiledSubscription)
    match event:
        case SubgraphAnswer(value):
            run.cursor = cursor_of(value)
        case Announced(_, cursor, answer):
            run.cursor = cursor
            value = (await answer(root.primary.prepare(run))).value
        case _:
            assert_never(event)
    root.primary.merge(run, value)
    if root.rest is not None:
        await _execute(root.rest, run)
