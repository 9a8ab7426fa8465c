"""A graph and its split over subgraphs: who resolves which field, by which keys; printed whole or as one subgraph sees it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from graphql import FieldNode, InlineFragmentNode, OperationDefinitionNode, SelectionSetNode, parse

_MARK = "directive @mark(at: Int) repeatable on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT"
"""A directive that clients may use, and every subgraph knows."""
_HEADER = (
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.11", import: ["@key", "@external", "@requires", '
    f'"@shareable", "@provides", "@override", "@interfaceObject", "@inaccessible"]) {_MARK}'
)

Tree = dict[str, "Tree"]
"""A field set by name: `a { b } c` is `{"a": {"b": {}}, "c": {}}`."""


@dataclass(slots=True)
class SplitField:
    """A field of the whole graph, and what each subgraph has to do with it."""

    name: str
    type: str
    owners: list[str]
    """The subgraphs that resolve it."""
    arguments: str = ""
    """`(x: Int = 3, color: Color)`."""
    requires: str = ""
    external: set[str] = field(default_factory=set)
    """Subgraphs that mark it external: they read it from representations, or provide it."""
    provides: dict[str, str] = field(default_factory=dict)
    """Subgraph → what it can answer below this field."""
    is_provided: bool = False
    override: str = ""
    """The subgraph that used to resolve it and still defines it."""
    known_in: set[str] = field(default_factory=set)
    """Of a value type's field: the subgraphs that know it; empty for all that know the type."""
    label: str = ""
    """Of a progressive override: `percent(0)` or `percent(100)`."""
    never_null_in: set[str] = field(default_factory=set)
    """Subgraphs that promise more than the whole does."""
    is_inaccessible: bool = False
    is_safe: bool = False
    """Never null against its type and never failing: keys, and what others require."""

    @property
    def named(self) -> str:
        return self.type.strip("[]!")

    @property
    def resolvers(self) -> list[str]:
        """The subgraphs that may be asked for it, as the override's label says."""
        return [self.override] if self.label == "percent(0)" else self.owners

    @property
    def is_non_null(self) -> bool:
        return self.type.endswith("!")


@dataclass(slots=True)
class SplitType:
    """An object type: an entity where subgraphs have keys for it, a value type where they don't, or a root."""

    name: str
    fields: dict[str, SplitField] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)
    """Subgraph → its keys."""
    stubs: set[str] = field(default_factory=set)
    """Subgraphs that know nothing but a key, and can't be entered by it."""
    is_value: bool = False
    values_in: set[str] = field(default_factory=set)
    """Of a value type: the subgraphs that define it."""

    def subgraphs(self) -> set[str]:
        return self.values_in if self.is_value else set(self.keys)

    def add(self, made: SplitField) -> SplitField:
        self.fields[made.name] = made
        return made

    def key_fields(self, subgraph: str) -> set[str]:
        """Return the names of the fields that a subgraph's keys start with."""
        return {name for key in self.keys.get(subgraph, []) for name in parse_tree(key)}


@dataclass(slots=True)
class SplitAbstract:
    """An interface (with fields beside `id`) or a union, known in full wherever it is known."""

    name: str
    members: list[str]
    homes: set[str]
    is_interface: bool
    common: list[str] = field(default_factory=list)
    """Names of fields that all members have alike."""
    extra: list[SplitField] = field(default_factory=list)
    """Fields that the subgraph `z` adds through an interface object."""


