"""EXTERNAL_ARGUMENT_DEFAULT_MISMATCH: an argument of an @external field has another default than the original's."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.value import same_text
from gateway.federation.composition.rules.external_arguments import external_arguments
from gateway.federation.composition.rules.finding import across, grouped


def check(merge: Merge) -> Iterator[CompositionError]:
    """External fields repeat the defaults."""
    for found in external_arguments(merge):
        arguments = [
            field.arguments[found.name] for _, field in found.external.present() if found.name in field.arguments
        ]
        if any(same_text(argument.default) != found.default for argument in arguments):
            texts = {i: same_text(argument.default) or "no default" for i, argument in found.versions.present()}
            yield across(
                merge,
                "EXTERNAL_ARGUMENT_DEFAULT_MISMATCH",
                f"the default of `{found.coordinate}` differs where the field is @external: "
                f"{grouped(merge, found.versions, texts)}",
                found.versions,
                coordinate=found.coordinate,
                mend="Repeat the default where the field is @external.",
            )
