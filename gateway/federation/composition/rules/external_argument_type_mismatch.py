"""EXTERNAL_ARGUMENT_TYPE_MISMATCH: an argument of an @external field has another type than the original's."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.references import is_strict_subtype
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.external_arguments import external_arguments
from gateway.federation.composition.rules.finding import across, grouped


def check(merge: Merge) -> Iterator[CompositionError]:
    """What the original accepts, the external field accepts."""
    for found in external_arguments(merge):
        arguments = [
            field.arguments[found.name] for _, field in found.external.present() if found.name in field.arguments
        ]
        if any(
            argument.type != found.type and not is_strict_subtype(merge.outline, argument.type, found.type)
            for argument in arguments
        ):
            texts = {index: f"`{argument.type}`" for index, argument in found.versions.present()}
            yield across(
                merge,
                "EXTERNAL_ARGUMENT_TYPE_MISMATCH",
                f"the type of `{found.coordinate}` differs where the field is @external: "
                f"{grouped(merge, found.versions, texts)}",
                found.versions,
                coordinate=found.coordinate,
                mend=f"Write `{found.type}` where the field is @external.",
            )