@dataclass(slots=True)
class SplitGraph:
    """The whole."""

    subgraphs: list[str]
    types: dict[str, SplitType] = field(default_factory=dict)
    abstracts: dict[str, SplitAbstract] = field(default_factory=dict)

    def settle(self) -> None:
        """Define value types, and stubs of entities, wherever a field leads to them."""
        changed = True
        while changed:
            changed = False
            for made in list(self.types.values()):
                for each in made.fields.values():
                    for subgraph in self._definers(made, each):
                        changed |= self._define(each.named, subgraph)

    def _define(self, name: str, subgraph: str) -> bool:
        target = self.types.get(name)
        if target is None:
            return False
        if target.is_value:
            is_new = subgraph not in target.values_in
            target.values_in.add(subgraph)
            return is_new
        if subgraph in target.keys or not target.keys:
            return False
        target.keys[subgraph] = [next(iter(target.keys.values()))[0]]
        target.stubs.add(subgraph)
        return True

    def _definers(self, made: SplitType, each: SplitField) -> list[str]:
        if made.is_value:
            return sorted(made.values_in)
        keyed = [name for name in sorted(made.keys) if each.name in made.key_fields(name)]
        return [*each.owners, *keyed, *sorted(each.external), *([each.override] if each.override else [])]

    def needs_id(self, made: SplitType, subgraph: str) -> bool:
        """Whether a subgraph defines `id` for the sake of an interface, beside its keys."""
        return any(
            each.is_interface and made.name in each.members and subgraph in each.homes
            for each in self.abstracts.values()
        )

    def local_fields(self, interface: SplitAbstract, subgraph: str) -> list[str]:
        """Return the names of an interface's fields in one subgraph: what all members define there."""
        return [
            name
            for name in interface.common
            if all(self._resolves(self.types[member], name, subgraph) for member in interface.members)
        ]

    def _resolves(self, made: SplitType, name: str, subgraph: str) -> bool:
        each = made.fields[name]
        return made.is_value or subgraph in each.owners or subgraph == each.override

    def interface_fields(self, interface: SplitAbstract) -> list[SplitField]:
        """Return an interface's fields in the whole graph, `id` aside."""
        known = {name for home in interface.homes for name in self.local_fields(interface, home)}
        one = self.types[interface.members[0]]
        shown = [one.fields[name] for name in interface.common if name in known]
        shown = [each for each in shown if not self._is_hidden(interface, each.name)]
        return shown + interface.extra

    def _is_hidden(self, interface: SplitAbstract, name: str) -> bool:
        return any(self.types[member].fields[name].is_inaccessible for member in interface.members)

    def unsplit_sdl(self) -> str:
        """Return the whole graph as its clients see it."""
        lines: list[str] = [_MARK]
        for made in self.types.values():
            interfaces = [e for e in self.abstracts.values() if e.is_interface and made.name in e.members]
            shown = [each for each in made.fields.values() if not each.is_inaccessible]
            shown += [each for interface in interfaces for each in interface.extra]
            if shown:
                implements = f" implements {' & '.join(e.name for e in interfaces)}" if interfaces else ""
                lines.append(_block(f"type {made.name}{implements}", [_text(each) for each in shown]))
        for each in self.abstracts.values():
            if each.is_interface:
                fields = ["id: ID!", *map(_text, self.interface_fields(each))]
                lines.append(_block(f"interface {each.name}", fields))
            else:
                lines.append(f"union {each.name} = {' | '.join(each.members)}")
        return "\n".join(_with_inputs(lines))

    def subgraph_sdl(self, subgraph: str) -> str:
        """Return the graph as one subgraph sees it."""
        if subgraph == "z":
            return self._interface_object_sdl()
        lines: list[str] = []
        for made in self.types.values():
            fields = list(self._local(made, subgraph))
            if fields:
                resolvable = ", resolvable: false" if subgraph in made.stubs else ""
                keys = "".join(f' @key(fields: "{key}"{resolvable})' for key in made.keys.get(subgraph, []))
                homes = [e for e in self.abstracts.values() if e.is_interface and subgraph in e.homes]
                names = [e.name for e in homes if made.name in e.members]
                implements = f" implements {' & '.join(names)}" if names else ""
                lines.append(_block(f"type {made.name}{implements}{keys}", fields))
        for each in self.abstracts.values():
            if subgraph in each.homes:
                lines.append(self._abstract(each, subgraph))
        if any("Query" in line for line in lines) and not any(line.startswith("type Query ") for line in lines):
            lines.append("type Query")
        return "\n".join([_HEADER, *_with_inputs(lines)])

    def _abstract(self, each: SplitAbstract, subgraph: str) -> str:
        if not each.is_interface:
            return f"union {each.name} = {' | '.join(each.members)}"
        key = ' @key(fields: "id")' if each.extra else ""
        one = self.types[each.members[0]]
        return _block(
            f"interface {each.name}{key}",
            [
                "id: ID!",
                *(
                    _text(one.fields[name]) + (" @inaccessible" if self._is_hidden(each, name) else "")
                    for name in self.local_fields(each, subgraph)
                ),
            ],
        )

    def _interface_object_sdl(self) -> str:
        lines = [_HEADER]
        for each in self.abstracts.values():
            if each.extra:
                fields = ["id: ID!"]
                external = {name for extra in each.extra for name in parse_tree(extra.requires)}
                one = self.types[each.members[0]]
                fields += [f"{_text(one.fields[name])} @external" for name in sorted(external)]
                fields += [
                    _text(extra) + (f' @requires(fields: "{extra.requires}")' if extra.requires else "")
                    for extra in each.extra
                ]
                lines.append(_block(f'type {each.name} @interfaceObject @key(fields: "id")', fields))
        roots = [_text(each) for each in self.types["Query"].fields.values() if "z" in each.owners]
        return "\n".join(_with_inputs([*lines, _block("type Query", roots)] if roots else lines))

    def _local(self, made: SplitType, subgraph: str) -> Iterator[str]:
        keyed = made.key_fields(subgraph)
        for each in made.fields.values():
            text = _text(each)
            if made.is_value:
                if subgraph in made.values_in and subgraph in (each.known_in or made.values_in):
                    yield f"{text} @shareable{_inaccessible(each)}"
            elif each.name in keyed:
                yield f"{text}{_inaccessible(each)}"
            elif subgraph in each.owners:
                bang = "!" if subgraph in each.never_null_in else ""
                yield text + bang + "".join(self._directives(each, subgraph))
            elif subgraph == each.override:
                yield text
            elif subgraph in each.external:
                yield f"{text} @external"
            elif each.name == "id" and subgraph in made.keys and self.needs_id(made, subgraph):
                yield f"{text} @shareable"

    @staticmethod
    def _directives(each: SplitField, subgraph: str) -> Iterator[str]:
        if len(each.owners) > 1 or each.is_provided:
            yield " @shareable"
        if each.requires:
            yield f' @requires(fields: "{each.requires}")'
        if subgraph in each.provides:
            yield f' @provides(fields: "{each.provides[subgraph]}")'
        if each.override:
            label = f', label: "{each.label}"' if each.label else ""
            yield f' @override(from: "{each.override}"{label})'
        yield _inaccessible(each)


