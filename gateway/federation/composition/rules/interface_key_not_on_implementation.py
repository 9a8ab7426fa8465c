"""INTERFACE_KEY_NOT_ON_IMPLEMENTATION: an interface has a @key that an implementation lacks."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.element import Directive, Element, InterfaceType, ObjectType
from gateway.federation.composition.model.field_set import of_directive
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.rules.field_set_faults import Fault, faults, field_set_uses
from gateway.federation.composition.rules.finding import in_subgraph, listed
from gateway.federation.composition.rules.selection_text import selection_text


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """Whoever can be asked for an interface by key can be asked for each implementation by that key."""
    for element in subgraph.types.values():
        if not isinstance(element, InterfaceType):
            continue
        implementers = subgraph.implementers.get(element.name, ())
        if any(_is_faulty(subgraph, each) for each in (element, *implementers)):
            # Whether keys are the same is not known before each of them is one.
            continue
        for key in subgraph.uses(element, "key"):
            missing = [other for other in implementers if _same_key(subgraph, other, key) is None]
            unresolvable = [
                other
                for other in implementers
                if key.value("resolvable") is not False
                and (found := _same_key(subgraph, other, key)) is not None
                and found.value("resolvable") is False
            ]
            wrong = missing or unresolvable
            if wrong:
                names = listed([f"`{other.name}`" for other in wrong])
                what = "lack it" if missing else "have it with `resolvable: false`"
                yield in_subgraph(
                    subgraph,
                    "INTERFACE_KEY_NOT_ON_IMPLEMENTATION",
                    f"`{key}` on the interface `{element.name}` has to stand on all its implementations, but {names} {what}",
                    coordinate=element.name,
                    at=(key, *wrong),
                    mend=f"Add `{key}` to {names}.",
                )


def _is_faulty(subgraph: Subgraph, element: Element) -> bool:
    uses = (use for use in field_set_uses(subgraph, "key") if use.element is element)
    return any(kind in (Fault.INVALID_FIELDS, Fault.INVALID_FIELDS_TYPE) for use in uses for kind, _, _ in faults(use))


def _same_key(subgraph: Subgraph, element: ObjectType, key: Directive) -> Directive | None:
    wanted = selection_text(of_directive(key))
    keys = subgraph.uses(element, "key")
    return next((other for other in keys if selection_text(of_directive(other)) == wanted), None)
