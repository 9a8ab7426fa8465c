"""Collect the representations of one entity input: a function generated per plan, since it visits every object.

For the path `users.@.account` and the representation `__typename id` the generated function is, in essence:

    def collect(root, reached):
        known = reached.get("users.@.account")
        if known is None:
            reached["users.@.account"] = known = []
            users = root.get("users")
            if users.__class__ is list:
                for user in users:
                    account = user.get("account")
                    known.append(account)
                    k = account.get("id")
                    if k is not None: … one representation per distinct (typename, id), and this object's slot
        else:
            for account in known: … the same

`reached` is the run's: a second fetch from the same objects need not look for them again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from sys import intern
from typing import Any

from gateway.execution.ports import encode_whole
from gateway.execution.rewrite import rewrite
from gateway.execution.sharing import Mentions, is_shared
from gateway.execution.walk import is_of
from gateway.federation.plan import (
    EachItem,
    EntityInput,
    Path,
    PathKey,
    RepresentationField,
    RepresentationFragment,
    RepresentationSelection,
)


@dataclass(slots=True)
class Collected:
    """What one entity input found in the tree."""

    representations: list[dict[str, Any]] = field(default_factory=list)
    """Each sent once."""
    groups: list[tuple[list[dict[str, Any]], list[int]]] = field(default_factory=list)
    """For each path: the objects it leads to, and for each the index of its representation."""
    is_skipping: bool = False
    """Whether an object was passed over because something its representation needs is null or missing."""


Reached = dict[str, list[dict[str, Any]]]
"""Path (as text) → the objects it leads to. True until something that has objects within it is merged."""

Collect = Callable[[dict[str, Any], Reached, bool], Collected]
"""Response tree, what the run has reached, whether objects may be shared → what was found."""

_MAX_LOOPS = 12
"""CPython allows 20 statically nested loops; longer paths go on in an inner function."""


class _Missing:
    """The type of `MISSING`, told apart from null: the field was never fetched."""


MISSING = _Missing()
SKIP = object()
"""Stands for a representation that lacks something."""
_SIMPLE = frozenset({str, int, type(None)})


def compile_collect(entity_input: EntityInput, mentions: Mentions) -> Collect:
    """Generate the collecting function of an entity input, which makes equal mentions of an entity one object."""
    writer = _Writer()
    writer.line("def collect(root, reached, may_share):")
    writer.depth = 1
    writer.line("found = Collected()")
    writer.line("representations = found.representations")
    writer.line("seen = {}")
    for path in entity_input.paths:
        key = writer.constant(intern(repr(path)))
        shares = is_shared(mentions, entity_input, path)
        writer.line("objects = []; slots = []; firsts = {}")
        writer.line("found.groups.append((objects, slots))")
        writer.line(f"known = reached.get({key})")
        writer.line("if known is None:")
        writer.depth = 2
        writer.line(f"reached[{key}] = known = []")
        writer.steps("root", path, partial(_write_end, writer, entity_input, shares=shares))
        writer.depth = 1
        writer.line("else:")
        writer.depth = 2
        target = writer.name()
        writer.line(f"for {target} in known:")
        writer.depth = 3
        _write_target(writer, _End(target), entity_input, shares=False)
        writer.depth = 1
    writer.line("return found")
    scope: dict[str, Any] = writer.constants
    scope |= {
        "Collected": Collected,
        "MISSING": MISSING,
        "SIMPLE": _SIMPLE,
        "SKIP": SKIP,
        "dumps": encode_whole,
        "build": _build,
    }
    exec(compile("\n".join(writer.lines), f"<collect {entity_input.response_name}>", "exec"), scope)  # noqa: S102 - names and constants only; every string of the plan is bound, not pasted
    collect: Collect = scope["collect"]
    return collect


@dataclass(frozen=True, slots=True)
class _End:
    """The variable that holds an object at the end of a path, and where the tree holds it."""

    variable: str
    holder: str | None = None
    """Variable of the object it is a field of; None for an item of a list."""
    name: str | None = None
    """Constant of the field's name."""


class _Writer:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.constants: dict[str, Any] = {}
        self.depth = 0
        self._names = 0

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def name(self) -> str:
        self._names += 1
        return f"v{self._names}"

    def constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name

    def type_guard(self, variable: str, possible_types: frozenset[str]) -> str:
        """Return an expression: whether the dict in a variable is of one of some types."""
        # Anything may stand for a type's name; what is no string may have no hash.
        typename = self.name()
        types = self.constant(possible_types)
        return f"({typename} := {variable}.get('__typename')).__class__ is str and {typename} in {types}"

    def steps(self, variable: str, path: Path, write_end: Callable[[_End], None]) -> None:
        """Write the code that follows `path` from the value in `variable`, and `write_end` at its end."""
        outer = self.depth
        loops = 0
        functions: list[tuple[str, str, int]] = []
        end = _End(variable)
        for step in path:
            match step:
                case PathKey(name, possible_types):
                    guard = f"{variable}.__class__ is dict"
                    if possible_types is not None:
                        guard += f" and {self.type_guard(variable, possible_types)}"
                    self.line(f"if {guard}:")
                    self.depth += 1
                    following = self.name()
                    key = self.constant(name)
                    self.line(f"{following} = {variable}.get({key})")
                    end = _End(following, variable, key)
                case EachItem(possible_types):
                    self.line(f"if {variable}.__class__ is list:")
                    self.depth += 1
                    following = self.name()
                    if loops == _MAX_LOOPS:
                        function = self.name()
                        functions.append((function, variable, self.depth))
                        self.line(f"def {function}({variable}):")
                        self.depth += 1
                        loops = 0
                    self.line(f"for {following} in {variable}:")
                    self.depth += 1
                    loops += 1
                    if possible_types is not None:
                        self.line(f"if {following}.__class__ is dict and {self.type_guard(following, possible_types)}:")
                        self.depth += 1
                    end = _End(following)
            variable = following
        self.line(f"if {variable}.__class__ is dict:")
        self.depth += 1
        write_end(end)
        for function, argument, depth in reversed(functions):
            self.depth = depth
            self.line(f"{function}({argument})")
        self.depth = outer


