"""The database of the workflow engine itself: SQLite needs 3.42, which the system's Python may not have."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import event


def engine_database(url: str) -> tuple[str, sqlalchemy.Engine | None]:
    """Return DBOS's url, and the engine to give it for SQLite: WAL, durable at each commit, writers take turns."""
    if not url.startswith("sqlite:///"):
        return url, None
    Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = sqlalchemy.create_engine(url, module=_sqlite(), connect_args={"timeout": 30.0})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    return url, engine


def _sqlite() -> Any:
    if sqlite3.sqlite_version_info >= (3, 42):
        return sqlite3
    import pysqlite3  # type: ignore[import-untyped]  # noqa: PLC0415 - has no types; only where the system's is too old

    return pysqlite3
