"""Where one can go from where: the graph that satisfiability checks walk and the planner searches.

A node is a type in a subgraph. From a node one can

* take a field that the subgraph resolves (`QueryGraph.field`, `common_field`),
* narrow an abstract type to one of its object types (`QueryGraph.narrow`),
* enter the same entity in another subgraph by a key (`QueryGraph.keys`); the query's root type is an entity too, of
  which there is one, so that its `__typename` is key enough.

Example, for `type Product @key(fields: "upc")` in `products` (name) and `reviews` (reviews):

    products.Query -topProducts-> products.Product -name-> String
    products.Product -key(upc)-> reviews.Product -reviews-> reviews.Review

Conditions on edges (`FieldEdge.requires`, `KeyEdge.key`) are field sets; whether they can be met from a node is the
walker's question, since the answer is again a walk of this graph.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphql import get_named_type, is_abstract_type, is_interface_type, is_object_type

from gateway.federation.query_graph.model import EdgeCache, FieldEdge, KeyEdge, Node
from gateway.federation.supergraph import (
    FieldSelection,
    FieldSet,
    FragmentSelection,
    Selection,
    SubgraphField,
    Supergraph,
    TypeKind,
    parse_field_set,
)

_COMPOSITE = (TypeKind.OBJECT, TypeKind.INTERFACE, TypeKind.UNION)
_ROOT_KEY = parse_field_set("__typename")


class QueryGraph:
    """The query graph of a supergraph, built as it is walked: cheap to make, everything found is kept.

    `active_labels` decides progressive overrides: a field overridden with a label is in the new subgraph when the
    label is in the set, and in the old one otherwise.
    """

    def __init__(self, supergraph: Supergraph, active_labels: frozenset[str] = frozenset()) -> None:
        self.supergraph = supergraph
        self._active_labels = active_labels
        self._nodes: dict[tuple[str, str, tuple[Selection, ...]], Node] = {}
        self._cache: dict[int, EdgeCache] = {}
        self._interfaces_of = self._invert_interfaces()
        self._declared: dict[tuple[str, str], str] = {}
        self.abstract_types = frozenset(
            name for name in supergraph.possible_types if is_abstract_type(supergraph.schema.type_map.get(name))
        )
        """Interfaces and unions of the whole graph."""
        self.partial_unions = frozenset(self._find_partial_unions())
        """Unions whose members differ between subgraphs."""

    def roots(self, kind: str) -> tuple[Node, ...]:
        """Return the root type's node in each subgraph that has one: where operations of this kind can start.

        `kind` is "query", "mutation" or "subscription".
        """
        name = self.supergraph.root_types.get(kind)
        if name is None:
            return ()
        return tuple(
            self.node(subgraph.name, name)
            for subgraph in self.supergraph.subgraphs.values()
            if name in subgraph.types and subgraph.types[name].fields
        )

    def node(self, subgraph: str, type_name: str, provided: tuple[Selection, ...] = ()) -> Node:
        """Return the node of a type in a subgraph. Raises KeyError where the subgraph does not have the type."""
        key = (subgraph, type_name, provided)
        node = self._nodes.get(key)
        if node is None:
            subgraph_type = self.supergraph.subgraphs[subgraph].types[type_name]
            node = self._nodes[key] = Node(len(self._nodes), subgraph, subgraph_type, provided)
            self._cache[node.id] = EdgeCache()
        return node

    def field(self, node: Node, name: str) -> FieldEdge | None:
        """Return the edge of a field, or None where the subgraph can't resolve it on this very type."""
        cache = self._cache[node.id].fields
        if name not in cache:
            cache[name] = self._find_field(node, name)
        return cache[name]

    def common_field(self, node: Node, name: str) -> FieldEdge | None:
        """Return the edge of an interface's field if all implementations in the subgraph can resolve it as it is.

        On objects, the same as `field`. None means that the planner has to ask type by type.
        """
        if not node.is_abstract:
            return self.field(node, name)
        cache = self._cache[node.id].common_fields
        if name not in cache:
            cache[name] = self._find_common_field(node, name)
        return cache[name]

    def fields(self, node: Node) -> tuple[FieldEdge, ...]:
        """Return the edges of all fields that the subgraph can resolve on this type, in order of declaration."""
        return tuple(edge for name in node.type.fields if (edge := self.field(node, name)) is not None)

    def narrow(self, node: Node, type_name: str) -> Node | None:
        """Return the node of objects that are also of another type, or None where there can be none.

        `type_name` may be an object type or an abstract type that the subgraph knows.
        """
        cache = self._cache[node.id].narrowed
        if type_name not in cache:
            cache[type_name] = self._find_narrowed(node, type_name)
        return cache[type_name]

    def keys(self, node: Node) -> tuple[KeyEdge, ...]:
        """Return all ways to enter the node's entity in another subgraph, resolvable keys only.

        From the query's root type, reached as a field, one can go to that of any other subgraph.
        """
        cache = self._cache[node.id]
        if cache.keys is None:
            cache.keys = tuple(self._find_keys(node))
        return cache.keys

    def entry_keys(self, node: Node) -> tuple[FieldSet, ...]:
        """Return the resolvable keys by which a node's own subgraph can be entered, as `@requires` needs."""
        return tuple(key.fields for key in node.type.keys if key.is_resolvable)

    def is_query_root(self, node: Node) -> bool:
        """Whether objects found here are of the type that queries start at: every subgraph that has it has the object."""
        return node.type.name == self.supergraph.root_types["query"]

    def possible_types(self, node: Node) -> frozenset[str]:
        """Return the object types that may be found at a node; for interface objects, all implementations."""
        if node.is_interface_object:
            return self.supergraph.possible_types.get(node.type.name, frozenset())
        return node.type.possible_types

    def types_of(self, type_name: str) -> frozenset[str]:
        """Return the object types that fulfil a type condition in the whole graph."""
        return self.supergraph.possible_types.get(type_name, frozenset())

    def declared_type(self, edge: FieldEdge) -> str:
        """Return the named type that the whole graph gives a field; a subgraph may declare a narrower one."""
        key = (edge.source.type.name, edge.field.name)
        if key not in self._declared:
            parent = self.supergraph.schema.type_map.get(key[0])
            field = parent.fields.get(key[1]) if is_object_type(parent) or is_interface_type(parent) else None
            self._declared[key] = get_named_type(field.type).name if field else edge.field.type.name
        return self._declared[key]

    def is_possible(self, type_name: str, condition: str) -> bool:
        """Whether objects of a type always fulfil a type condition."""
        if type_name == condition:
            return True
        possible = self.supergraph.possible_types
        own = possible.get(type_name)
        return own is not None and bool(own) and own <= possible.get(condition, frozenset())

    def _find_partial_unions(self) -> Iterable[str]:
        for name in self.abstract_types:
            possible = self.supergraph.possible_types[name]
            found = [info.types[name] for info in self.supergraph.subgraphs.values() if name in info.types]
            if any(each.kind is TypeKind.UNION and each.possible_types != possible for each in found):
                yield name

    def _invert_interfaces(self) -> dict[str, list[str]]:
        inverted: dict[str, list[str]] = {}
        for subgraph in self.supergraph.subgraphs.values():
            for subgraph_type in subgraph.types.values():
                if subgraph_type.is_interface_object:
                    for name in sorted(self.supergraph.possible_types.get(subgraph_type.name, ())):
                        found = inverted.setdefault(name, [])
                        if subgraph_type.name not in found:
                            found.append(subgraph_type.name)
        return inverted

    def _find_field(self, node: Node, name: str) -> FieldEdge | None:
        field = node.type.fields.get(name)
        if field is None:
            return None
        provided = list(self._provided(node, name))
        if provided:
            nested = tuple(selection for item in provided for selection in item.selections)
            return FieldEdge(node, field, self._target(node, field, nested))
        if not self._is_resolvable(field):
            return None
        return FieldEdge(node, field, self._target(node, field, ()), field.requires)

    def _is_resolvable(self, field: SubgraphField) -> bool:
        if (
            field.override_label is not None
            and (field.override_label in self._active_labels) is not field.needs_active_label
        ):
            return False
        return not field.is_external and not field.is_overridden

    def _target(self, node: Node, field: SubgraphField, nested: tuple[Selection, ...]) -> Node | None:
        target = self.supergraph.subgraphs[node.subgraph].types.get(field.type.name)
        if target is None or target.kind not in _COMPOSITE:
            return None
        declared = field.provides.selections if field.provides else ()
        return self.node(node.subgraph, field.type.name, declared + nested)

    def _provided(self, node: Node, name: str) -> Iterable[FieldSelection]:
        pending = list(node.provided)
        while pending:
            selection = pending.pop(0)
            if isinstance(selection, FragmentSelection):
                condition = selection.type_condition
                if condition is None or self.is_possible(node.type.name, condition):
                    pending.extend(selection.selections)
            elif selection.name == name:
                yield selection

    def _find_common_field(self, node: Node, name: str) -> FieldEdge | None:
        declared = node.type.fields.get(name)
        if declared is None:
            return None
        for type_name in sorted(node.type.possible_types):
            edge = self.field(self._member(node, type_name), name)
            if edge is None or not edge.is_plain:
                return None
            if edge.field.provides != declared.provides:
                return None
        nested = tuple(selection for item in self._provided(node, name) for selection in item.selections)
        return FieldEdge(node, declared, self._target(node, declared, nested))

    def _member(self, node: Node, type_name: str) -> Node:
        return self.node(node.subgraph, type_name, node.provided)

    def _find_narrowed(self, node: Node, type_name: str) -> Node | None:
        if node.type.name == type_name:
            return node
        if not node.is_abstract:
            return node if self.is_possible(node.type.name, type_name) else None
        other = self.supergraph.subgraphs[node.subgraph].types.get(type_name)
        if other is None or other.is_interface_object or not other.possible_types & node.type.possible_types:
            return None
        return self._member(node, type_name)

    def _find_keys(self, node: Node) -> Iterable[KeyEdge]:
        if node.type.kind is TypeKind.UNION:
            return
        if self.is_query_root(node):
            for root in self.roots("query"):
                if root.subgraph != node.subgraph:
                    yield KeyEdge(node, root, _ROOT_KEY)
            return
        names = [node.type.name]
        if not node.is_abstract and not node.is_interface_object:
            names.extend(self._interfaces_of.get(node.type.name, ()))
        for subgraph in self.supergraph.subgraphs.values():
            if subgraph.name == node.subgraph:
                continue
            for name in names:
                target = subgraph.types.get(name)
                if target is None or (name != node.type.name and not target.is_interface_object):
                    continue
                for key in target.keys:
                    if key.is_resolvable:
                        yield KeyEdge(node, self.node(subgraph.name, name), key.fields)
