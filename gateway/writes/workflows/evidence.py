"""The evidence: who asked what, which system answered what, when; each entry carries the hash of the one before.

    hash = sha256(previous, at, workflow, step, actor, action, system, question, answer: a line each)

An entry that is changed, taken out or put in later breaks the chain from there on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from gateway.writes.workflows.database import Transaction, WorkflowDatabase
from gateway.writes.workflows.definition import Answered
from gateway.writes.workflows.model import Json
from gateway.writes.workflows.tables import dumps

GENESIS = "0" * 64
_COLUMNS = "at, workflow, step, actor, action, system, question, answer, previous, hash"
_PAGE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One entry."""

    seq: int
    at: str
    """RFC 3339, UTC."""
    workflow: str
    step: str | None
    actor: str
    """Subject of the person who asked or decided, or the worker that carried it out."""
    action: str
    system: str
    question: str
    """JSON."""
    answer: str
    """JSON."""
    previous: str
    hash: str

    @property
    def is_intact(self) -> bool:
        """Whether the hash is that of the content."""
        return self.hash == _hash(self.previous, self._content)

    @property
    def _content(self) -> tuple[str, ...]:
        return (
            self.at, self.workflow, self.step or "", self.actor, self.action, self.system, self.question, self.answer,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainCheck:
    """What became of checking the whole chain."""

    entries: int
    broken_at: int | None
    """Sequence number of the first entry that does not fit; None where all do."""
    head: str
    """Hash of the last entry that fits: kept elsewhere, it also shows that entries at the end are gone."""


class EvidenceLedger:
    """Entries are written in the transaction of what they tell of."""

    def __init__(self, database: WorkflowDatabase) -> None:
        self._database = database

    def note(
        self, execute: Transaction, *, workflow: str, step: str | None, actor: str, exchanges: Iterable[Answered]
    ) -> None:
        """Append entries within a transaction."""
        if self._database.lock_ledger is not None:
            execute(self._database.lock_ledger)
        found = execute("SELECT hash FROM concord_workflow_evidence ORDER BY seq DESC LIMIT 1")
        previous = found[0][0] if found else GENESIS
        for exchange in exchanges:
            at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
            question, answer = dumps(exchange.question), dumps(exchange.answer)
            content = (at, workflow, step or "", actor, exchange.action, exchange.system, question, answer)
            new = _hash(previous, content)
            values: tuple[Any, ...] = (
                at, workflow, step, actor, exchange.action, exchange.system, question, answer, previous, new,
            )  # fmt: skip
            marks = ", ".join("?" * len(values))
            execute(f"INSERT INTO concord_workflow_evidence ({_COLUMNS}) VALUES ({marks})", values)  # noqa: S608 - our own names
            previous = new

    def read(self, workflow: str | None = None, *, after: int = 0, limit: int = _PAGE) -> Sequence[Evidence]:
        """Return entries after a sequence number, of one workflow or of all. Raises `StoreFailed`."""
        where, given = ("", ()) if workflow is None else (" AND workflow = ?", (workflow,))
        with self._database.transaction() as execute:
            rows = execute(
                f"SELECT seq, {_COLUMNS} FROM concord_workflow_evidence WHERE seq > ?{where} ORDER BY seq LIMIT ?",  # noqa: S608 - our own names
                (after, *given, limit),
            )
        names = ("seq", *_COLUMNS.split(", "))
        return [Evidence(**dict(zip(names, row, strict=True))) for row in rows]

    def verify(self) -> ChainCheck:
        """Check every entry's hash and its place in the chain. Raises `StoreFailed`."""
        count, after, previous = 0, 0, GENESIS
        while page := self.read(after=after):
            for entry in page:
                if entry.previous != previous or not entry.is_intact:
                    return ChainCheck(entries=count, broken_at=entry.seq, head=previous)
                count, after, previous = count + 1, entry.seq, entry.hash
        return ChainCheck(entries=count, broken_at=None, head=previous)


def decision(action: str, question: Json) -> Answered:
    """Return the entry's content for what a person decided."""
    return Answered(system="gateway", action=action, question=question, answer=None)


def _hash(previous: str, content: tuple[str, ...]) -> str:
    return sha256("\n".join((previous, *content)).encode()).hexdigest()
