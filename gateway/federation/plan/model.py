"""The intermediate representation between planner and executor: a tree of frozen dataclasses.

A plan holds no schema and no variable values. Everything the executor must know about types is resolved here
(possible type names stand beside each type condition), so running a plan is walking data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from gateway.federation.operation import OperationKind

Conditions: TypeAlias = tuple[tuple[str, bool], ...]
"""`(("withPrice", True),)`: variables of `@skip`/`@include` and the values they must have."""


@dataclass(frozen=True, slots=True)
class PathKey:
    """One step down a response object, by response name (the alias, where there is one).

    `possible_types` narrows the step: it is taken only from objects whose `__typename` is in the set.
    None means every object. `{"a": 1}` with `PathKey("a")` leads to `1`.
    """

    name: str
    possible_types: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class EachItem:
    """One step into every item of a list; nested lists have one `EachItem` for each level. Printed as `@`."""

    possible_types: frozenset[str] | None = None
    """Only items whose `__typename` is in the set; None means every item."""


PathElement: TypeAlias = PathKey | EachItem
Path: TypeAlias = tuple[PathElement, ...]


@dataclass(frozen=True, slots=True)
class RepresentationField:
    """One field of a representation, read from the response tree and sent to the subgraph.

    `source` is the response name in the tree, `name` the schema's field name to send it under: they differ where the
    planner had to alias a fetched key or a `@requires` field (two argument sets for one field, for example).
    """

    name: str
    source: str
    selection: RepresentationSelection = ()
    """Sub-selection for composite fields, empty for leaves. Lists are walked item by item."""
    is_nullable: bool = True
    """False where null makes the representation useless, as for a key whose subgraph declares it non-null."""


@dataclass(frozen=True, slots=True)
class RepresentationFragment:
    """Fields that only objects of some types carry: `... on T { … }`."""

    type_condition: str
    possible_types: frozenset[str]
    selection: RepresentationSelection


RepresentationSelection: TypeAlias = tuple["RepresentationField | RepresentationFragment", ...]


@dataclass(frozen=True, slots=True)
class FieldRewrite:
    """A change made to data before it is merged into the tree, or to a representation before it is sent.

    Two forms, told apart by `set_value`: rename the key at the end of `path` to `rename_to`, or, where the key is
    `__typename`, set it to `set_value` (an `@interfaceObject` subgraph knows the interface's name only).
    """

    path: Path
    rename_to: str | None = None
    set_value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RootFetch:
    """An ordinary operation sent to one subgraph; its `data` is merged at the root of the response tree."""

    subgraph: str
    kind: OperationKind
    document: str
    """The operation's text, ready to send: `query($id:ID!){customer(id:$id){__typename id}}`."""
    operation_name: str | None = None
    variables: tuple[str, ...] = ()
    """Names of the client's variables that the document uses; values pass unchanged, absent ones stay absent."""
    output_rewrites: tuple[FieldRewrite, ...] = ()
    root_fields: tuple[str, ...] = ()
    """Response names of the root fields, in order: where an error of the whole fetch is reported."""
    id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityInput:
    """One list of representations within an entity fetch, and where its results go.

    The executor follows every path, builds a representation of each object found, sends equal ones once, and merges
    `data[response_name][i]` into every object that representation i stands for.

    Two products at two paths with the same key become one representation:

        {"a": {"upc": "1"}, "b": {"upc": "1"}}  →  representations = [{"__typename": "Product", "upc": "1"}]
    """

    paths: tuple[Path, ...]
    type_condition: str
    """The entity type (or interface) that is being entered; each representation's `__typename` is the object's own."""
    representation: RepresentationSelection
    """What to read from each object, `__typename` included, as fragments by type where types differ."""
    variable: str = "representations"
    response_name: str = "_entities"
    fields: tuple[str, ...] = ()
    """Response names that this input adds to each object: nulled, and named by errors, when the fetch fails."""
    input_rewrites: tuple[FieldRewrite, ...] = ()
    output_rewrites: tuple[FieldRewrite, ...] = ()
    context_arguments: tuple[tuple[str, Path], ...] = ()
    """`@fromContext`: (variable name, path to its value), read for each object. A path starts at the object: each
    `PathKey("..")` undoes one element of the path that led to it, the rest leads down. Of several paths for one variable
    the first that leads somewhere counts. Objects with different values can't share a request."""
    needs: tuple[tuple[int, ...], ...] = ()
    """For each path, ids of the fetches whose answers lead to its objects and fill their representations. A path may
    stand in a sequence behind other fetches too, so that requests are saved: those it waits for, but not for ever."""
    conditions: Conditions = ()
    """Values that Boolean variables must have for anything to be sent: others in the request may be wanted without."""
    is_root: bool = False
    """Whether the objects are of the query's root type, reached as a field: `mutation { pay { query { … } } }`. Then
    nothing is sent, the fetch's document is an ordinary query, and its `data` is merged into every object found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityFetch:
    """One request of `_entities` fields to one subgraph: usually one input, several where siblings were merged.

    Or one of root fields, for objects of the root type further down (`EntityInput.is_root`): a single input then.
    """

    subgraph: str
    document: str
    inputs: tuple[EntityInput, ...]
    operation_name: str | None = None
    variables: tuple[str, ...] = ()
    id: int = 0


@dataclass(frozen=True, slots=True)
class Sequence:
    """Nodes that run one after another."""

    nodes: tuple[PlanNode, ...]


@dataclass(frozen=True, slots=True)
class Parallel:
    """Nodes that run at once."""

    nodes: tuple[PlanNode, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """`@skip`/`@include` on a whole branch: one of two sub-plans, chosen by a Boolean variable at run time."""

    variable: str
    if_true: PlanNode | None = None
    if_false: PlanNode | None = None


PlanNode: TypeAlias = RootFetch | EntityFetch | Sequence | Parallel | Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionPlan:
    """The source stream's operation, and what to fetch after each event."""

    primary: RootFetch
    rest: PlanNode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryPlan:
    """A whole operation's plan. `root` is None where nothing needs a subgraph (`{ __typename }`, introspection)."""

    kind: OperationKind
    root: PlanNode | SubscriptionPlan | None
