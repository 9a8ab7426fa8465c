"""All kinds of workflows."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.writes.workflows.definition import Definition
from gateway.writes.workflows.quote_to_cash import QUOTE_TO_CASH

DEFINITIONS: Mapping[str, Definition] = {each.kind: each for each in (QUOTE_TO_CASH,)}
"""By kind."""
