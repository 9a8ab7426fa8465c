"""Generate the function that completes an operation's answers: the hot path's largest part, visiting every field.

`complete.py` does the same work exactly and slowly. The generated function handles only what is regular and raises
`Irregular` at the first value that is not: a wrong type, a null where none may be. Then the exact one starts over and
says where and why. For `{ users { id name } }` the generated code is, in essence:

    def o1(v):
        a = v.get("id")
        if a.__class__ is not str: a = as_id(a)
        b = v.get("name")
        if b.__class__ is not str and b is not None: raise Irregular
        return {"id": a, "name": b}

    def o0(v):
        a = v.get("users")
        if a is not None:
            if a.__class__ is not list: raise Irregular
            a = [None if b is None else o1(b) if b.__class__ is dict else irregular() for b in a]
        return {"users": a}

Where the tree may hold one object at many places (see `sharing.py`), the first completion of it serves all of them:

    c = done.get(id(b)) or once(b)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NoReturn, assert_never

from gateway.execution.complete import MASK, is_deep
from gateway.execution.shape import (
    DeniedShape,
    FieldShape,
    LeafKind,
    LeafShape,
    ListShape,
    MaskedShape,
    ObjectShape,
    PlaceShape,
    RawShape,
    Shape,
    TypenameShape,
    TypeNeededShape,
)
from gateway.execution.sharing import Place
from gateway.federation.supergraph import Conditions

Complete = Callable[[dict[str, Any]], dict[str, Any]]
"""Completes a response tree; raises Irregular."""


class Irregular(Exception):  # noqa: N818 - a signal, never seen outside execution
    """Something in the tree needs the exact completion."""


def generate_complete(shape: ObjectShape, shared: Collection[Place] = ()) -> Callable[[Mapping[str, Any]], Complete]:
    """Generate the completing function of a shape, as a function of the variables that `@skip` and `@include` use.

    `shared` are the places where the tree may hold one object more than once.
    """
    writer = _Writer(_shared_shapes(shape, shared))
    root = writer.object_function(shape.by_type[shape.type_name], shape.type_name)
    conditions = ", ".join(writer.conditions.values())
    source = [
        f"def make({conditions}):",
        *(f"    {line}" for line in writer.lines),
        f"    def complete(v): return {root}(v{writer.fresh_memory()})",
        "    return complete",
    ]
    scope = {"Irregular": Irregular, "as_id": _as_id, "irregular": _irregular, "is_deep": is_deep, **writer.constants}
    exec(compile("\n".join(source), "<complete>", "exec"), scope)  # noqa: S102 - of the client's text only GraphQL names are pasted, which hold letters, digits and _
    make: Callable[..., Complete] = scope["make"]
    if not writer.conditions:
        only = make()
        return lambda _: only
    wanted = tuple(writer.conditions)

    def bind(variables: Mapping[str, Any]) -> Complete:
        return make(*(_holds(each, variables) for each in wanted))

    return bind


def _holds(alternatives: tuple[Conditions, ...], variables: Mapping[str, Any]) -> bool:
    return any(all(bool(variables.get(name)) is wanted for name, wanted in each) for each in alternatives)


def _irregular() -> NoReturn:
    raise Irregular


def _as_id(value: Any) -> str:
    if value.__class__ is int:
        return str(value)
    raise Irregular


_CHECKS = {
    LeafKind.STRING: "{v}.__class__ is not str",
    LeafKind.INT: "({v}.__class__ is not int or not -2147483648 <= {v} < 2147483648)",
    LeafKind.FLOAT: "{v}.__class__ is not float and {v}.__class__ is not int",
    LeafKind.BOOLEAN: "{v}.__class__ is not bool",
}
"""What makes a non-null leaf irregular. A float that stands for an Int is rare enough for the exact way."""


def _shared_shapes(shape: ObjectShape, shared: Collection[Place]) -> frozenset[int]:
    """Return the identities of the shapes of objects at some places."""
    found: set[int] = set()
    for place in shared:
        reached: list[Shape] = [shape]
        for name in place:
            reached = [
                _object_in(field.shape)
                for each in reached
                if isinstance(each, ObjectShape)
                for fields in (*each.by_type.values(), each.common or ())
                for field in fields
                if field.name == name
            ]
            reached = list({id(each): each for each in reached}.values())
        found.update(id(each) for each in reached if isinstance(each, ObjectShape))
    return frozenset(found)


def _object_in(shape: Shape) -> Shape:
    while isinstance(shape, ListShape):
        shape = shape.item
    return shape


class _Writer:
    def __init__(self, shared: frozenset[int]) -> None:
        self._shared = shared
        """Identities of shapes whose objects may be met again."""
        self._memories: dict[str, int] = {}
        """Completing function of a shared shape → its place in the memory `m`, a tuple of dicts."""
        self._more = ", m" if shared else ""
        self.lines: list[str] = []
        self.constants: dict[str, Any] = {}
        self.conditions: dict[tuple[Conditions, ...], str] = {}
        self._functions: dict[tuple[int, str | None], str] = {}
        self._dispatchers: dict[int, str] = {}
        self._kept: list[Any] = []
        self._names = 0

    def name(self, prefix: str = "x") -> str:
        self._names += 1
        return f"{prefix}{self._names}"

    def constant(self, value: Any) -> str:
        name = self.name("c")
        self.constants[name] = value
        return name

    def fresh_memory(self) -> str:
        """Return the argument with which the root's function is called."""
        return f", ({'{}, ' * len(self._memories)})" if self._more else ""

    def object_function(self, fields: tuple[FieldShape, ...], type_name: str | None) -> str:
        """Write the function that completes an object of one type; return its name.

        Types that share their fields share the function, unless it tells the type's name.
        """
        names_type = any(isinstance(field.shape, TypenameShape) for field in fields)
        key = (id(fields), type_name if names_type else None)
        known = self._functions.get(key)
        if known is not None:
            return known
        function = self._functions[key] = self.name("o")
        self._kept.append(fields)
        body: list[str] = []
        entries: list[str] = []
        late: list[str] = []
        for field in fields:
            if isinstance(field.shape, DeniedShape):
                # Told at its place, which only the exact completion knows.
                body.append(f"if {self._condition(field)}: raise Irregular" if field.conditions else "raise Irregular")
                continue
            if isinstance(field.shape, TypeNeededShape):
                body.append(f"if {self._condition(field)}: raise Irregular")
                continue
            if isinstance(field.shape, TypenameShape):
                value = self.constant(type_name)
                code: list[str] = []
            elif isinstance(field.shape, PlaceShape):
                value, code = "None", []
            else:
                value = self.name()
                code = [f"{value} = v.get({field.name!r})", *self._value(field.shape, value, field.is_nullable)]
            if field.conditions or late:
                # From the first field that may be left out on, the order needs one statement for each field.
                assign = [*code, f"d[{field.name!r}] = {value}"]
                if field.conditions:
                    assign = [f"if {self._condition(field)}:", *_indented(assign)]
                late.extend(assign)
            else:
                body.extend(code)
                entries.append(f"{field.name!r}: {value}")
        literal = "{" + ", ".join(entries) + "}"
        body.extend([f"d = {literal}", *late, "return d"] if late else [f"return {literal}"])
        self.lines.extend([f"def {function}(v{self._more}):", *_indented(body)])
        return function

    def _condition(self, field: FieldShape) -> str:
        """Return the name that tells whether a field is included."""
        return self.conditions.setdefault(field.conditions, f"if{len(self.conditions)}")

    def _value(self, shape: Shape, value: str, is_nullable: bool) -> list[str]:
        """Return statements that complete the value in a variable, in place."""
        match shape:
            case LeafShape(kind, values):
                return self._leaf(kind, values, value, is_nullable)
            case RawShape():
                return []
            case MaskedShape():
                code = [f"{value} = {MASK!r}"]
                if not is_nullable:
                    code = [f"if {value} is None: raise Irregular", *code]
            case DeniedShape():
                raise AssertionError("a denied field has no value")
            case TypenameShape() | PlaceShape() | TypeNeededShape():
                raise AssertionError("only a field of an object is a type name, a place or a need")
            case ObjectShape():
                code = [
                    f"if {value}.__class__ is not dict: raise Irregular",
                    f"{value} = {self._completed(shape, value)}",
                ]
            case ListShape(item, is_item_nullable):
                code = [
                    f"if {value}.__class__ is not list: raise Irregular",
                    *self._list(item, is_item_nullable, value),
                ]
            case _:
                assert_never(shape)
        if is_nullable:
            return [f"if {value} is not None:", *_indented(code)]
        # None has neither class, so that a null is irregular here.
        return code

    def _list(self, item: Shape, is_item_nullable: bool, value: str) -> list[str]:
        each = self.name()
        if isinstance(item, ObjectShape):
            completed = f"{self._completed(item, each)} if {each}.__class__ is dict else irregular()"
            if is_item_nullable:
                completed = f"None if {each} is None else {completed}"
            return [f"{value} = [{completed} for {each} in {value}]"]
        checks = self._value(item, each, is_item_nullable)
        if not checks:
            return []
        if isinstance(item, ListShape):
            # A function for each level: Python limits how deep loops nest in one.
            function = self.name("l")
            self.lines.extend([f"def {function}({each}{self._more}):", *_indented([*checks, f"return {each}"])])
            return [f"{value} = [{function}({each}{self._more}) for {each} in {value}]"]
        collected = self.name()
        return [
            f"{collected} = []",
            f"for {each} in {value}:",
            *_indented([*checks, f"{collected}.append({each})"]),
            f"{value} = {collected}",
        ]

    def _completed(self, shape: ObjectShape, value: str) -> str:
        """Return an expression for the completed object in a variable that holds a dict."""
        if shape.is_abstract:
            function = self._dispatcher(shape)
        else:
            function = self.object_function(shape.by_type[shape.type_name], shape.type_name)
        if id(shape) not in self._shared:
            return f"{function}({value}{self._more})"
        if function not in self._memories:
            memory = self._memories[function] = len(self._memories)
            self.lines.extend(
                [f"def once_{function}(v, m):", f"    d = m[{memory}][id(v)] = {function}(v, m)", "    return d"]
            )
        # The tree keeps its objects alive, so that none has another's identity.
        return f"(m[{self._memories[function]}].get(id({value})) or once_{function}({value}, m))"

    def _dispatcher(self, shape: ObjectShape) -> str:
        known = self._dispatchers.get(id(shape))
        if known is not None:
            return known
        function = self._dispatchers[id(shape)] = self.name("t")
        types: dict[str | None, str] = {
            name: self.object_function(fields, name) for name, fields in shape.by_type.items()
        }
        if shape.common is not None:
            common = self.object_function(shape.common, None)
            types |= dict.fromkeys((None, *sorted(shape.abstract_names)), common)
        table = self.name("m")
        self.lines.append(f"{table} = {{{', '.join(f'{name!r}: {value}' for name, value in types.items())}}}")
        self.lines.extend(
            [
                f"def {function}(v{self._more}):",
                "    t = v.get('__typename')",
                f"    f = {table}.get(t) if t is None or t.__class__ is str else None",
                "    if f is None: raise Irregular",
                f"    return f(v{self._more})",
            ]
        )
        return function

    def _leaf(self, kind: LeafKind, values: frozenset[str], value: str, is_nullable: bool) -> list[str]:
        orelse = f" and {value} is not None" if is_nullable else ""
        match kind:
            case LeafKind.ANY:
                deep = f"if {value}.__class__ is not str and is_deep({value}): raise Irregular"
                return [deep] if is_nullable else [f"if {value} is None: raise Irregular", deep]
            case LeafKind.ID:
                return [f"if {value}.__class__ is not str{orelse}: {value} = as_id({value})"]
            case LeafKind.ENUM:
                check = f"{value}.__class__ is not str or {value} not in {self.constant(values)}"
                return [f"if ({check}){orelse}: raise Irregular"]
            case _:
                return [f"if {_CHECKS[kind].format(v=value)}{orelse}: raise Irregular"]


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
