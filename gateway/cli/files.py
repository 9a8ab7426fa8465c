"""Files that a command reads and writes for whoever called it: what can't be done is told in a sentence."""

from __future__ import annotations

from pathlib import Path

from gateway.settings import SettingsRefused


def read_text(path: Path) -> str:
    """Return what a file holds. Raises SettingsRefused."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SettingsRefused((f"{path} is not text in UTF-8.",)) from error
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise SettingsRefused((f"{path} can't be read: {_reason(error)}.",)) from error


def write_text(path: Path, text: str) -> None:
    """Write a file, and make its folder where there is none. Raises SettingsRefused."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        raise SettingsRefused((f"{path} can't be written: {_reason(error)}.",)) from error


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
