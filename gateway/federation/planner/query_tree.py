"""Third call: merge the chosen paths into one tree that shares their common moves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.federation.planner.path import Item, Jump, Move, Narrow, Path, Take
from gateway.federation.query_graph import FieldEdge, Node


@dataclass(slots=True, eq=False)
class Taken:
    """A field taken, and what follows below it."""

    item: Item
    edge: FieldEdge | None
    branch: Branch | None


@dataclass(slots=True, eq=False)
class Branch:
    """What happens at one node: fields taken, types narrowed to, entities entered elsewhere."""

    node: Node
    takes: dict[tuple[object, ...], Taken] = field(default_factory=dict)
    narrows: dict[str, Branch] = field(default_factory=dict)
    jumps: dict[tuple[object, ...], tuple[Jump, Branch]] = field(default_factory=dict)

    def follow(self, move: Move, node: Node) -> Branch | None:
        """Return the branch after a move, made if it was not there; None below leaves."""
        match move:
            case Take(item=item, edge=edge):
                selection = item.selection
                key = (selection.response_name, selection.signature, item.conditions, item.around)
                taken = self.takes.get(key)
                if taken is None:
                    below = None if edge is None or edge.target is None else Branch(edge.target)
                    taken = self.takes[key] = Taken(item, edge, below)
                return taken.branch
            case Narrow(type_name=name):
                if name not in self.narrows:
                    self.narrows[name] = Branch(node)
                return self.narrows[name]
            case Jump():
                contexts = tuple((source.field, source.argument.name, source.depth) for source in move.contexts)
                entered = (move.target.id, move.key.text, move.requires.text if move.requires else None, contexts)
                if entered not in self.jumps:
                    self.jumps[entered] = (move, Branch(move.target))
                return self.jumps[entered][1]


def query_tree(root: Node, paths: Iterable[Path]) -> Branch:
    """Return the tree of all paths that start at `root`."""
    tree = Branch(root)
    for path in paths:
        branch: Branch | None = tree
        for move, node in path.moves():
            assert branch is not None
            branch = branch.follow(move, node)
    return tree


def print_tree(branch: Branch, indent: str = "") -> str:
    """Print a tree, one move a line, for reading."""
    lines: list[str] = []
    for taken in branch.takes.values():
        selection = taken.item.selection
        alias = "" if selection.name == selection.response_name else f"{selection.response_name}: "
        lines.append(f"{indent}{alias}{selection.signature}")
        if taken.branch is not None:
            lines.append(print_tree(taken.branch, indent + "  "))
    for name, narrowed in branch.narrows.items():
        lines.extend((f"{indent}...on {name}", print_tree(narrowed, indent + "  ")))
    for jump, entered in branch.jumps.values():
        lines.append(f"{indent}=> {jump.target} by ({jump.fields.text})")
        if jump.requirement.fetches:
            lines.extend((f"{indent}  given", print_tree(jump.requirement.tree, indent + "    ")))
        lines.append(print_tree(entered, indent + "  "))
    return "\n".join(line for line in lines if line)
