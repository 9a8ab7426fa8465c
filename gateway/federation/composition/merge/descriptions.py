"""Merges descriptions: the one most subgraphs give."""

from __future__ import annotations

from collections import Counter

from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import Element


def merge_descriptions(sources: Sources[Element]) -> str | None:
    """The description given most often, the first one among equals; an empty one only if there is no other."""
    given = [element.description for _, element in sources.present() if element.description is not None]
    counted = Counter(text for text in given if text)
    if counted:
        return counted.most_common(1)[0][0]
    return "" if given else None
