"""ENUM_VALUE_MISMATCH: an enum that clients send and read has different values in its subgraphs."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.enums import enum_usages, value_sources
from gateway.federation.composition.merge.inputs import is_inaccessible
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.finding import across, listed


def check(merge: Merge) -> Iterator[CompositionError]:
    """What one subgraph answers, another may be asked."""
    usages = merge.once(enum_usages)
    for name, elements in merge.enums():
        usage = usages.get(name)
        if usage is None or usage.input_example is None or usage.output_example is None:
            continue
        for value, versions in value_sources(elements).items():
            if versions.missing() and not is_inaccessible(merge, versions):
                yield across(
                    merge,
                    "ENUM_VALUE_MISMATCH",
                    f"clients send `{name}` (to `{usage.input_example}`) and read it (from `{usage.output_example}`), "
                    f"so all subgraphs need its value `{value}`, but "
                    f"{listed(merge.outline.names(versions.missing()))} does not have it",
                    versions,
                    coordinate=f"{name}.{value}",
                    mend=f"Add `{value}` there, or mark it @inaccessible until all have it.",
                )
