"""Merges default values: one survives only when all versions have it."""

from __future__ import annotations

from graphql import ValueNode

from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import InputValue
from gateway.federation.composition.model.value import same_text


def merge_defaults(sources: Sources[InputValue]) -> ValueNode | None:
    """The common default, or None."""
    given = [element.default for _, element in sources.present()]
    texts = {same_text(default) for default in given}
    return given[0] if len(texts) == 1 else None


def has_conflicting_defaults(sources: Sources[InputValue]) -> bool:
    """Do two versions have different defaults?"""
    return len({same_text(element.default) for _, element in sources.present() if element.default is not None}) > 1
