"""Trusted documents: a manifest of the operations that are allowed, by hash and by name.

    {"format": 1, "documents": {"<sha256 of the text>": {"name": "customer_view", "text": "query …"}}}

`concord documents publish` writes it from a folder of `*.graphql` files. A client sends the text itself, its hash as
`extensions.persistedQuery.sha256Hash`, or its name as `extensions.concord.document`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from gateway.errors import GatewayError

_LOG = logging.getLogger("concord.access")

_MOST_NOTED = 1_000


class TrustMode(StrEnum):
    """What becomes of a document that is not in the manifest."""

    OFF = "off"
    """It is answered like any other."""
    AUDIT = "audit"
    """It is answered, and noted in the log once."""
    ENFORCE = "enforce"
    """It is refused."""
    IDS = "ids"
    """It is refused, and so is any text: clients send hashes or names."""


class ManifestInvalid(Exception):  # noqa: N818 - reads as what it is
    """The manifest can't be read or is not one; the message says why."""


@dataclass(slots=True)
class TrustedDocuments:
    """The documents of one manifest."""

    mode: TrustMode = TrustMode.OFF
    texts: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 in hexadecimal → text."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Name → text."""
    _trusted: frozenset[str] = field(init=False)
    _noted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._trusted = frozenset(self.texts.values())

    def trusts(self, text: str) -> bool:
        """Whether a document is in the manifest."""
        return text in self._trusted

    def find(self, extensions: Mapping[str, Any]) -> str | None:
        """Return the document that a request names, by hash or by name; None where it names none that is known.

        Raises GatewayError with PERSISTED_QUERY_NOT_FOUND for a name that is unknown.
        """
        match extensions:
            case {"concord": {"document": str(name)}}:
                text = self.names.get(name)
                if text is None:
                    raise GatewayError("PERSISTED_QUERY_NOT_FOUND", "There is no document of this name.")
                return text
            case {"persistedQuery": {"sha256Hash": str(digest)}}:
                return self.texts.get(digest.lower())
            case _:
                return None

    def check_sent(self, text: str | None) -> None:
        """Refuse a text that came with a request where only ids may. Raises GatewayError with PERSISTED_QUERY_ID_REQUIRED."""
        if text is not None and self.mode is TrustMode.IDS:
            raise GatewayError("PERSISTED_QUERY_ID_REQUIRED")

    def check(self, text: str) -> None:
        """Refuse or note a document that is not in the manifest, as the mode says.

        Raises GatewayError with QUERY_NOT_IN_SAFELIST.
        """
        if self.mode is TrustMode.OFF or text in self._trusted:
            return
        if self.mode is not TrustMode.AUDIT:
            raise GatewayError("QUERY_NOT_IN_SAFELIST")
        digest = digest_of(text)
        if digest not in self._noted:
            if len(self._noted) >= _MOST_NOTED:
                self._noted.clear()
            self._noted.add(digest)
            _LOG.warning("document_not_trusted", extra={"sha256": digest})


def digest_of(text: str) -> str:
    """Return the hexadecimal SHA-256 of a text."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def read_manifest(path: Path | None, mode: TrustMode) -> TrustedDocuments:
    """Read a manifest. Raises ManifestInvalid."""
    if path is None:
        return TrustedDocuments(mode)
    try:
        content = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise ManifestInvalid(f"{path} can't be read: {error}") from error
    match content:
        case {"format": 1, "documents": dict() as documents}:
            pass
        case _:
            raise ManifestInvalid(f"{path} is no manifest of trusted documents")
    texts: dict[str, str] = {}
    names: dict[str, str] = {}
    for digest, entry in documents.items():
        match entry:
            case {"name": str(name), "text": str(text)} if digest_of(text) == digest and name not in names:
                texts[digest] = names[name] = text
            case _:
                raise ManifestInvalid(f"{path}: the entry {digest} lacks a name of its own, or is of another text")
    return TrustedDocuments(mode, texts, names)


def print_manifest(documents: Iterable[tuple[str, str]]) -> str:
    """Return the manifest of (name, text) pairs, the same for the same documents."""
    entries = {digest_of(text): {"name": name, "text": text} for name, text in documents}
    manifest = {"format": 1, "documents": dict(sorted(entries.items(), key=lambda each: each[1]["name"]))}
    return orjson.dumps(manifest, option=orjson.OPT_INDENT_2).decode() + "\n"
