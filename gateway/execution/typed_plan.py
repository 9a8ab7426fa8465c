"""A plan over typed objects: its nodes, how its places are found, and the finished tree's JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from msgspec import UNSET

from gateway.execution.patience import Patience
from gateway.execution.ports import encode
from gateway.execution.shape import ListShape
from gateway.execution.typed_fetch import TypedFetch
from gateway.execution.typed_plain import Said
from gateway.execution.typed_slices import Mention, Slicer
from gateway.execution.typed_tree import TYPENAME, Spot


@dataclass(frozen=True, slots=True)
class TypedSequence:
    """Nodes that run one after another."""

    nodes: tuple[TypedNode, ...]
    hurried: frozenset[int]
    """As in `CompiledSequence`."""


@dataclass(frozen=True, slots=True)
class TypedParallel:
    """Nodes that run at once."""

    nodes: tuple[TypedNode, ...]


TypedNode: TypeAlias = TypedFetch | TypedSequence | TypedParallel


@dataclass(slots=True, eq=False, repr=False)
class TypedPlan:
    """A plan over typed objects, for one assignment of the variables in conditions."""

    root: TypedNode
    tree: Spot
    steps: Mapping[Spot, Callable[[list[Any]], list[Any]]]
    """Place → from the objects of the place above to its own."""
    slicers: Mapping[Spot, Slicer]
    """Places where equal slices are one object, those above others first."""
    hidden: Mapping[Spot, Callable[[list[Any]], None]]
    """Place → takes away from its objects what only representations needed."""
    said: Said
    """What comes with the objects of each place."""
    patience: Patience = field(init=False, default_factory=Patience)
    only: TypedFetch | None = field(init=False)
    """The plan's one fetch, where the client's answer is that fetch's as it was read."""

    def __post_init__(self) -> None:
        self.only = None
        if isinstance(self.root, TypedFetch) and not self.slicers and not self.hidden:
            # Fields that are the same by name and in the same order are so in all below: their classes are the tree's.
            written = self.tree.made.__struct_encode_fields__
            self.only = self.root if self.root.data.__struct_encode_fields__ == written else None

    def objects(self, spot: Spot, known: dict[Spot, list[Any]]) -> list[Any]:
        """Return the objects of a place, each once; `known` are those of some places."""
        found = known.get(spot)
        if found is None:
            assert spot.parent is not None
            found = known[spot] = self.steps[spot](self.objects(spot.parent, known))
        return found

    def finish(self, root: Any, known: dict[Spot, list[Any]], slices: dict[Spot, list[Mention]]) -> bytes:
        """Return the JSON of a finished tree, which is of no use afterwards. `slices` of places above others come first."""
        for spot, hide in self.hidden.items():
            hide(self.objects(spot, known))
        for spot in reversed(slices):
            self.slicers[spot].write(slices[spot])
        return encode(root)


def step_to(spot: Spot) -> Callable[[list[Any]], list[Any]]:
    """Generate the function from the objects above a place to its own: `[c for o in above if (c := o.f3) is not None]`."""
    assert spot.parent is not None
    attribute = spot.parent.attributes[spot.place[-1]]
    loops = f"for o in above if (c := o.{attribute}) is not None"
    shape = spot.holder.shape
    if isinstance(shape, ListShape):
        loops = f"for o in above if (l := o.{attribute}) is not None"
        inner, level = "l", 0
        while isinstance(shape.item, ListShape):
            level += 1
            loops += f" for l{level} in {inner} if l{level} is not None"
            inner, shape = f"l{level}", shape.item
        loops += f" for c in {inner} if c is not None"
    # What one result brought may be held by several objects.
    may_repeat = spot.is_sliced or (isinstance(spot.creator, tuple) and spot.creator != spot.parent.creator)
    body = f"list({{id(c): c {loops}}}.values())" if may_repeat else f"[c {loops}]"
    scope: dict[str, Any] = {}
    exec(f"def step(above): return {body}", scope)  # noqa: S102 - attributes are numbered, no text of the plan is pasted
    step: Callable[[list[Any]], list[Any]] = scope["step"]
    return step


def hide_at(spot: Spot) -> Callable[[list[Any]], None]:
    """Generate the function that takes away from a place's objects what only representations needed."""
    names = sorted(spot.hidden - spot.fields.keys())
    if spot.hides_name:
        names.append(TYPENAME)
    assignments = " = ".join(f"o.{spot.attributes[name]}" for name in names)
    scope: dict[str, Any] = {"UNSET": UNSET}
    exec(f"def hide(objects):\n    for o in objects: {assignments} = UNSET", scope)  # noqa: S102 - as above
    hide: Callable[[list[Any]], None] = scope["hide"]
    return hide
