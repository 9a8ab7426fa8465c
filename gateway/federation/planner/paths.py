"""First call: find, for each leaf of the operation, the paths worth considering.

    products.Query.topProducts.name
    products.Query.topProducts ⇒(upc) reviews.Product.reviews ⇒(id) users.User.name

A field is looked for where its parent already is. Other subgraphs are entered only for what can't be had there, and
an abstract type is taken apart into its object types only where the subgraph can't answer for all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gateway.errors import GatewayError
from gateway.federation.planner.alternatives import Alternatives
from gateway.federation.planner.budget import Budget
from gateway.federation.planner.collect import Collector
from gateway.federation.planner.contexts import find_contexts
from gateway.federation.planner.path import Item, Jump, Leaf, Narrow, Path, Position, Selections, Take
from gateway.federation.planner.reach import Reach
from gateway.federation.query_graph import FieldEdge, Node, QueryGraph
from gateway.federation.supergraph import FieldSelection

TYPENAME = FieldSelection("__typename", "__typename")
_MAX_TIES = 4
"""Equally cheap paths kept to one node; more would multiply the search and never saved a request."""


class PathFinder:
    """Finds paths for one planning: a budget to spend, and memories of what is true for the graph alone."""

    def __init__(self, graph: QueryGraph, collector: Collector, reach: Reach, budget: Budget) -> None:
        self._graph = graph
        self._collector = collector
        self._reach = reach
        self._budget = budget

    def find(
        self,
        paths: Sequence[Path],
        static: str,
        children: tuple[Selections, ...],
        position: Position = (),
        *,
        alternatives: Alternatives | None = None,
        is_hidden: bool = False,
        is_local: bool = False,
    ) -> list[Leaf] | None:
        """Return the leaves below objects that `paths` lead to, or None if one of them can't be reached.

        `static` is the objects' type in the whole graph. `is_local` forbids to enter other subgraphs.
        """
        groups = self._collector.collect(static, children, is_hidden=is_hidden)
        places = alternatives or self._alternatives(paths)
        shared = places.shared_types(static)
        search = _Level(self, position, places, is_hidden=is_hidden, is_local=is_local)
        leaves: list[Leaf] = []
        for condition, items in groups.items():
            if shared is not None and condition != static and shared.isdisjoint(self._graph.types_of(condition)):
                continue
            for item in items:
                found = search.item(paths, condition, item)
                if found is None:
                    return None
                leaves.extend(found)
        is_abstract = self.is_abstract(static)
        if is_abstract or not leaves:
            needs_type = len(groups) > 1 or any(not path.node.is_interface_object for path in paths)
            known = search.typename(paths, static, Item(TYPENAME, frozenset(), is_hidden=True))
            if needs_type and known:
                leaves.extend(known)
            elif not leaves:
                return None
        return leaves

    def find_root(self, starts: Sequence[Path], static: str, selections: Selections) -> list[Leaf]:
        """Return the leaves of root selections; introspection and `__typename` need no subgraph and are left out.

        Raises GatewayError with OPERATION_NOT_SATISFIABLE for a field that no subgraph can answer: the supergraph was
        composed by somebody who doesn't check that.
        """
        level = _Level(self, (), self._alternatives(starts), is_hidden=False, is_local=False)
        leaves: list[Leaf] = []
        for condition, items in self._collector.collect(static, (selections,), is_hidden=False).items():
            for item in items:
                if item.selection.name.startswith("__"):
                    continue
                found = level.item(starts, condition, item)
                if found is None:
                    name = f"{static}.{item.selection.name}"
                    message = f"The supergraph has no way to answer all that is selected of {name}."
                    raise GatewayError("OPERATION_NOT_SATISFIABLE", message, extensions={"coordinate": name})
                leaves.extend(found)
        return leaves

    def _alternatives(self, paths: Sequence[Path]) -> Alternatives:
        return Alternatives(self._graph, self._reach, frozenset(path.node for path in paths))

    def is_abstract(self, type_name: str) -> bool:
        """Whether the type is an interface or a union in the whole graph."""
        return type_name in self._graph.abstract_types

    @property
    def graph(self) -> QueryGraph:
        """The graph that is searched."""
        return self._graph

    @property
    def reach(self) -> Reach:
        """Where entities can be entered from a node."""
        return self._reach

    @property
    def budget(self) -> Budget:
        """What is left to spend."""
        return self._budget


class _Level:
    """The search at one position of the response."""

    def __init__(
        self, finder: PathFinder, position: Position, alternatives: Alternatives, *, is_hidden: bool, is_local: bool
    ) -> None:
        self._finder = finder
        self._graph = finder.graph
        self._position = position
        self._alternatives = alternatives
        self._is_hidden = is_hidden
        self._is_local = is_local

    def item(self, paths: Sequence[Path], condition: str, item: Item) -> list[Leaf] | None:
        """Return the leaves of one selected field under a type condition."""
        self._finder.budget.spend(len(paths))
        if item.selection.name == "__typename":
            return self.typename(paths, condition, item)
        if self._finder.is_abstract(condition):
            return self._on_abstract(paths, condition, item)
        return self._on_object(paths, condition, item)

    def typename(self, paths: Sequence[Path], condition: str, item: Item) -> list[Leaf] | None:
        """Return the leaf of `__typename`; interface objects have to be entered where the interface is a real one."""
        views = self._narrowed(paths, condition)
        if views is None:
            return None
        known = [view for view in views if not view.node.is_interface_object]
        if not known:
            known = [found for view in views for found in self._as_interface(view)]
        if not known:
            return None if views else []
        return [self._leaf(item, [_take(path, item, None) for path in known])]

    def _on_object(self, paths: Sequence[Path], type_name: str, item: Item) -> list[Leaf] | None:
        views = self._narrowed(paths, type_name)
        if not views:
            # Where no path can lead to such an object there is nothing to ask for, and nothing missing.
            return None if views is None else []
        return self._resolve(views, item)

    def _on_abstract(self, paths: Sequence[Path], condition: str, item: Item) -> list[Leaf] | None:
        views = self._narrowed(paths, condition)
        if views is None:
            return None
        overlapping = [path for path in paths if self._overlaps(path.node, condition)]
        direct = [view for view in views if self._plain_edge(view.node, item) is not None]
        if direct and min(p.cost for p in direct) <= min(p.cost for p in (*views, *overlapping)):
            found = self._resolve(direct, item)
            if found is not None:
                return found
        members = self._members(overlapping, condition)
        if not members:
            return self._resolve(views, item) if views else []
        if not self._is_local and not self._answers_each(overlapping, members, item):
            entered = self._entered(views, item)
            if entered:
                found = self._follow(entered + self._direct(views, item), item)
                if found is not None:
                    return found
        able = [path for path in overlapping if self._is_able(path, condition, item)]
        leaves: list[Leaf] = []
        for type_name in self._members(able, condition):
            found = self._on_object(able, type_name, item)
            if found is None:
                return self._resolve(views, item) if views else None
            leaves.extend(found)
        return leaves if able else None

    def _is_able(self, path: Path, condition: str, item: Item) -> bool:
        """Whether a path can answer for every type that its objects may have: which one comes back is not ours to say."""
        members = self._members([path], condition)
        if self._answers_each([path], members, item):
            return True
        return all(self._on_object([path], type_name, item) is not None for type_name in members)

    def _resolve(self, views: list[Path], item: Item) -> list[Leaf] | None:
        """Take a field on nodes that are alike: where the paths are if possible, elsewhere if need be."""
        direct = self._direct(views, item)
        is_cheap = bool(direct) and min(path.cost for path in direct)[0] <= min(view.cost for view in views)[0] + 1
        if is_cheap or self._is_local:
            found = self._follow(direct, item) if direct else None
            if found is not None or self._is_local:
                return found
            if not item.children:
                return None
        return self._follow(direct + self._entered(views, item), item)

    def _follow(self, paths: list[Path], item: Item) -> list[Leaf] | None:
        """Go on below a field that all paths have just taken."""
        if not paths:
            return None
        if not item.children:
            return [self._leaf(item, paths)]
        static = self._static_type(paths)
        position = (*self._position, item.selection.response_name)
        return self._finder.find(
            _cheapest(paths),
            static,
            item.children,
            position,
            alternatives=self._alternatives.below(item.selection.name),
            is_hidden=self._is_hidden,
            is_local=self._is_local,
        )

    def _static_type(self, paths: list[Path]) -> str:
        """Return the type that the whole graph gives a field: its declared type, whatever a subgraph narrows it to."""
        move = paths[0].move
        assert isinstance(move, Take)
        assert move.edge is not None
        return self._graph.declared_type(move.edge)

    def _leaf(self, item: Item, paths: list[Path]) -> Leaf:
        self._finder.budget.spend(len(paths))
        kept: list[Path] = []
        for path in sorted(paths, key=lambda found: found.cost):
            if not any(other.fetches <= path.fetches for other in kept):
                kept.append(path)
        return Leaf((*self._position, item.selection.response_name), tuple(kept))

    def _direct(self, views: Iterable[Path], item: Item) -> list[Path]:
        return [_take(view, item, edge) for view in views if (edge := self._plain_edge(view.node, item)) is not None]

    def _plain_edge(self, node: Node, item: Item) -> FieldEdge | None:
        edge = self._graph.common_field(node, item.selection.name)
        return edge if edge is not None and edge.is_plain else None

    def _entered(self, views: Iterable[Path], item: Item) -> list[Path]:
        """Return paths that take the field after entering the entity in another subgraph, or again in the same one."""
        found: list[Path] = []
        for view in views:
            if self._is_operation_root(view):
                # The operation starts in every subgraph anyway.
                continue
            for jumps, edge in self._finder.reach.ways_to(view.node, item.selection.name):
                self._finder.budget.spend()
                if edge.field.context_arguments:
                    contexts = find_contexts(self._finder, view, self._position, edge)
                    if contexts is None:
                        continue
                    jumps = (*jumps[:-1], replace(jumps[-1], contexts=contexts))  # noqa: PLW2901
                found.append(_take(self._jump(view, jumps), item, edge))
        return found

    def _is_operation_root(self, path: Path) -> bool:
        return path.parent is None and not self._is_hidden

    def _jump(self, path: Path, jumps: Iterable[Jump]) -> Path:
        for jump in jumps:
            needed = jump.requirement
            tag = jump.requires.text if jump.requires and needed.fetches else ""
            fetches = {(self._position, jump.target.subgraph, tag)}
            fetches.update((self._position + at, subgraph, key) for at, subgraph, key in needed.fetches)
            for source in jump.contexts:
                above = self._position[: source.depth]
                fetches.update((above + at, subgraph, key) for at, subgraph, key in source.requirement.fetches)
            path = Path(jump.target, path, jump, path.fetches | fetches, path.depth + 1 + needed.depth)
        return path

    def _as_interface(self, path: Path) -> list[Path]:
        """Enter an interface object's interface where objects know their own type."""
        if self._is_local:
            return []
        name = path.node.type.name
        return [
            self._jump(path, jumps)
            for target, jumps in self._finder.reach.everywhere(path.node)
            if target.type.name == name and target.is_abstract
        ]

    def _narrowed(self, paths: Sequence[Path], condition: str) -> list[Path] | None:
        """Return the paths whose objects may fulfil a type condition, narrowed to it.

        None where objects do exist but their own type can't be found out.
        """
        views: list[Path] = []
        unknown = False
        for path in paths:
            node = path.node
            if node.is_abstract:
                view = self._narrow(path, condition)
                if view is not None:
                    views.append(view)
            elif not node.is_interface_object:
                if self._graph.is_possible(node.type.name, condition):
                    views.append(path)
            elif node.type.name == condition or self._overlaps(node, condition):
                is_all = self._graph.is_possible(node.type.name, condition)
                if is_all:
                    views.append(path)
                if not is_all or not self._finder.is_abstract(condition):
                    # Objects here don't know their own type: it is found where the interface is a real one.
                    entered = [v for p in self._as_interface(path) if (v := self._narrow(p, condition)) is not None]
                    views.extend(entered)
                    unknown = unknown or not (entered or is_all)
        return None if unknown and not views else views

    def _narrow(self, path: Path, condition: str) -> Path | None:
        node = path.node
        if node.type.name == condition:
            return path
        if self._finder.is_abstract(condition) and node.type.possible_types <= self._graph.types_of(condition):
            return path
        target = self._graph.narrow(node, condition)
        if target is None:
            return None
        parent = path.parent
        if isinstance(path.move, Narrow) and parent is not None:
            return Path(target, parent, Narrow(condition), path.fetches, path.depth)
        return Path(target, path, Narrow(condition), path.fetches, path.depth)

    def _overlaps(self, node: Node, condition: str) -> bool:
        return not self._graph.types_of(condition).isdisjoint(self._graph.possible_types(node))

    def _members(self, paths: Iterable[Path], condition: str) -> list[str]:
        types = self._graph.types_of(condition)
        found = {name for path in paths for name in self._graph.possible_types(path.node) if name in types}
        return sorted(found)

    def _answers_each(self, paths: Sequence[Path], members: list[str], item: Item) -> bool:
        """Whether each object type's field can be had where the objects already are."""
        if any(path.node.is_interface_object for path in paths):
            return False
        for type_name in members:
            views = self._narrowed(paths, type_name)
            if not views or not any(self._plain_edge(view.node, item) for view in views):
                return False
        return True


def _take(path: Path, item: Item, edge: FieldEdge | None) -> Path:
    node = edge.target if edge is not None and edge.target is not None else path.node
    return Path(node, path, Take(item, edge), path.fetches, path.depth)


def _cheapest(paths: Sequence[Path]) -> list[Path]:
    """Keep, for each node, the cheapest ways to it that are not just another one with more requests."""
    kept: list[Path] = []
    ties: dict[int, int] = {}
    for path in sorted(paths, key=lambda found: found.cost):
        if any(other.node is path.node and other.fetches <= path.fetches for other in kept):
            continue
        if ties.get(path.node.id, 0) < _MAX_TIES:
            ties[path.node.id] = ties.get(path.node.id, 0) + 1
            kept.append(path)
    return kept
