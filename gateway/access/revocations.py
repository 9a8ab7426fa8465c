"""Credentials taken back before they expire: a file that is looked at again and again.

# one a line; everything after a # is a comment
token 6f1c0e42                                  a token, by its `jti`
subject ada                                     every token and connection of a subject, whoever vouches for it
subject ada of company                          those of one issuer, by its name in the configuration
subject ada before 2026-01-31T09:30:00Z         those issued before an instant, so that new ones hold
subject ada of company before 2026-01-31T09:30:00Z
key nightly-export                              a service key, by its name
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

_LOG = logging.getLogger("concord.access")


class RevocationsUnreadable(Exception):  # noqa: N818 - reads as what it is
    """The file can't be read or holds a line that says nothing; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What a revocation may name."""

    subject: str
    issuer: str | None = None
    """Configured name of the token's issuer; None for a service key."""
    token_id: str | None = None
    key: str | None = None
    issued_at: float | None = None
    """Unix seconds; None: unknown, and so before any instant."""


@dataclass(frozen=True, slots=True)
class _Revoked:
    tokens: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    subjects: Mapping[tuple[str, str | None], float] = field(default_factory=dict)
    """Subject and issuer, None for any → unix seconds before which its credentials were issued; infinity for all."""

    def holds(self, credential: Credential) -> bool:
        """Whether the credential is named."""
        if credential.token_id in self.tokens or credential.key in self.keys:
            return True
        before = (self.subjects.get((credential.subject, issuer)) for issuer in {None, credential.issuer})
        issued_at = credential.issued_at
        return any(each is not None and (issued_at is None or issued_at < each) for each in before)


class Revocations:
    """What is revoked at the moment. One for each process."""

    def __init__(self, path: Path | None = None, *, issuers: Collection[str] = (), interval_s: float = 1.0) -> None:
        """Read the file, where there is one. `issuers` are the names that it may name. Raises RevocationsUnreadable."""
        self._path = path
        self._issuers = issuers
        self._interval_s = interval_s
        self._stamp = self._look()
        self._revoked = _Revoked() if path is None or self._stamp is None else _parse(path, issuers)
        self._changed = asyncio.Event()
        self.version = 0
        """Rises with every change."""

    @property
    def can_change(self) -> bool:
        """Whether there is a file to revoke credentials in."""
        return self._path is not None

    def holds(self, credential: Credential) -> bool:
        """Whether the credential is revoked."""
        return self._revoked.holds(credential)

    async def changed(self) -> None:
        """Wait for the next change."""
        await self._changed.wait()

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Follow the file's changes within the block."""
        watching = asyncio.create_task(self._follow(), name="revocations") if self._path is not None else None
        try:
            yield
        finally:
            if watching is not None:
                watching.cancel()

    async def _follow(self) -> None:
        assert self._path is not None
        while True:
            await asyncio.sleep(self._interval_s)
            stamp = self._look()
            if stamp == self._stamp:
                continue
            self._stamp = stamp
            try:
                self._revoked = await asyncio.to_thread(_parse, self._path, self._issuers)
            except RevocationsUnreadable as error:
                # What was revoked stays so: a slip of the pen, or a file that is gone, must let nobody in again.
                _LOG.error("revocations_refused", extra={"reason": str(error)})
                continue
            self.version += 1
            self._changed.set()
            self._changed = asyncio.Event()

    def _look(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat() if self._path is not None else None
        except OSError:
            return None
        return None if status is None else (status.st_mtime_ns, status.st_size)


@dataclass(slots=True)
class RevocableLease:
    """A credential's hold on its connections."""

    credential: Credential
    revocations: Revocations

    @property
    def is_revoked(self) -> bool:
        """Whether it has ended."""
        return self.revocations.holds(self.credential)

    async def revoked(self) -> None:
        """Wait until it ends."""
        while not self.is_revoked:
            await self.revocations.changed()


def _parse(path: Path, issuers: Collection[str]) -> _Revoked:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RevocationsUnreadable(f"{path} can't be read: {error}") from error
    tokens: set[str] = set()
    keys: set[str] = set()
    subjects: dict[tuple[str, str | None], float] = {}
    for number, line in enumerate(lines, 1):
        match line.partition("#")[0].split():
            case []:
                pass
            case ["token", name]:
                tokens.add(name)
            case ["key", name]:
                keys.add(name)
            case ["subject", name, "of", issuer, *when]:
                if issuer not in issuers:
                    known = ", ".join(sorted(issuers)) or "none"
                    raise RevocationsUnreadable(f"{path}:{number}: no issuer is called {issuer!r}; known: {known}")
                subjects[name, issuer] = max(subjects.get((name, issuer), 0.0), _before(when, path, number))
            case ["subject", name, *when]:
                subjects[name, None] = max(subjects.get((name, None), 0.0), _before(when, path, number))
            case _:
                raise RevocationsUnreadable(f"{path}:{number}: a line starts with token, subject or key and a name")
    return _Revoked(frozenset(tokens), frozenset(keys), subjects)


def _before(words: Sequence[str], path: Path, number: int) -> float:
    """Return the instant that ends a line, or infinity where there is none."""
    match words:
        case []:
            return float("inf")
        case ["before", instant]:
            return _instant(instant, path, number)
        case _:
            meaning = "after a subject there may be `of` and an issuer, and `before` and an instant"
            raise RevocationsUnreadable(f"{path}:{number}: {meaning}")


def _instant(text: str, path: Path, number: int) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise RevocationsUnreadable(f"{path}:{number}: {text!r} is no instant such as 2026-01-31T09:30:00Z") from error
    if moment.tzinfo is None:
        raise RevocationsUnreadable(f"{path}:{number}: {text!r} lacks its offset from UTC, such as Z")
    return moment.timestamp()
