"""The correlation id: one name for a request in its answer, the log, the subgraphs and the events it causes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from uuid import uuid4

HEADER = "x-correlation-id"

_ACCEPTABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


def correlation_id(headers: Mapping[str, str]) -> str:
    """Return the client's own correlation id if it is safe to log and repeat, else a new one."""
    given = headers.get(HEADER)
    return given if given and _ACCEPTABLE.fullmatch(given) else uuid4().hex
