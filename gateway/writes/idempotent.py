"""A write with an idempotency key takes effect once, however often it is asked for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, assert_never

import orjson
from msgspec import structs

from gateway.errors import Outcome
from gateway.execution.located import error_entries
from gateway.execution.ports import (
    RequestContext,
    SourceEvent,
    SubgraphAnswer,
    SubgraphClient,
    SubgraphFailure,
    SubgraphRequest,
)
from gateway.federation.plan import OperationKind
from gateway.writes.doubt import Doubt, Settle
from gateway.writes.store import Answered, Claim, Claimed, Misused, Running, StoreFailed, WriteName, WriteStore

_LOG = logging.getLogger("concord.writes")
_LOOK_AGAIN_S = 0.1
_LEASE_GRACE_S = 5.0
"""How long after its deadline a claim is still taken for alive."""


@dataclass(frozen=True, slots=True)
class _Write:
    name: WriteName
    fingerprint: str


class IdempotentWrites:
    """Answers a repeated write from the store, and sends each first one with its key.

    What is stored is the subgraph's answer to the root fields; entities of other subgraphs are read anew each time.
    """

    def __init__(self, inner: SubgraphClient, store: WriteStore, settle: Settle | None = None) -> None:
        """`settle` takes over writes of which nobody knows whether they took effect."""
        self._inner = inner
        self._store = store
        self._settle = settle
        self._giving_back: set[asyncio.Task[None]] = set()

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        """Fetch a read, a write without a key, or a write for the first time; replay any other."""
        write = _write(request, context) if request.kind is OperationKind.MUTATION else None
        if write is None:
            return await self._inner.fetch(request, context)
        claim = await self._claim(write, context)
        match claim:
            case Claimed():
                return await self._send(write, request, context)
            case Answered(answer):
                return SubgraphAnswer(request.decode(answer), answer)
            case Misused():
                raise SubgraphFailure("IDEMPOTENCY_KEY_REUSED", "other arguments", is_sent=False, trips_breaker=False)
            case Running():
                raise SubgraphFailure(
                    "IDEMPOTENCY_IN_PROGRESS",
                    "the first one still runs",
                    is_sent=False,
                    outcome=Outcome.IN_PROGRESS,
                    retry_after_ms=1000,
                    trips_breaker=False,
                )
            case _:
                assert_never(claim)

    async def _claim(self, write: _Write, context: RequestContext) -> Claim:
        """Claim the write; a twin that runs, here or in another process, is waited for until the deadline."""
        clock = asyncio.get_running_loop().time
        while True:
            left_s = context.deadline - clock()
            try:
                claim = await self._claim_in_time(write, context, lease_s=max(0.0, left_s) + _LEASE_GRACE_S)
            except (StoreFailed, TimeoutError) as error:
                reason = str(error) or "the store did not answer in time"
                raise SubgraphFailure("STORE_UNAVAILABLE", reason, is_sent=False, trips_breaker=False) from error
            if not isinstance(claim, Running) or left_s <= _LOOK_AGAIN_S:
                return claim
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def _claim_in_time(self, write: _Write, context: RequestContext, *, lease_s: float) -> Claim:
        """Ask the store. What it grants to a caller who has gone, or too late, is given back. Raises TimeoutError."""
        claiming = asyncio.ensure_future(self._store.claim(write.name, write.fingerprint, lease_s=lease_s))
        try:
            async with asyncio.timeout_at(context.deadline):
                return await asyncio.shield(claiming)
        except (asyncio.CancelledError, TimeoutError):
            giving_back = asyncio.create_task(self._give_back(write, claiming), name="claim of nobody")
            self._giving_back.add(giving_back)
            giving_back.add_done_callback(self._giving_back.discard)
            raise

    async def _give_back(self, write: _Write, claiming: asyncio.Future[Claim]) -> None:
        with suppress(StoreFailed):
            if isinstance(await claiming, Claimed):
                await self._release(write)

    async def _send(self, write: _Write, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        # Two callers who choose the same key mean two writes; the owner knows keys only.
        key = f"{write.name.caller[:16]}:{write.name.key}:{write.name.field}"
        keyed = structs.replace(request, headers=(*request.headers, ("idempotency-key", key)))
        kept = False
        try:
            try:
                answer = await self._inner.fetch(keyed, context)
            except SubgraphFailure as failed:
                if failed.outcome is Outcome.UNKNOWN:
                    failed.workflow = await self._begin_to_settle(key, write, request, context)
                raise
            if _took_effect(answer):
                body = answer.body if answer.body is not None else orjson.dumps(answer.value)
                kept = True
                await _in_time(self._keep(write, body), context)
            elif doubts := _doubts(answer):
                workflow = await self._begin_to_settle(key, write, request, context)
                if workflow is not None:
                    for extensions in doubts:
                        extensions["workflow"] = workflow
                    return SubgraphAnswer(answer.value)
            return answer
        finally:
            if not kept:
                await _in_time(self._release(write), context)

    async def _begin_to_settle(
        self, key: str, write: _Write, request: SubgraphRequest, context: RequestContext
    ) -> str | None:
        if self._settle is None:
            return None
        doubt = Doubt(request=request, key=key, field=write.name.field, context=context)
        workflow = await asyncio.shield(self._settle(doubt))
        _LOG.warning("write_in_doubt", extra={"field": write.name.field, "workflow": workflow})
        return workflow

    async def _keep(self, write: _Write, body: bytes) -> None:
        try:
            await self._store.answer(write.name, body)
        except StoreFailed:
            # The write is done and must be told so. A repetition finds the claim, and then the subgraph's own memory.
            _LOG.exception("write_answer_not_kept", extra={"field": write.name.field})

    async def _release(self, write: _Write) -> None:
        try:
            await self._store.release(write.name)
        except StoreFailed:
            _LOG.exception("write_claim_not_released", extra={"field": write.name.field})

    def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SourceEvent, None]:
        """Streams pass."""
        return self._inner.subscribe(request, context)

    async def aclose(self) -> None:
        """Close the client inside; the store belongs to whoever opened it."""
        await self._inner.aclose()


def _write(request: SubgraphRequest, context: RequestContext) -> _Write | None:
    """Return the write a request makes, or None where it has no key. Root fields of one request are one write."""
    keyed = [(name, context.write_keys[name]) for name in request.root_fields if name in context.write_keys]
    if not keyed:
        return None
    fingerprints = "\0".join(key.fingerprint for _, key in keyed)
    caller = "\0".join((context.caller.tenant or "", context.caller.subject or ""))
    name = WriteName(
        caller=sha256(caller.encode()).hexdigest(),
        key="+".join(dict.fromkeys(key.key for _, key in keyed)),
        field="+".join(name for name, _ in keyed),
    )
    return _Write(name, sha256(fingerprints.encode()).hexdigest())


def _doubts(answer: SubgraphAnswer) -> list[dict[str, Any]]:
    """Return the extensions of the errors that say that a write may or may not have happened."""
    value = answer.value
    found = [entry.get("extensions") for entry in error_entries(value)] if isinstance(value, dict) else []
    return [each for each in found if isinstance(each, dict) and each.get("outcome") == Outcome.UNKNOWN]


def _took_effect(answer: SubgraphAnswer) -> bool:
    """Tell whether to remember an answer: a refusal changes nothing, and the next attempt may fare better."""
    value = answer.value
    if not isinstance(value, dict) or not isinstance(value.get("data"), dict):
        return False
    if not value["data"]:
        return False  # its condition did not hold: nothing was done
    return not value.get("errors") or any(each is not None for each in value["data"].values())


async def _in_time(step: Coroutine[Any, Any, None], context: RequestContext) -> None:
    """Wait for a step until the deadline; it goes on to its end in any case."""
    with suppress(TimeoutError):
        async with asyncio.timeout_at(context.deadline):
            await asyncio.shield(step)
