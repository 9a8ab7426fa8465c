"""Automatic persisted queries: a client sends a document once and its hash from then on.

<https://www.apollographql.com/docs/apollo-server/performance/apq>
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Protocol

from gateway.errors import GatewayError


class PersistedDocuments(Protocol):
    """Where documents are kept by the hexadecimal SHA-256 of their text."""

    async def read(self, digest: str) -> str | None:
        """Return the text, or None if it isn't (or is no longer) kept."""

    async def keep(self, digest: str, text: str) -> None:
        """Keep the text, if there is room."""


class RememberedDocuments:
    """Persisted documents in this process's memory, the least recently used forgotten first."""

    def __init__(self, *, max_documents: int = 1_000, max_characters: int = 4_000_000) -> None:
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._characters = 0
        self._max_documents = max_documents
        self._max_characters = max_characters

    async def read(self, digest: str) -> str | None:
        text = self._texts.get(digest)
        if text is not None:
            self._texts.move_to_end(digest)
        return text

    async def keep(self, digest: str, text: str) -> None:
        if digest not in self._texts:
            self._characters += len(text)
        self._texts[digest] = text
        self._texts.move_to_end(digest)
        while len(self._texts) > self._max_documents or self._characters > self._max_characters:
            _, forgotten = self._texts.popitem(last=False)
            self._characters -= len(forgotten)


async def resolve_document(
    text: str | None,
    extensions: Mapping[str, Any],
    documents: PersistedDocuments | None,
    *,
    max_characters: int = 20_000,
) -> str:
    """Return the document's text: the one sent, or the one kept under `extensions.persistedQuery.sha256Hash`.

    A text sent with its hash is kept for the next time, unless it is longer than any document may be.

    Raises `GatewayError` with PERSISTED_QUERY_NOT_FOUND (send both), PERSISTED_QUERY_NOT_SUPPORTED (`documents` is None)
    or BAD_REQUEST (no text, a malformed extension, a hash of another text).
    """
    persisted = extensions.get("persistedQuery") if extensions else None
    if persisted is None:
        if not text:
            raise GatewayError("BAD_REQUEST", "The request has no `query`.")
        return text
    if documents is None:
        raise GatewayError("PERSISTED_QUERY_NOT_SUPPORTED")
    digest = _digest(persisted)
    if not text:
        kept = await documents.read(digest)
        if kept is None:
            raise GatewayError("PERSISTED_QUERY_NOT_FOUND")
        return kept
    if sha256(text.encode("utf-8", "surrogatepass")).hexdigest() != digest:
        raise GatewayError("BAD_REQUEST", "`extensions.persistedQuery.sha256Hash` is not the hash of `query`.")
    if len(text) <= max_characters:
        await documents.keep(digest, text)
    return text


def _digest(persisted: object) -> str:
    match persisted:
        case {"version": 1, "sha256Hash": str(digest)} if len(digest) == 64:
            return digest.lower()
        case _:
            raise GatewayError(
                "BAD_REQUEST", "`extensions.persistedQuery` must be {version: 1, sha256Hash: <64 hexadecimal digits>}."
            )
