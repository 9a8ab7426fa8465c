"""EMPTY_MERGED_ENUM_TYPE: the versions of an enum that clients send have no value in common."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.enums import enum_usages, is_kept_value, value_sources
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.finding import across


def check(merge: Merge) -> Iterator[CompositionError]:
    """Only common values can be sent, and there has to be one."""
    usages = merge.once(enum_usages)
    for name, elements in merge.enums():
        sources = value_sources(elements)
        if not any(is_kept_value(merge, versions, usages.get(name)) for versions in sources.values()):
            yield across(
                merge,
                "EMPTY_MERGED_ENUM_TYPE",
                f"the subgraphs' versions of the enum `{name}` have no value in common",
                Sources(elements),
                coordinate=name,
                mend="Give them a common value, or rename one of them.",
            )
