"""Secrets for a local installation: generated once, kept in the state directory, readable by the owner alone."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from gateway.cli.state_directory import unwritable
from gateway.settings import Settings, SettingsRefused


def local_secret(directory: Path, name: str) -> str:
    """Return the secret of that name, making it if this installation has none yet: 43 URL-safe characters.

    Raises SettingsRefused when the directory can't be written.
    """
    try:
        return _kept_secret(directory, name)
    except OSError as error:
        raise unwritable(directory, error) from error
    except (ValueError, TypeError) as error:
        told = f"{directory / 'secrets.json'} holds no secrets; delete it, and others are made."
        raise SettingsRefused((told,)) from error


def _kept_secret(directory: Path, name: str) -> str:
    path = directory / "secrets.json"
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if name not in known:
        directory.mkdir(parents=True, exist_ok=True)
        known[name] = secrets.token_urlsafe(32)
        fresh = path.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(known, file)
        fresh.replace(path)
    return known[name]


def internal_secret(settings: Settings) -> str:
    """Return the secret that signs calls between Concord's own processes, generated if none is configured."""
    return settings.secrets.internal or local_secret(settings.state.directory, "internal")
