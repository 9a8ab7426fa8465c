"""DISALLOWED_INACCESSIBLE: @inaccessible stands on an argument of a directive that schemas apply."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.definitions import EXECUTABLE_LOCATIONS
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.whole import Whole


def check(whole: Whole) -> Iterator[CompositionError]:
    """The schema itself applies such directives, with all their arguments."""
    for definition in whole.draft.definitions.values():
        in_schemas = [location for location in definition.locations if location not in EXECUTABLE_LOCATIONS]
        if not in_schemas:
            continue
        for argument in definition.arguments.values():
            if whole.is_inaccessible(argument):
                yield whole.error(
                    "DISALLOWED_INACCESSIBLE",
                    f"`@{definition.name}({argument.name}:)` cannot be @inaccessible: "
                    f"the directive can stand on {', '.join(in_schemas)}",
                    f"@{definition.name}({argument.name}:)",
                    mend="Remove @inaccessible.",
                )