def _write_end(writer: _Writer, entity_input: EntityInput, end: _End, *, shares: bool) -> None:
    """Write the code for an object that a walk has come to. What is an item of a list is never shared."""
    shares = shares and end.holder is not None
    if not shares:
        writer.line(f"known.append({end.variable})")
    _write_target(writer, end, entity_input, shares=shares)


def _write_target(writer: _Writer, end: _End, entity_input: EntityInput, *, shares: bool) -> None:
    variable = end.variable
    fields = entity_input.representation
    leaves = [each for each in fields if isinstance(each, RepresentationField) and not each.selection]
    if len(leaves) < len(fields) or entity_input.input_rewrites:
        selection = writer.constant(fields)
        rewrites = writer.constant(entity_input.input_rewrites)
        writer.line(f"representation = build({variable}, {selection}, {rewrites})")
        writer.line("if representation is SKIP:")
        writer.line("    found.is_skipping = True")
        writer.line("else:")
        writer.depth += 1
        writer.line("key = dumps(representation)")
        _write_slot(writer, end, "representation", shares=shares)
        writer.depth -= 1
        return
    names: list[str] = []
    useful: list[str] = []
    for each in leaves:
        name = writer.name()
        names.append(name)
        if each.name == "__typename":
            writer.line(f"{name} = {variable}.get({writer.constant(each.source)})")
            useful.append(f"{name}.__class__ is str")
        elif each.is_nullable:
            writer.line(f"{name} = {variable}.get({writer.constant(each.source)}, MISSING)")
            useful.append(f"{name} is not MISSING")
        else:
            writer.line(f"{name} = {variable}.get({writer.constant(each.source)})")
            useful.append(f"{name} is not None")
    representation = (
        "{" + ", ".join(f"{writer.constant(f.name)}: {n}" for f, n in zip(leaves, names, strict=True)) + "}"
    )
    writer.line(f"if {' and '.join(useful) or 'True'}:")
    writer.depth += 1
    # These compare as their JSON does. Other values might not (true == 1) or have no hash, so their text is the key.
    strings = " and ".join(f"({name}.__class__ is str or {name}.__class__ in SIMPLE)" for name in names)
    writer.line(f"key = ({', '.join(names)},) if {strings} else dumps({representation})")
    _write_slot(writer, end, representation, shares=shares)
    writer.depth -= 1
    writer.line("else:")
    writer.line("    found.is_skipping = True")
    if shares:
        writer.line(f"    known.append({variable})")


def _write_slot(writer: _Writer, end: _End, representation: str, *, shares: bool) -> None:
    writer.line("slot = seen.get(key)")
    writer.line("if slot is None:")
    writer.line("    seen[key] = slot = len(representations)")
    writer.line(f"    representations.append({representation})")
    take = f"objects.append({end.variable}); slots.append(slot)"
    if not shares:
        writer.line(take)
        return
    writer.line("first = firsts.get(slot)")
    writer.line("if first is None or not may_share:")
    writer.line(f"    firsts[slot] = {end.variable}; known.append({end.variable}); {take}")
    writer.line(f"elif first is not {end.variable}:")
    writer.line(f"    {end.holder}[{end.name}] = first")


def _build(value: dict[str, Any], selection: RepresentationSelection, rewrites: Sequence[Any]) -> Any:
    fragments = [each for each in selection if isinstance(each, RepresentationFragment)]
    if fragments and not any(is_of(value, each.possible_types) for each in fragments):
        return SKIP
    built = _build_object(value, selection)
    if built is not SKIP and rewrites:
        rewrite(built, rewrites)
    return built


def _build_object(value: dict[str, Any], selection: RepresentationSelection) -> Any:
    built: dict[str, Any] = {}
    for each in selection:
        match each:
            case RepresentationFragment(_, possible_types, inner):
                if is_of(value, possible_types):
                    part = _build_object(value, inner)
                    if part is SKIP:
                        return SKIP
                    _join(built, part)
            case RepresentationField(name, source, inner, is_nullable):
                item = value.get(source, MISSING)
                if item is MISSING or (item is None and not is_nullable):
                    return SKIP
                if inner:
                    item = build_value(item, inner)
                    if item is SKIP:
                        return SKIP
                built[name] = _joined(built[name], item) if name in built else item
    return built or SKIP


def _join(built: dict[str, Any], part: dict[str, Any]) -> None:
    """Add what another selection of the same object holds: a field may be selected with and without a type condition."""
    for name, item in part.items():
        built[name] = _joined(built[name], item) if name in built else item


def _joined(one: Any, other: Any) -> Any:
    """Return one value of what two selections hold of it."""
    if one is other:
        return one
    if one.__class__ is dict and other.__class__ is dict:
        _join(one, other)
        return one
    if one.__class__ is list and other.__class__ is list:
        return [_joined(*both) for both in zip(one, other, strict=True)]
    return other


def build_value(value: Any, selection: RepresentationSelection) -> Any:
    """Return what a representation holds of a composite value, or SKIP."""
    match value:
        case None:
            return None
        case dict():
            return _build_object(value, selection)
        case list():
            items = [build_value(item, selection) for item in value]
            return SKIP if any(item is SKIP for item in items) else items
        case _:
            return SKIP
