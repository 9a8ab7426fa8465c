"""A plan compiled to run over typed objects, where that is possible, and the finished tree's JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, assert_never

import msgspec
from msgspec import UNSET, Raw

from gateway.execution.entity_fetch import CompiledEntity
from gateway.execution.execute import (
    CompiledCondition,
    CompiledNode,
    CompiledParallel,
    CompiledPlan,
    CompiledSequence,
    CompiledSubscription,
)
from gateway.execution.patience import Patience
from gateway.execution.ports import encode
from gateway.execution.root_fetch import CompiledRoot
from gateway.execution.shape import ListShape, ObjectShape
from gateway.execution.sharing import Place
from gateway.execution.typed_fetch import Fetches, TypedFetch
from gateway.execution.typed_generate import Irregular
from gateway.execution.typed_plain import Said, said_at
from gateway.execution.typed_tree import TYPENAME, Assignment, NotTyped, Spot, make_classes, object_in, spots_of
from gateway.federation.plan import OperationKind

_NULL = Raw(b"null")
_CHAIN = 8
"""Different slices of one length that are compared with; further ones are taken for new. Hashing kilobytes costs more than
comparing."""
_LOOK_EVERY = 32
"""Answers between looks at how often slices repeat."""
_ENOUGH = 500
"""Mentions after which a place with few equal ones is decoded without looking for them."""


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


@dataclass(slots=True)
class Mention:
    """Equal slices of an answer: the object that they are, and the objects that hold it."""

    value: Any
    holders: list[Any]


@dataclass(slots=True)
class Repeats:
    """How often equal slices were met at a place."""

    mentions: int = 0
    distinct: int = 0

    @property
    def is_rare(self) -> bool:
        """Whether looking for equal slices has cost more than it saved."""
        return self.mentions >= _ENOUGH and self.distinct * 2 > self.mentions


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


class Slicer:
    """Decodes equal slices of answers at one place once, and writes them once."""

    def __init__(self, spot: Spot, repeats: Repeats) -> None:
        self._attribute = spot.parent.attributes[spot.place[-1]] if spot.parent else ""
        self._is_nullable = spot.holder.is_nullable
        self._decode = msgspec.json.Decoder(spot.made).decode
        self._repeats = repeats

    def read(self, holders: list[Any]) -> list[Mention]:
        """Replace the slices that objects hold; equal ones by one object. Raises Irregular."""
        attribute, decode = self._attribute, self._decode
        known: dict[int, list[tuple[Raw, Mention]]] = {}
        found: list[Mention] = []
        for holder in holders:
            raw = getattr(holder, attribute)
            if raw is None:
                continue
            alike = known.get(len(raw))
            if alike is None:
                alike = known[len(raw)] = []
            for text, mention in alike:
                if text == raw:
                    mention.holders.append(holder)
                    setattr(holder, attribute, mention.value)
                    break
            else:
                if raw == _NULL:
                    if not self._is_nullable:
                        raise Irregular
                    setattr(holder, attribute, None)
                    continue
                try:
                    mention = Mention(decode(raw), [holder])
                except ValueError:
                    raise Irregular from None
                found.append(mention)
                if len(alike) < _CHAIN:
                    alike.append((raw, mention))
                setattr(holder, attribute, mention.value)
        self._repeats.mentions += sum(len(each.holders) for each in found)
        self._repeats.distinct += len(found)
        return found

    def write(self, mentions: list[Mention]) -> None:
        """Replace objects that are held more than once by their JSON."""
        attribute = self._attribute
        for mention in mentions:
            if len(mention.holders) > 1:
                raw = Raw(encode(mention.value))
                for holder in mention.holders:
                    setattr(holder, attribute, raw)


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
            steps={spot: _step(spot) for spot in tree.walk() if spot.parent is not None},
            slicers={spot: Slicer(spot, self._repeats.setdefault(spot.place, Repeats())) for spot in sliced},
            hidden={spot: _hide(spot) for spot in tree.walk() if spot.hidden - spot.fields.keys() or spot.hides_name},
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


def _step(spot: Spot) -> Callable[[list[Any]], list[Any]]:
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


def _hide(spot: Spot) -> Callable[[list[Any]], None]:
    names = sorted(spot.hidden - spot.fields.keys())
    if spot.hides_name:
        names.append(TYPENAME)
    assignments = " = ".join(f"o.{spot.attributes[name]}" for name in names)
    scope: dict[str, Any] = {"UNSET": UNSET}
    exec(f"def hide(objects):\n    for o in objects: {assignments} = UNSET", scope)  # noqa: S102 - as above
    hide: Callable[[list[Any]], None] = scope["hide"]
    return hide
