"""An operation's typed plans: one for each assignment of the variables that its conditions use, where there can be one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

from gateway.execution.entity_fetch import CompiledEntity
from gateway.execution.execute import (
    CompiledCondition,
    CompiledNode,
    CompiledParallel,
    CompiledPlan,
    CompiledSequence,
    CompiledSubscription,
)
from gateway.execution.root_fetch import CompiledRoot
from gateway.execution.shape import ListShape, ObjectShape
from gateway.execution.sharing import Place
from gateway.execution.typed_fetches import Fetches
from gateway.execution.typed_plain import said_at
from gateway.execution.typed_plan import TypedNode, TypedParallel, TypedPlan, TypedSequence, hide_at, step_to
from gateway.execution.typed_slices import Repeats, Slicer
from gateway.execution.typed_tree import Assignment, NotTyped, Spot, make_classes, object_in, spots_of
from gateway.federation.plan import OperationKind

_LOOK_EVERY = 32
"""Answers between looks at how often slices repeat."""


@dataclass(slots=True)
class TypedOperation:
    """An operation's typed plans, each compiled when it is first needed."""

    plan: CompiledPlan
    shape: ObjectShape
    conditions: tuple[str, ...]
    """Variables that `@skip` and `@include` use."""
    most_variants: int = 8
    _variants: dict[tuple[bool, ...], TypedPlan | None] = field(default_factory=dict)
    _repeats: dict[Place, Repeats] = field(default_factory=dict)
    _plain: frozenset[Place] = frozenset()
    """Places that are decoded without looking for equal slices."""
    _answers: int = 0
    irregular: int = 0
    """How many answers in a row were irregular."""
    _pause: int = 0
    """How many more requests don't try."""

    def choose(self, variables: Mapping[str, Any]) -> TypedPlan | None:
        """Return the plan for a request's variables, or None where it has to be executed in the general way."""
        if self._pause:
            self._pause -= 1
            return None
        key = tuple([bool(variables.get(name)) for name in self.conditions]) if self.conditions else ()
        try:
            return self._variants[key]
        except KeyError:
            if len(self._variants) >= self.most_variants:
                return None
        made = self._variants[key] = self._compile(dict(zip(self.conditions, key, strict=True)))
        return made

    def was_regular(self) -> None:
        """Note that a request ended as it began."""
        self.irregular = 0
        self._answers += 1
        if self._answers % _LOOK_EVERY:
            return
        rare = [place for place, each in self._repeats.items() if place not in self._plain and each.is_rare]
        if rare:
            self._plain = self._plain.union(rare)
            self._variants.clear()

    def was_irregular(self) -> None:
        """Note that a request had to be executed anew. Where that happens each time, it isn't tried for a while."""
        self.irregular += 1
        if self.irregular >= 8:
            self.irregular = 0
            self._pause = 200

    def _compile(self, assignment: Assignment) -> TypedPlan | None:
        try:
            return self._typed(assignment)
        except (NotTyped, KeyError):
            return None

    def _typed(self, assignment: Assignment) -> TypedPlan:
        root = self.plan.root
        assert not isinstance(root, CompiledSubscription)
        node = _resolved(root, assignment)
        if node is None:
            raise NotTyped("nothing to fetch")
        tree = spots_of(self.shape, assignment)
        fetches = Fetches(tree, assignment)
        for each in _fetches(node):
            fetches.note(each)
        fetches.check()
        sliced = [spot for spot in tree.walk() if self._may_slice(spot)]
        for spot in sliced:
            spot.is_sliced = True
        make_classes(tree)
        return TypedPlan(
            root=_typed_node(node, fetches),
            tree=tree,
            steps={spot: step_to(spot) for spot in tree.walk() if spot.parent is not None},
            slicers={spot: Slicer(spot, self._repeats.setdefault(spot.place, Repeats())) for spot in sliced},
            hidden={spot: hide_at(spot) for spot in tree.walk() if spot.hidden - spot.fields.keys() or spot.hides_name},
            said=said_at(tree),
        )

    def _may_slice(self, spot: Spot) -> bool:
        """Tell whether a place's objects are each alone in a field, below a list: mentions that may repeat."""
        return (
            spot.parent is not None
            and spot.place not in self._plain
            and not isinstance(spot.holder.shape, ListShape)
            and _is_below_list(spot.parent)
        )


def _is_below_list(spot: Spot) -> bool:
    return spot.parent is not None and (isinstance(spot.holder.shape, ListShape) or _is_below_list(spot.parent))


def type_operation(plan: CompiledPlan, shape: ObjectShape) -> TypedOperation | None:
    """Return an operation's typed plans; None where it can have none."""
    if plan.plan.kind is not OperationKind.QUERY or plan.root is None or isinstance(plan.root, CompiledSubscription):
        return None
    names = sorted({*_shape_conditions(shape, set()), *_plan_conditions(plan.root)})
    return TypedOperation(plan, shape, tuple(names))


def _shape_conditions(shape: ObjectShape, seen: set[int]) -> Iterator[str]:
    if id(shape) in seen:
        return
    seen.add(id(shape))
    for fields in shape.by_type.values():
        for each in fields:
            yield from (name for condition in each.conditions for name, _ in condition)
            inner = object_in(each.shape)
            if inner is not None:
                yield from _shape_conditions(inner, seen)


def _plan_conditions(node: CompiledNode) -> Iterator[str]:
    match node:
        case CompiledCondition(variable, if_true, if_false):
            yield variable
            for each in (if_true, if_false):
                if each is not None:
                    yield from _plan_conditions(each)
        case CompiledSequence(nodes) | CompiledParallel(nodes):
            for each in nodes:
                yield from _plan_conditions(each)
        case CompiledEntity():
            yield from (name for each in node.fetch.inputs for name, _ in each.conditions)
        case CompiledRoot():
            return
        case _:
            assert_never(node)


def _resolved(node: CompiledNode | None, assignment: Assignment) -> CompiledNode | None:
    """Return a plan's node with its conditions decided; None where nothing is left of it."""
    match node:
        case None | CompiledRoot() | CompiledEntity():
            return node
        case CompiledCondition(variable, if_true, if_false):
            return _resolved(if_true if assignment[variable] else if_false, assignment)
        case CompiledSequence(nodes, hurried):
            left = [
                (index, each) for index, old in enumerate(nodes) if (each := _resolved(old, assignment)) is not None
            ]
            moved = frozenset(new for new, (old, _) in enumerate(left) if old in hurried)
            return CompiledSequence(tuple(each for _, each in left), moved) if left else None
        case CompiledParallel(nodes):
            kept = tuple(each for old in nodes if (each := _resolved(old, assignment)) is not None)
            return CompiledParallel(kept, ()) if kept else None
        case _:
            assert_never(node)


def _fetches(node: CompiledNode) -> Iterator[CompiledRoot | CompiledEntity]:
    match node:
        case CompiledRoot() | CompiledEntity():
            yield node
        case CompiledSequence(nodes) | CompiledParallel(nodes):
            for each in nodes:
                yield from _fetches(each)


def _typed_node(node: CompiledNode, fetches: Fetches) -> TypedNode:
    match node:
        case CompiledRoot() | CompiledEntity():
            return fetches.make(node)
        case CompiledSequence(nodes, hurried):
            return TypedSequence(tuple(_typed_node(each, fetches) for each in nodes), hurried)
        case CompiledParallel(nodes):
            return TypedParallel(tuple(_typed_node(each, fetches) for each in nodes))
        case CompiledCondition():
            raise AssertionError("conditions are decided")
        case _:
            assert_never(node)
