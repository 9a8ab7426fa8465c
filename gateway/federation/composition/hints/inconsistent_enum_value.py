"""An enum has a value in some subgraphs only.

INCONSISTENT_ENUM_VALUE_FOR_INPUT_ENUM: clients can't send a value that not all subgraphs know.
INCONSISTENT_ENUM_VALUE_FOR_OUTPUT_ENUM: clients may read a value that not all subgraphs know.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.hints.noting import hint, presence
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.enums import enum_usages, is_kept_value, value_sources
from gateway.federation.composition.model.result import CompositionHint, HintLevel


def find(merge: Merge) -> Iterator[CompositionHint]:
    """Values that clients send are left out, values that they read are added."""
    usages = merge.once(enum_usages)
    for name, elements in merge.enums():
        usage = usages.get(name)
        for value, versions in value_sources(elements).items():
            told = presence(merge, versions)
            if told is None:
                continue
            coordinate = f"{name}.{value}"
            if not is_kept_value(merge, versions, usage):
                message = f"clients can't send `{coordinate}`: it is defined {told}"
                code, level = "INCONSISTENT_ENUM_VALUE_FOR_INPUT_ENUM", HintLevel.WARN
            elif usage is None or usage.input_example is None:
                message = f"`{coordinate}` is defined {told}"
                code, level = "INCONSISTENT_ENUM_VALUE_FOR_OUTPUT_ENUM", HintLevel.DEBUG
            else:
                continue
            yield hint(merge, code, level, message, versions, coordinate)
