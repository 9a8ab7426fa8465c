"""MISSING_TRANSITIVE_AUTH_REQUIREMENTS: a field needs protected data, but doesn't ask for the access itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphql import FieldNode, InlineFragmentNode, SelectionSetNode

from gateway.federation.composition.merge.strategies import conjunction
from gateway.federation.composition.model.element import Directive, Element, Field, InterfaceType, ObjectType
from gateway.federation.composition.model.field_set import of_directive, try_parse_field_set
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.type_reference import named_type
from gateway.federation.composition.rules.context_uses import context_places, context_uses
from gateway.federation.composition.rules.field_set_faults import field_set_uses
from gateway.federation.composition.rules.finding import in_subgraph
from gateway.federation.composition.rules.whole import Whole

_Dnf = list[list[str]]
_ALWAYS: _Dnf = [[]]


@dataclass(frozen=True, slots=True)
class _Access:
    is_authenticated: bool = False
    scopes: tuple[_Dnf, ...] = ()
    policies: tuple[_Dnf, ...] = ()

    def both(self, other: _Access) -> _Access:
        return _Access(
            self.is_authenticated or other.is_authenticated, self.scopes + other.scopes, self.policies + other.policies
        )

    def implies(self, other: _Access) -> bool:
        return (
            (self.is_authenticated or not other.is_authenticated)
            and _implies(self.scopes, other.scopes)
            and _implies(self.policies, other.policies)
        )


def _implies(ours: tuple[_Dnf, ...], theirs: tuple[_Dnf, ...]) -> bool:
    """Does whoever satisfies ours satisfy theirs? An empty OR means no demand."""
    left, right = conjunction(ours) or _ALWAYS, conjunction(theirs) or _ALWAYS
    return all(any(set(theirs_term) <= set(ours_term) for theirs_term in right) for ours_term in left)


def check(whole: Whole) -> Iterator[CompositionError]:
    """Whoever may see a field may see what it is computed from."""
    if not any(name in whole.draft.carried for name in ("authenticated", "requiresScopes", "policy")):
        return
    for subgraph in whole.merge.subgraphs:
        for use in field_set_uses(subgraph, "requires"):
            own = _own(whole, use.owner.name, use.element.name)
            selection = of_directive(use.applied)
            for protected in _protected(whole, own, use.target, selection) if selection else ():
                yield in_subgraph(
                    subgraph,
                    "MISSING_TRANSITIVE_AUTH_REQUIREMENTS",
                    f"`{use.coordinate}` requires `{protected}`, but does not ask for the access that `{protected}` demands",
                    coordinate=use.coordinate,
                    at=(use.applied, use.element),
                    mend=f"Repeat the access control of `{protected}` on `{use.coordinate}`.",
                )
        places = context_places(subgraph)
        for found in context_uses(subgraph):
            own = _own(whole, found.parent.name, found.field.name)
            selection = try_parse_field_set(found.selection)
            for place in places.get(found.context or "", ()):
                demanded = _on(whole, whole.draft.types.get(place.name))
                names = [] if own.implies(demanded) else [place.name]
                names.extend(_protected(whole, own, place.name, selection) if selection else ())
                for protected in names:
                    yield in_subgraph(
                        subgraph,
                        "MISSING_TRANSITIVE_AUTH_REQUIREMENTS",
                        f"`{found.coordinate}` reads `{protected}` from a context, but its field does not ask for the "
                        f"access that `{protected}` demands",
                        coordinate=found.coordinate,
                        at=(found.applied, found.field),
                    )


def _own(whole: Whole, parent: str, name: str) -> _Access:
    element = whole.draft.types.get(parent)
    field = element.fields.get(name) if isinstance(element, ObjectType | InterfaceType) else None
    return _on(whole, element).both(_on(whole, field))


def _on(whole: Whole, element: Element | None) -> _Access:
    carried = whole.draft.carried
    applied: dict[str, Directive] = {d.name: d for d in element.directives} if element is not None else {}
    scopes = applied.get(carried.get("requiresScopes", ""))
    policies = applied.get(carried.get("policy", ""))
    return _Access(
        carried.get("authenticated", "") in applied,
        (scopes.value("scopes"),) if scopes else (),
        (policies.value("policies"),) if policies else (),
    )


def _protected(whole: Whole, own: _Access, parent: str, selection: SelectionSetNode) -> Iterator[str]:
    element = whole.draft.types.get(parent)
    for node in selection.selections:
        if isinstance(node, InlineFragmentNode):
            condition = node.type_condition.name.value if node.type_condition else parent
            if not own.implies(_on(whole, whole.draft.types.get(condition))):
                yield condition
            yield from _protected(whole, own, condition, node.selection_set)
        elif isinstance(node, FieldNode) and isinstance(element, ObjectType | InterfaceType):
            field: Field | None = element.fields.get(node.name.value)
            if field is None:
                continue
            target = named_type(field.type)
            if not own.implies(_on(whole, field)) or not own.implies(_on(whole, whole.draft.types.get(target))):
                yield f"{parent}.{field.name}"
            if node.selection_set is not None:
                yield from _protected(whole, own, target, node.selection_set)
