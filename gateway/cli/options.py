"""Options that several commands share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.settings import DEFAULT_PATH

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", envvar="CONCORD_CONFIG", help="The configuration file (TOML).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]

CONFIG: Path = DEFAULT_PATH
