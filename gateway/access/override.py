"""Which progressive overrides hold for one request.

https://www.apollographql.com/docs/graphos/schema-design/federated-schemas/entities/migrate-fields
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

ChooseLabels = Callable[[frozenset[str]], frozenset[str]]
"""Returns the labels that are active, out of those the supergraph knows; asked for each request."""

_PERCENT = re.compile(r"percent\((\d{1,3}(?:\.\d{1,8})?)\)\Z")


def active_by_percent(labels: frozenset[str]) -> frozenset[str]:
    """Roll `percent(25)` as active in a quarter of all requests; any other label is inactive."""
    return frozenset(
        label
        for label in labels
        if (match := _PERCENT.match(label)) and random.random() * 100 < float(match[1])  # noqa: S311 - a dice, no secret
    )
