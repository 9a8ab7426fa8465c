"""Random graphs: an unsplit schema, its split over subgraphs, data for it, and operations on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

_HEADER = (
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.11", '
    'import: ["@key", "@external", "@requires", "@shareable", "@provides", "@override", "@interfaceObject"])'
)


_INTERFACE_OBJECT = 'type Any @key(fields: "id") @interfaceObject { id: ID! extra: Int }'


@dataclass(slots=True)
class Field:
    """A field of the unsplit graph, and who resolves it."""

    name: str
    type: str
    owners: list[str]
    requires: str | None = None
    argument: bool = False
    override: str | None = None
    """The subgraph that used to resolve it and still defines it."""

    @property
    def named(self) -> str:
        return self.type.strip("[]!")


@dataclass(slots=True)
class Type:
    """An entity (with keys) or a value type (without)."""

    name: str
    fields: list[Field] = field(default_factory=list)
    keys: dict[str, list[str]] = field(default_factory=dict)
    """Subgraph → its keys."""
    is_value: bool = False


class RandomGraph:
    """One random graph, made from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.subgraphs = ["a", "b", "c", "d"][: self.random.randint(2, 4)]
        self.types: dict[str, Type] = {}
        self.roots: list[Field] = []
        self.union: dict[str, list[str]] = {}
        self.interface: dict[str, list[str]] = {}
        self.has_extra = False
        """Whether subgraph `z` adds a field to the interface through an interface object."""
        self._make_types()
        self._make_roots()
        self.data = self._make_data()

    def some(self, names: list[str], least: int = 1) -> list[str]:
        count = self.random.randint(min(least, len(names)), len(names))
        return sorted(self.random.sample(names, count))

    def _make_types(self) -> None:
        random = self.random
        entities = [f"E{number}" for number in range(random.randint(2, 4))]
        values = [f"V{number}" for number in range(random.randint(0, 2))]
        for name in values:
            self.types[name] = Type(name, is_value=True)
        for name in entities:
            self.types[name] = Type(name)
        for name in entities:
            where = self.some(self.subgraphs)
            made = self.types[name]
            made.fields.append(Field("id", "ID!", where))
            with_code = self.some(where, 0) if random.random() < 0.4 else []
            if with_code:
                made.fields.append(Field("code", "ID!", with_code))
            for subgraph in where:
                made.keys[subgraph] = ["id", "code"] if subgraph in with_code else ["id"]
            for subgraph in with_code[1:]:
                if random.random() < 0.5:
                    made.keys[subgraph] = ["code"]
                    made.fields[0].owners = [each for each in made.fields[0].owners if each != subgraph]
            for number in range(random.randint(1, 4)):
                owners = [random.choice(where)] if random.random() < 0.7 else self.some(where)
                made.fields.append(
                    Field(
                        f"f{number}", random.choice(["Int", "String", "Int!"]), owners, argument=random.random() < 0.2
                    )
                )
        for name in values:
            for number in range(random.randint(1, 3)):
                self.types[name].fields.append(Field(f"v{number}", "Int", []))
        if random.random() < 0.6 and len(entities) > 1:
            members = self.some(entities, 2)
            shared = [s for s in self.subgraphs if all("id" in self.types[m].keys.get(s, []) for m in members)]
            if shared:
                (self.union if random.random() < 0.5 else self.interface)["Any"] = members
        for name in entities:
            made = self.types[name]
            where = sorted(made.keys)
            for number in range(random.randint(0, 2)):
                self._add_reference(made, f"r{number}", where, entities + values + ["Any"])
            if len(where) > 1 and random.random() < 0.6:
                self._add_requires(made, where)
        for name in entities:
            self._add_override(self.types[name])
        self.has_extra = "Any" in self.interface and random.random() < 0.6
        if self.has_extra:
            self.subgraphs = [*self.subgraphs, "z"]
        self._own_values()

    def _add_override(self, made: Type) -> None:
        """Let another subgraph take a field over; the old one goes on defining it."""
        able = [f for f in made.fields if f.name.startswith("f") and len(f.owners) == 1 and not f.requires]
        others = sorted(set(made.keys) - {subgraph for f in able for subgraph in f.owners})
        required = {name for f in made.fields if f.requires for name in f.requires.split()}
        able = [f for f in able if f.name not in required]
        if able and others and self.random.random() < 0.4:
            moved = self.random.choice(able)
            moved.override = moved.owners[0]
            moved.owners = [self.random.choice(others)]

    def _add_reference(self, made: Type, name: str, where: list[str], targets: list[str]) -> None:
        target = self.random.choice(targets)
        if target == "Any":
            members = self.union.get("Any") or self.interface.get("Any")
            if not members:
                return
            able = [s for s in where if all("id" in self.types[m].keys.get(s, []) for m in members)]
        elif self.types[target].is_value:
            able = where
        else:
            able = [s for s in where if s in self.types[target].keys]
        if not able:
            return
        owners = [self.random.choice(able)] if self.random.random() < 0.6 else self.some(able)
        shape = self.random.choice(["{}", "[{}]", "[{}!]!"])
        made.fields.append(Field(name, shape.format(target), owners))

    def _add_requires(self, made: Type, where: list[str]) -> None:
        leaves = [f for f in made.fields if f.name.startswith("f") and not f.argument and not f.requires]
        subgraph = self.random.choice(where)
        able = [f for f in leaves if subgraph not in f.owners]
        if able:
            needed = self.random.sample(able, self.random.randint(1, len(able)))
            made.fields.append(Field("q", "String", [subgraph], " ".join(sorted(f.name for f in needed))))

    def _own_values(self) -> None:
        """A value type's field is known to some of the subgraphs that lead to it; one at least."""
        for made in list(self.types.values()):
            for each in made.fields:
                if each.named in self.types and self.types[each.named].is_value:
                    for inner in self.types[each.named].fields:
                        known = each.owners if self.random.random() < 0.6 else self.some(each.owners)
                        inner.owners = sorted({*inner.owners, *known})

    def _make_roots(self) -> None:
        for number, name in enumerate([n for n, t in self.types.items() if not t.is_value]):
            where = sorted(self.types[name].keys)
            owners = [self.random.choice(where)] if self.random.random() < 0.6 else self.some(where)
            self.roots.append(Field(f"one{number}", name, owners))
            self.roots.append(Field(f"all{number}", f"[{name}!]!", [self.random.choice(where)]))
        members = self.union.get("Any") or self.interface.get("Any")
        if members:
            able = [s for s in self.subgraphs if all("id" in self.types[m].keys.get(s, []) for m in members)]
            self.roots.append(Field("any", "[Any]", [self.random.choice(able)]))
        if self.has_extra:
            self.roots.append(Field("anyz", "[Any]", ["z"]))

    def sdl(self, subgraph: str | None) -> str:
        """Return a subgraph's SDL, or that of the whole."""
        lines = [_HEADER] if subgraph else []
        if subgraph == "z":
            roots = self._lines(self.roots, subgraph)
            return "\n".join([_HEADER, self._block("type Query", roots), _INTERFACE_OBJECT])
        lines.append(self._block("type Query", self._lines(self.roots, subgraph)))
        for made in self.types.values():
            if subgraph and subgraph not in made.keys and not (made.is_value and self._has(made, subgraph)):
                continue
            keys = "".join(f' @key(fields: "{key}")' for key in made.keys.get(subgraph, [])) if subgraph else ""
            interface = " implements Any" if made.name in self.interface.get("Any", []) and self._sees(subgraph) else ""
            extra = ["extra: Int"] if subgraph is None and self.has_extra and interface else []
            fields = self._lines(made.fields, subgraph, made) + extra
            lines.append(self._block(f"type {made.name}{interface}{keys}", fields))
        if self._sees(subgraph):
            if "Any" in self.union:
                lines.append(f"union Any = {' | '.join(self.union['Any'])}")
            if "Any" in self.interface:
                key = ' @key(fields: "id")' if self.has_extra and subgraph else ""
                extra_field = " extra: Int" if self.has_extra and not subgraph else ""
                lines.append(f"interface Any{key} {{ id: ID!{extra_field} }}")
        return "\n".join(line for line in lines if line)

    def _sees(self, subgraph: str | None) -> bool:
        members = self.union.get("Any") or self.interface.get("Any") or []
        return not subgraph or (bool(members) and all("id" in self.types[m].keys.get(subgraph, []) for m in members))

    @staticmethod
    def _has(made: Type, subgraph: str) -> bool:
        return any(subgraph in each.owners for each in made.fields)

    @staticmethod
    def _block(head: str, lines: list[str]) -> str:
        return f"{head} {{ {' '.join(lines)} }}" if lines else ""

    def _lines(self, fields: list[Field], subgraph: str | None, made: Type | None = None) -> list[str]:
        lines: list[str] = []
        needed = {
            name for each in fields if each.requires and subgraph in each.owners for name in each.requires.split()
        }
        keys = {name for key in (made.keys.get(subgraph or "", []) if made else []) for name in key.split()}
        for each in fields:
            argument = "(x: Int)" if each.argument else ""
            text = f"{each.name}{argument}: {each.type}"
            if subgraph is None or each.name in keys:
                lines.append(text)
            elif subgraph in each.owners:
                shareable = " @shareable" if len(each.owners) > 1 or (made is not None and made.is_value) else ""
                requires = f' @requires(fields: "{each.requires}")' if each.requires else ""
                override = f' @override(from: "{each.override}")' if each.override else ""
                lines.append(text + shareable + requires + override)
            elif subgraph == each.override:
                lines.append(text)
            elif each.name in needed:
                lines.append(f"{text} @external")
        return lines

    def _make_data(self) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for made in self.types.values():
            if not made.is_value:
                data[made.name] = [{"id": f"{made.name}-{number}"} for number in range(3)]
        for made in self.types.values():
            for number, record in enumerate(data.get(made.name, [])):
                if made.name in self.interface.get("Any", []) and self.has_extra:
                    record["extra"] = self.random.randint(0, 99)
                for each in made.fields[1:]:
                    record[each.name] = self._value(each, made.name, number)
        data["Query"] = {each.name: self._value(each, "Query", 0) for each in self.roots}
        return data

    def _value(self, each: Field, owner: str, number: int) -> Any:
        if each.requires:
            return {"=": " + '/' + ".join(f"str({name})" for name in each.requires.split())}
        if each.name == "code":
            return f"code-{owner}-{number}"
        if each.named in ("Int", "String"):
            if not each.type.endswith("!") and self.random.random() < 0.2:
                return None
            return self.random.randint(0, 99) if each.named == "Int" else f"{owner}.{each.name}.{number}"
        count = self.random.randint(0, 3)
        if each.type.startswith("["):
            return [self._object(each.named) for _ in range(count)]
        return None if self.random.random() < 0.1 else self._object(each.named)

    def _object(self, name: str) -> dict[str, Any]:
        members = self.union.get(name) or self.interface.get(name)
        name = self.random.choice(members) if members else name
        if self.types[name].is_value:
            return {each.name: self.random.randint(0, 9) for each in self.types[name].fields}
        return {"__typename": name, "id": f"{name}-{self.random.randint(0, 2)}"}

    def operation(self) -> str:
        """Return a random operation."""
        self.aliases = iter(f"x{number}" for number in range(10_000))
        chosen = self.random.sample(self.roots, self.random.randint(1, min(3, len(self.roots))))
        inner = " ".join(self._select(each, 3) for each in chosen)
        return f"query($yes: Boolean = true, $no: Boolean = false) {{ {inner} a: __typename @include(if: $yes) @skip(if: $no) }}"

    def _select(self, each: Field, depth: int) -> str:
        alias = f"{next(self.aliases)}: " if self.random.random() < 0.3 else ""
        argument = f"(x: {self.random.randint(0, 1)})" if each.argument and alias else ""
        condition = self.random.choice(
            ["", "", "", "", " @include(if: $yes)", " @skip(if: $yes)", " @include(if: $no)"]
        )
        if each.named in ("Int", "String", "ID"):
            return f"{alias}{each.name}{argument}{condition}"
        return f"{alias}{each.name}{condition} {{ {self._selection(each.named, depth - 1)} }}"

    def _selection(self, name: str, depth: int) -> str:
        return " ".join(self._parts(name, depth)) or "__typename"

    def _parts(self, name: str, depth: int) -> Iterator[str]:
        members = self.union.get(name) or self.interface.get(name)
        if self.random.random() < 0.3:
            yield "__typename"
        if members:
            if name in self.interface and self.random.random() < 0.5:
                yield "id"
            if self.has_extra and self.random.random() < 0.5:
                yield "extra"
            for member in self.random.sample(members, self.random.randint(1, len(members))):
                inner = [
                    f"{next(self.aliases)}: {text}" if not text.startswith(("__", "...", "x")) else text
                    for text in self._parts(member, depth)
                ]
                if inner:
                    yield f"... on {member} {{ {' '.join(inner)} }}"
            return
        if self.has_extra and name in self.interface["Any"] and self.random.random() < 0.4:
            yield "extra"
        fields = [f for f in self.types[name].fields if depth > 0 or f.named in ("Int", "String", "ID")]
        for each in self.random.sample(fields, self.random.randint(0, len(fields))):
            yield self._select(each, depth)
