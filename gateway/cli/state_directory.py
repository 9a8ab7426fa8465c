"""The state directory of `concord up`: it must be writable, and belongs to one `concord up` at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.settings import SettingsRefused


@contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """Hold the directory, which is made if it is missing; the system frees it at a crash.

    Raises SettingsRefused when it can't be written, or when another `concord up` holds it.
    """
    path = directory / "up.lock"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock_file = path.open("w")
    except OSError as error:
        raise unwritable(directory, error) from error
    with lock_file:
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            told = f"`concord up` is running already with the state in {directory}"
            mend = "stop it first, or give this one a `state.directory` and ports of its own"
            raise SettingsRefused((f"{told}; {mend}.",)) from error
        yield


def unwritable(directory: Path, error: OSError) -> SettingsRefused:
    """Return the refusal of a state directory that can't be written."""
    return SettingsRefused((f"The state directory {directory} can't be written: {error.strerror}.",))
