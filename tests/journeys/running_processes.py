"""Finding the processes of a running product, to stop or kill one."""

from __future__ import annotations

from pathlib import Path


def process_of(module: str, variable: str) -> int:
    """The process that runs a module with a variable in its environment."""
    (pid,) = (
        int(path.name)
        for path in Path("/proc").glob("[0-9]*")
        if variable.encode() in read(path / "environ") and module.encode() in read(path / "cmdline")
    )
    return pid


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
