"""QUERY_ROOT_TYPE_INACCESSIBLE: the query root type is hidden from clients."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.whole import Whole


def check(whole: Whole) -> Iterator[CompositionError]:
    """An API has queries."""
    name = whole.draft.schema.roots.get("query")
    if name is not None and name in whole.draft.types and not whole.is_visible_type(name):
        yield whole.error(
            "QUERY_ROOT_TYPE_INACCESSIBLE",
            f"`{name}` is the query root type and cannot be @inaccessible",
            name,
            mend="Mark single fields of it @inaccessible instead.",
        )