def _inaccessible(each: SplitField) -> str:
    return " @inaccessible" if each.is_inaccessible else ""


def _text(each: SplitField) -> str:
    return f"{each.name}{each.arguments}: {each.type}"


def _block(head: str, lines: list[str]) -> str:
    return f"{head} {{ {' '.join(lines)} }}"


def _with_inputs(lines: list[str]) -> list[str]:
    """Add the enum and the input type where something names them."""
    text = "\n".join(lines)
    named = list(lines)
    if "Choice" in text:
        named.append("input Choice { size: Int = 7 color: Color }")
    if "Color" in text or "Choice" in text:
        named.append("enum Color { RED GREEN BLUE }")
    return named


def parse_tree(field_set: str) -> Tree:
    """Return a field set by name; arguments, and conditions of fragments, aside."""
    if not field_set:
        return {}
    operation = parse(f"{{ {field_set} }}", no_location=True).definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return _tree(operation.selection_set)


def _tree(selections: SelectionSetNode | None) -> Tree:
    found: Tree = {}
    for node in selections.selections if selections else ():
        match node:
            case FieldNode():
                found.setdefault(node.name.value, {}).update(_tree(node.selection_set))
            case InlineFragmentNode():
                found.update(_tree(node.selection_set))
            case _:
                raise AssertionError(node)
    return found
