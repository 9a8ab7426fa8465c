"""A sandbox's state: named collections of JSON documents, in memory for reading, written through to SQLite.

state = State.open(settings.state_dir / "hubspot.sqlite")
if state.begin_filling(f"{settings.seed}:{settings.customers}"):
    with state.transaction(): …fill…
companies = state.collection("companies")
companies.put("1001", {"name": "Acme"})
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, ValuesView
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import orjson

from subgraphs.kit.database import connect

Document = dict[str, Any]

_SCHEMA = """
    create table if not exists document (
        position integer primary key autoincrement, collection text not null, id text not null, body blob not null,
        unique (collection, id)
    );
    create table if not exists fact (name text primary key, value text not null) without rowid;
"""


class Collection:
    """Documents of one kind by id, in the order they were made. Treat what is read as frozen: `put` a changed copy."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._connection = connection
        self._name = name
        self._documents: dict[str, Document] = {}
        self.read_anew()

    def read_anew(self) -> None:
        """Forget what is in memory and read the file."""
        rows = self._connection.execute(
            "select id, body from document where collection = ? order by position", (self._name,)
        )
        self._documents = {document_id: orjson.loads(body) for document_id, body in rows}

    def __len__(self) -> int:
        return len(self._documents)

    def __contains__(self, document_id: str) -> bool:
        return document_id in self._documents

    def get(self, document_id: str) -> Document | None:
        """Return one document, or None."""
        return self._documents.get(document_id)

    def values(self) -> ValuesView[Document]:
        """All documents, oldest first."""
        return self._documents.values()

    def ids(self) -> list[str]:
        """All ids, oldest first."""
        return list(self._documents)

    def put(self, document_id: str, document: Document) -> None:
        """Store a document; durable when this returns, or when the transaction around it ends."""
        self._connection.execute(
            "insert into document (collection, id, body) values (?, ?, ?)"
            " on conflict (collection, id) do update set body = excluded.body",
            (self._name, document_id, orjson.dumps(document)),
        )
        self._documents[document_id] = document

    def remove(self, document_id: str) -> None:
        """Forget a document, if it is there."""
        self._connection.execute("delete from document where collection = ? and id = ?", (self._name, document_id))
        self._documents.pop(document_id, None)


class State:
    """All collections of one sandbox. For one process and one thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._collections: dict[str, Collection] = {}

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open or create the file."""
        connection = connect(path)
        connection.executescript(_SCHEMA)
        return cls(connection)

    def collection(self, name: str) -> Collection:
        """Return the collection called `name`, empty if it is new."""
        known = self._collections.get(name)
        if known is None:
            known = self._collections[name] = Collection(self._connection, name)
        return known

    def _read_anew(self) -> None:
        for collection in self._collections.values():
            collection.read_anew()

    def fact(self, name: str) -> str | None:
        """Return a named value, such as the last id given."""
        row = self._connection.execute("select value from fact where name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_fact(self, name: str, value: str) -> None:
        """Store a named value."""
        self._connection.execute(
            "insert into fact values (?, ?) on conflict (name) do update set value = excluded.value", (name, value)
        )

    def next_number(self, name: str, *, start: int = 1) -> int:
        """Return the next number of a sequence, from `start`; never the same twice, over restarts too."""
        number = int(self.fact(f"next:{name}") or start)
        self.set_fact(f"next:{name}", str(number + 1))
        return number

    def begin_filling(self, fingerprint: str) -> bool:
        """Return whether the state must be filled: it is new, or was filled for another seed or size and is now empty."""
        if self.fact("filled") == fingerprint:
            return False
        with self.transaction():
            self._connection.execute("delete from document")
            self._connection.execute("delete from fact")
        self._read_anew()
        return True

    def end_filling(self, fingerprint: str) -> None:
        """Note what the state was filled for; call it within the filling's transaction."""
        self.set_fact("filled", fingerprint)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything in the block durable at once. If it raises, the file is as before and memory is read anew."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            self._read_anew()
            raise
        self._connection.execute("commit")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
