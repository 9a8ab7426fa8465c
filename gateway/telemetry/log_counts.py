"""Counts what the log says: whatever goes wrong is told there once, on whichever transport, with its code."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

_ANSWERS = "concord.answers"


class LogCounts(logging.Handler):
    """A handler of the logger `concord` that writes nothing."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: Counter[tuple[str, str]] = Counter()
        """Level and event → lines."""
        self.refused: Counter[str] = Counter()
        """Code → requests that were refused as a whole."""
        self.failed: Counter[tuple[str, str]] = Counter()
        """System and code → answers with such an error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Count a line. An event is the text before anything is put into it, so that there are only so many."""
        self.lines[record.levelname.lower(), str(record.msg)] += 1
        if record.name != _ANSWERS:
            return
        is_refusal = record.msg != "answered_with_errors"
        for code in getattr(record, "codes", ()):
            if is_refusal:
                self.refused[code] += 1
            else:
                system, _, code_of_system = code.rpartition(" ")
                self.failed[system, code_of_system] += 1

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count until the block ends."""
        logger = logging.getLogger("concord")
        logger.addHandler(self)
        try:
            yield
        finally:
            logger.removeHandler(self)
