"""One fetch in three phases: prepare (sync) → load (await) → merge (sync).

What a fetch prepares and merges was compiled once per plan: its constant bytes, the functions that collect
representations, what is composite.
"""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.execution.collect import Collected
from gateway.execution.contexts import split_by_context
from gateway.execution.entity_fetch import CompiledEntity, PreparedEntity
from gateway.execution.located import failure_of
from gateway.execution.ports import SubgraphAnswer, SubgraphClient, SubgraphFailure, SubgraphRequest
from gateway.execution.root_fetch import CompiledRoot
from gateway.execution.run import Landed, Run


async def load_root(compiled: CompiledRoot, run: Run) -> None:
    """Run a root fetch: its three phases."""
    request = compiled.prepare(run)
    try:
        answer = await _load(compiled.client, request, run)
    except SubgraphFailure as failed:
        compiled.fail(run, failure_of(failed, compiled.profile, is_write=run.is_write))
    else:
        compiled.merge(run, answer.value)


async def load_entity(compiled: CompiledEntity, run: Run) -> None:
    """Run an entity fetch: its three phases, or nothing where no object needs it."""
    prepared = compiled.prepare(run)
    if prepared is not None:
        await load_prepared(compiled, prepared, run)


async def load_prepared(compiled: CompiledEntity, prepared: PreparedEntity, run: Run) -> None:
    """Run the other two phases of an entity fetch."""
    request, collected = prepared
    entity_input = compiled.fetch.inputs[0]
    if not entity_input.context_arguments:
        await _load_entities(compiled, run, request, collected)
        return
    async with asyncio.TaskGroup() as group:
        for part, found in split_by_context(entity_input, run, request, collected[0]):
            group.create_task(_load_entities(compiled, run, part, (found,)))


async def _load_entities(
    compiled: CompiledEntity, run: Run, request: SubgraphRequest, collected: tuple[Collected, ...]
) -> None:
    try:
        answer = await _load(compiled.client, request, run)
    except SubgraphFailure as failed:
        failure = failure_of(failed, compiled.profile, is_write=run.is_write, is_after=True)
        compiled.fail(run, collected, failure)
    else:
        compiled.merge(run, answer.value, collected)


async def _landed(landed: Landed, request: SubgraphRequest) -> SubgraphAnswer:
    """Return the answer of a fetch that was sent for this request already."""
    outcome = await landed if isinstance(landed, asyncio.Future) else landed
    if isinstance(outcome, Exception):
        raise outcome
    return outcome if outcome.body is None else SubgraphAnswer(request.decode(outcome.body), outcome.body)


async def _load(client: SubgraphClient, request: SubgraphRequest, run: Run) -> SubgraphAnswer:
    observer = run.context.observer
    started = 0.0 if observer is None else observer.clock()
    landed = run.landed.pop((request.fetch_id, request.body), None) if run.landed else None
    try:
        answer = await (client.fetch(request, run.context) if landed is None else _landed(landed, request))
    except SubgraphFailure as failed:
        run.context.note(subgraph=request.subgraph, code=failed.code, reason=failed.reason[:300])
        if observer is not None:
            observer.fetch_done(request, started, None, failed)
        raise
    if observer is not None:
        observer.fetch_done(request, started, answer.value, None)
    if answer.value.__class__ is dict and answer.value.get("errors"):
        # Codes only: what a subgraph says in its own words may quote what it was sent.
        run.context.note(subgraph=request.subgraph, codes=_codes(answer.value["errors"]))
    return answer


def _codes(errors: Any) -> list[str]:
    entries = errors if isinstance(errors, list) else []
    extensions = [each.get("extensions") for each in entries if isinstance(each, dict)]
    codes = [each.get("code") for each in extensions if isinstance(each, dict)]
    return sorted({code[:64] for code in codes if isinstance(code, str)})[:20]
