"""Answers to one event that equal subscriptions share: made once, kept for the moment in which all of them want it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Generic, TypeVar

import orjson
from graphql import FieldNode, Node, VariableNode

from gateway.federation.operation import Operation

AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True)
class _Entry(Generic[AnswerT]):
    owner: object
    """Held so that its identity, which is part of the key, is not given to another while this entry lives."""
    answer: asyncio.Future[AnswerT]


class SharedAnswers(Generic[AnswerT]):
    """A bounded memory of answers that are being made or were made a few seconds ago."""

    def __init__(self, *, most: int = 1_000, keep_s: float = 5.0) -> None:
        """`keep_s`, after which none is left, is short: whoever replays an event later reads its entities again."""
        self._entries: dict[Hashable, _Entry[AnswerT]] = {}
        self._older: dict[Hashable, _Entry[AnswerT]] = {}
        self._half = most // 2
        self._half_s = keep_s / 2
        self._until = 0.0

    async def get(self, owner: object, key: Hashable, make: Callable[[], Awaitable[AnswerT]]) -> AnswerT:
        """Return the answer for a key of an owner: somebody else's, or the one that `make` gives.

        Where the one who makes it is cancelled or fails, the next one who wants it makes it.
        """
        whole = (id(owner), key)
        while True:
            entry = self._find(whole)
            if entry is None:
                return await self._make(owner, whole, make)
            if entry.answer.done() and not entry.answer.cancelled():
                return entry.answer.result()
            try:
                return await asyncio.shield(entry.answer)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not entry.answer.cancelled() or (task is not None and task.cancelling()):
                    raise

    def _find(self, whole: Hashable) -> _Entry[AnswerT] | None:
        now = monotonic()
        if now >= self._until or len(self._entries) >= self._half:
            self._older = self._entries if now < self._until + self._half_s else {}
            self._entries, self._until = {}, now + self._half_s
        return self._entries.get(whole) or self._older.get(whole)

    async def _make(self, owner: object, whole: Hashable, make: Callable[[], Awaitable[AnswerT]]) -> AnswerT:
        entry: _Entry[AnswerT] = _Entry(owner, asyncio.get_running_loop().create_future())
        self._entries[whole] = entry
        try:
            answer = await make()
        except BaseException:
            for entries in (self._entries, self._older):
                if entries.get(whole) is entry:
                    del entries[whole]
            entry.answer.cancel()
            raise
        entry.answer.set_result(answer)
        return answer


def depended_on(operation: Operation, variables: Mapping[str, Any]) -> bytes:
    """Return, as text to compare, the variables on which the answer to one event depends.

    These are all but those of the root field's own arguments.

    Where an event stands in the log decides what it is; how it was filtered and where the stream began don't.
    """
    roots = operation.definition.selection_set.selections
    names: set[str] = set()
    for root in roots:
        names.update(_variables((root.directives, root.selection_set) if isinstance(root, FieldNode) else root))
    # A root field inside a fragment is not told apart from the others there: its arguments count.
    for fragment in operation.fragments.values():
        names.update(_variables(fragment))
    chosen = {name: variables[name] for name in names if name in variables}
    return orjson.dumps(chosen, option=orjson.OPT_SORT_KEYS, default=str)


def _variables(node: Any) -> Iterator[str]:
    match node:
        case VariableNode():
            yield node.name.value
        case Node():
            for name in node.keys:
                yield from _variables(getattr(node, name, None))
        case tuple() | list():
            for each in node:
                yield from _variables(each)
        case _:
            return
