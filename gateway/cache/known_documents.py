"""Documents worth planning before anybody asks: those that ship with the graph, those used before, and trusted ones."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import orjson
from graphql import GraphQLError, OperationDefinitionNode, parse

_LOG = logging.getLogger("concord.cache")
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class KnownDocument:
    """One operation as clients send it: what its plan is found by."""

    text: str
    operation_name: str | None = None
    labels: frozenset[str] = frozenset()
    """Labels of progressive overrides under which it was planned."""


class DocumentFile:
    """Documents kept in a file, so that a new process plans what the one before it had planned.

    The file is a cache like any other: whatever is wrong with it costs a line in the log and nothing else. It holds what
    clients sent, literals included, and is readable by its owner alone.
    """

    def __init__(self, path: Path, *, most: int = 500, max_characters: int = 2_000_000) -> None:
        """At most `most` documents are kept, and as many characters of them, the last used first."""
        self._path = path
        self._most = most
        self._max_characters = max_characters

    def read(self) -> tuple[KnownDocument, ...]:
        """Return what is kept, last used first; nothing where there is no file or it can't be used."""
        limit = 8 * self._max_characters
        try:
            if self._path.stat().st_size > limit:
                return self._ignored(f"it is larger than {limit} bytes")
            content = orjson.loads(self._path.read_bytes())
        except FileNotFoundError:
            return ()
        except (OSError, orjson.JSONDecodeError) as error:
            return self._ignored(str(error))
        match content:
            case {"format": 1, "documents": list() as entries}:
                documents = tuple(map(_parse, entries))
            case _:
                return self._ignored("it is not of this version's form")
        whole = [each for each in documents if each is not None]
        if len(whole) < len(documents):
            return self._ignored("an entry in it is no document")
        return tuple(self._bounded(whole))

    def write(self, documents: Iterable[KnownDocument]) -> None:
        """Keep documents, given last used first, in place of those kept before. A disk that refuses is logged."""
        entries = [
            {"query": each.text, "operationName": each.operation_name, "labels": sorted(each.labels)}
            for each in self._bounded(documents)
        ]
        # Of this process alone: workers of one gateway write the same file, and the last one's is kept whole.
        draft = self._path.with_suffix(f".{os.getpid()}")
        try:
            content = orjson.dumps({"format": _FORMAT, "documents": entries})
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with open(draft, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                file.write(content)
            draft.replace(self._path)
        except (OSError, orjson.JSONEncodeError) as error:
            _LOG.warning("documents_not_remembered", extra={"file": str(self._path), "reason": str(error)})

    def _bounded(self, documents: Iterable[KnownDocument]) -> Iterator[KnownDocument]:
        characters = 0
        for count, each in enumerate(documents):
            characters += len(each.text)
            if count >= self._most or characters > self._max_characters:
                return
            yield each

    def _ignored(self, reason: str) -> tuple[KnownDocument, ...]:
        _LOG.warning("remembered_documents_ignored", extra={"file": str(self._path), "reason": reason[:200]})
        return ()


def _parse(entry: object) -> KnownDocument | None:
    match entry:
        case {"query": str() as text, "operationName": (str() | None) as name, "labels": list() as labels}:
            return KnownDocument(text, name, frozenset(map(str, labels)))
        case _:
            return None


def shipped_documents(folder: Path | None) -> Sequence[KnownDocument]:
    """Return the operations of a folder's `*.graphql` files; a file that is no document is logged and passed by."""
    found: list[KnownDocument] = []
    for path in sorted(folder.glob("*.graphql")) if folder is not None else ():
        try:
            found += _operations(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, GraphQLError) as error:
            _LOG.warning("document_not_planned", extra={"file": str(path), "reason": str(error)[:200]})
    return found


def listed_documents(texts: Iterable[str]) -> Sequence[KnownDocument]:
    """Return the operations of a manifest's documents; one that can't be parsed is passed by, as it was published so."""
    found: list[KnownDocument] = []
    for text in texts:
        with suppress(GraphQLError):
            found += _operations(text)
    return found


def _operations(text: str) -> Iterable[KnownDocument]:
    """Return a document's operations as clients may send them. Raises GraphQLError."""
    names = [
        each.name.value if each.name is not None else None
        for each in parse(text, no_location=True).definitions
        if isinstance(each, OperationDefinitionNode)
    ]
    # A client may leave the name of a single operation out; most libraries send it.
    return [KnownDocument(text, name) for name in dict.fromkeys((None, *names) if len(names) == 1 else names)]
