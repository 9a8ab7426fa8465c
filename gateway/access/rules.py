"""A supergraph's demands by type and field, as they hold for objects: an interface's fields are those of its types.

Composition repeats an implementation's demands on the interface, all of them together; asked for by object type, each
object is judged by what it is. What an interface demands beyond that, each of its types does. A field demands what it is
computed from as well (`@requires`, `@fromContext`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
    is_composite_type,
    value_from_ast_untyped,
)
from graphql.language import ast

from gateway.access.demand import (
    NO_DEMANDS,
    Alternatives,
    Authenticated,
    Classified,
    Demand,
    Demands,
    Policies,
    Scopes,
    unimplied,
)
from gateway.federation.supergraph import FieldSelection, Selection, Supergraph, access_directives, parse_field_set

_Fielded = GraphQLObjectType | GraphQLInterfaceType


class AccessRules:
    """What one supergraph demands. Immutable."""

    def __init__(self, supergraph: Supergraph) -> None:
        self._supergraph = supergraph
        self._types = supergraph.schema.type_map
        self._names = access_directives(supergraph.links)
        self._own_types = {name: self._read(each) for name, each in self._types.items()}
        self._own_fields = {
            (name, field): self._read(definition)
            for name, each in self._types.items()
            if isinstance(each, _Fielded)
            for field, definition in each.fields.items()
        }
        self._inherit()
        self._fields: dict[tuple[str, str], Demands] = {}
        for key in self._own_fields:
            self._fields[key] = self._whole(key)
        self.all: Demands = frozenset[Demand]().union(*self._own_types.values(), *self._own_fields.values())
        """Everything that is demanded anywhere."""

    def of_type(self, name: str) -> Demands:
        """Return what an object, scalar or enum type demands of whoever sees a value of it."""
        return self._own_types.get(name, NO_DEMANDS)

    def of_field(self, type_name: str, field: str) -> Demands:
        """Return what a field of an object type demands, with its type and what it is computed from."""
        return self._fields.get((type_name, field), NO_DEMANDS)

    def is_maskable(self, type_name: str, field: str) -> bool:
        """Whether a masked text can stand for the field's value."""
        definition = self._definition(type_name, field)
        return definition is not None and str(definition.type).rstrip("!") == "String"

    def possible_types(self, name: str) -> tuple[str, ...]:
        """Return the object types that a value of a type can have, in a fixed order."""
        return tuple(sorted(self._supergraph.possible_types.get(name, ()))) or (name,)

    def is_abstract(self, name: str) -> bool:
        """Whether a type is an interface or union."""
        return is_composite_type(self._types.get(name)) and not isinstance(self._types[name], GraphQLObjectType)

    def type_of_field(self, type_name: str, field: str) -> str | None:
        """Return the named type of a field's value; None for a field that isn't there."""
        definition = self._definition(type_name, field)
        return get_named_type(definition.type).name if definition is not None else None

    def _definition(self, type_name: str, field: str) -> Any:
        declared = self._types.get(type_name)
        return declared.fields.get(field) if isinstance(declared, _Fielded) else None

    def _read(self, element: Any) -> Demands:
        """Return the demands that are written on a type or field."""
        nodes = [element.ast_node, *(getattr(element, "extension_ast_nodes", None) or ())]
        applied = [directive for node in nodes if node is not None for directive in node.directives or ()]
        return frozenset(demand for directive in applied if (demand := self._demand(directive)) is not None)

    def _demand(self, directive: ast.DirectiveNode) -> Demand | None:
        feature = self._names.get(directive.name.value)
        if feature is None:
            return None
        arguments = {each.name.value: value_from_ast_untyped(each.value) for each in directive.arguments or ()}
        match feature:
            case "authenticated":
                return Authenticated()
            case "requiresScopes":
                return Scopes(_alternatives(arguments.get("scopes")))
            case "policy":
                return Policies(_alternatives(arguments.get("policies")))
            case _:
                return Classified(str(arguments.get("as", "")))

    def _inherit(self) -> None:
        """Hand an interface's demands to its types, but for those that are only the types' own together.

        Composition repeats a type's demands on its interfaces; what else is there was written on the interface.
        """
        types, fields = dict(self._own_types), dict(self._own_fields)
        for name, declared in self._types.items():
            if not isinstance(declared, GraphQLInterfaceType):
                continue
            implementers = [each for each in self.possible_types(name) if each != name and each in self._types]
            if not implementers:
                continue
            more = unimplied(types[name], [types[each] for each in implementers])
            for each in implementers:
                self._own_types[each] |= more
            self._own_types[name] = NO_DEMANDS
            for field in declared.fields:
                keys = [(each, field) for each in implementers if (each, field) in fields]
                more = unimplied(fields[name, field], [fields[key] for key in keys])
                for key in keys:
                    self._own_fields[key] |= more

    def _whole(self, key: tuple[str, str]) -> Demands:
        found: set[Demand] = set()
        seen: set[tuple[str, str]] = set()
        pending = [key]
        while pending:
            current = pending.pop()
            if current in seen:
                continue
            seen.add(current)
            found |= self._own_fields.get(current, NO_DEMANDS)
            target = self.type_of_field(*current)
            if target is not None:
                found |= self._own_types.get(target, NO_DEMANDS)
            for inner in self._computed_from(*current):
                found |= self._own_types.get(inner[0], NO_DEMANDS)
                pending.append(inner)
        return frozenset(found)

    def _computed_from(self, type_name: str, field: str) -> Iterator[tuple[str, str]]:
        """Yield the (object type, field) pairs that a field needs in any subgraph."""
        for subgraph in self._supergraph.subgraphs.values():
            declared = subgraph.types.get(type_name)
            known = declared.fields.get(field) if declared is not None else None
            if known is None:
                continue
            if known.requires is not None:
                yield from self._selected(type_name, known.requires.selections)
            for argument in known.context_arguments:
                for holder in self._supergraph.contexts.get(argument.context, ()):
                    yield from self._selected(holder, parse_field_set(argument.selection).selections)

    def _selected(self, parent: str, selections: Iterable[Selection]) -> Iterator[tuple[str, str]]:
        for selection in selections:
            if isinstance(selection, FieldSelection):
                for each in self.possible_types(parent):
                    yield each, selection.name
                target = self.type_of_field(parent, selection.name)
                if target is not None and selection.selections:
                    yield from self._selected(target, selection.selections)
            else:
                yield from self._selected(selection.type_condition or parent, selection.selections)


def classified_fields(supergraph: Supergraph) -> Mapping[str, frozenset[str]]:
    """Return the names of all fields that are classified somewhere, with their classifications."""
    names = access_directives(supergraph.links)
    found: dict[str, frozenset[str]] = {}
    for declared in supergraph.schema.type_map.values():
        for name, definition in declared.fields.items() if isinstance(declared, _Fielded) else ():
            for directive in definition.ast_node.directives or () if definition.ast_node is not None else ():
                if names.get(directive.name.value) == "classified":
                    told = {each.name.value: value_from_ast_untyped(each.value) for each in directive.arguments or ()}
                    found[name] = found.get(name, frozenset()) | {str(told.get("as", ""))}
    return found


def _alternatives(value: Any) -> Alternatives:
    outer = value if isinstance(value, list) else [value]
    return tuple(
        frozenset(map(str, each)) if isinstance(each, list) else frozenset({str(each)})
        for each in outer
        if each is not None
    )
