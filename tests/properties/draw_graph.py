"""Draws a graph and a split of it that must compose: every entity can be entered everywhere it is more than a stub."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from random import Random
from typing import Any, TypeVar

from hypothesis import strategies as st
from split_graph import SplitAbstract, SplitField, SplitGraph, SplitType, parse_tree

T = TypeVar("T")
_LEAVES = ["Int", "String", "Int!", "String!", "Boolean", "Color", "[Int]", "[Int!]", "[String!]!", "[[Int!]]", "Float"]
_ARGUMENTS = [
    "(x: Int)",
    "(x: Int = 3)",
    "(x: Int!)",
    "(color: Color = RED)",
    "(choice: Choice)",
    "(x: [Int!], y: Int = 1)",
]


@lru_cache(maxsize=200)
def _between(least: int, most: int) -> st.SearchStrategy[int]:
    return st.integers(least, most)


class Dice:
    """Choices in words. Each shrinks to its first or smallest."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._draw = draw

    def count(self, least: int, most: int) -> int:
        return int(self._draw(_between(least, most)))

    def chance(self, percent: int) -> bool:
        return self.count(0, 99) >= 100 - percent

    def pick(self, items: Sequence[T]) -> T:
        return items[self.count(0, len(items) - 1)] if len(items) > 1 else items[0]

    def some(self, items: Sequence[T], least: int = 1, percent: int = 50) -> list[T]:
        found = [item for item in items if self.chance(percent)]
        for item in items:
            if len(found) >= min(least, len(items)):
                break
            if item not in found:
                found.append(item)
        return found


class SeededDice(Dice):
    """Dice that need no hypothesis: a seed gives the same throws each time."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def count(self, least: int, most: int) -> int:
        return self._random.randint(least, most)


class GraphDraw:
    """One drawing."""

    def __init__(self, dice: Dice) -> None:
        self.dice = dice
        self.graph = SplitGraph(["a", "b", "c", "d"][: dice.count(2, 4)])
        self.entities: list[str] = []
        self.values: list[str] = []

    def run(self) -> SplitGraph:
        self._add_types()
        self._add_abstracts()
        self._add_references()
        self._add_roots()
        self._lead_back()
        self._override()
        self._require()
        self._provide()
        self._hide()
        self._tighten()
        self._divide_values()
        self._extend_interfaces()
        self.graph.settle()
        self._drop_idle()
        return self.graph

    def _owners(self, where: list[str]) -> list[str]:
        return self.dice.some(where) if self.dice.chance(35) else [self.dice.pick(where)]

    def _add_types(self) -> None:
        dice, graph = self.dice, self.graph
        self.values = [f"V{number}" for number in range(dice.count(0, 2))]
        self.entities = [f"E{number}" for number in range(dice.count(1, 3))]
        for name in self.values:
            made = graph.types[name] = SplitType(name, is_value=True)
            made.add(SplitField("id", "ID!", [], is_safe=True))
            for number in range(dice.count(1, 2)):
                made.add(SplitField(f"v{number}", dice.pick(_LEAVES), []))
        for name in self.entities:
            self._add_entity(name)

    def _add_entity(self, name: str) -> None:
        dice, graph = self.dice, self.graph
        made = graph.types[name] = SplitType(name)
        where = dice.some(graph.subgraphs, 2, 60)
        keys = ["id"]
        made.add(SplitField("id", "ID!", [], is_safe=True))
        if dice.chance(30):
            made.add(SplitField("code", "String!", [], is_safe=True))
            keys.append(dice.pick(["code", "code id"]))
        if dice.chance(25):
            nested = graph.types[f"{name}Ref"] = SplitType(f"{name}Ref", is_value=True)
            nested.add(SplitField("part", "ID!", [], is_safe=True))
            nested.add(SplitField("rest", "Int!", [], is_safe=True))
            made.add(SplitField("ref", f"{name}Ref!", [], is_safe=True))
            keys.append(dice.pick(["ref { part }", "ref { part rest }", "id ref { rest }"]))
        hub = dice.pick(where)
        for subgraph in where:
            made.keys[subgraph] = list(keys) if subgraph == hub else dice.some(keys)
        # The hub is first: stubs take its first key.
        made.keys = {hub: made.keys.pop(hub), **made.keys}
        for number in range(dice.count(1, 4)):
            arguments = dice.pick(_ARGUMENTS) if dice.chance(20) else ""
            kind = dice.pick(["Int", "String", "String!"]) if arguments else dice.pick(_LEAVES)
            made.add(SplitField(f"f{number}", kind, self._owners(where), arguments))

    def _add_abstracts(self) -> None:
        dice, graph = self.dice, self.graph
        for name in ("I0", "U0", "I1"):
            if not dice.chance(35):
                continue
            candidates = self.entities + ([] if name == "I0" else self.values)
            members = dice.some(candidates, 2)
            entities = [graph.types[each] for each in members if each in self.entities]
            homes = [each for each in graph.subgraphs if all(each in one.keys for one in entities)]
            if name == "I0":
                homes = [each for each in homes if all("id" in one.keys[each] for one in entities)]
            homes = dice.some(homes)
            if not homes or not members:
                continue
            made = graph.abstracts[name] = SplitAbstract(name, members, set(homes), name.startswith("I"))
            for each in members:
                if each in self.values:
                    graph.types[each].values_in |= set(homes)
            if made.is_interface and dice.chance(60):
                common = f"c{name[1]}"
                kind = dice.pick(_LEAVES)
                made.common.append(common)
                for each in members:
                    member = graph.types[each]
                    member.add(SplitField(common, kind, [] if member.is_value else self._owners(list(member.keys))))

    def _add_references(self) -> None:
        dice, graph = self.dice, self.graph
        for name in [*self.entities, *self.values]:
            made = graph.types[name]
            for number in range(dice.count(0, 2)):
                if made.is_value:
                    later = self.values[self.values.index(name) + 1 :]
                    target = dice.pick([*self.entities, *later])
                    made.add(SplitField(f"r{number}", self._wrapped(target), []))
                else:
                    self._add_field(made, f"r{number}", sorted(made.keys))

    def _add_field(self, made: SplitType, name: str, where: list[str]) -> None:
        target = self.dice.pick([*self.entities, *self.values, *self.graph.abstracts])
        if target in self.graph.abstracts:
            where = [each for each in where if each in self.graph.abstracts[target].homes]
        if where:
            is_shared = target in self.values and self.dice.chance(60)
            owners = self.dice.some(where, 2) if is_shared else self._owners(where)
            made.add(SplitField(name, self._wrapped(target), owners))

    def _wrapped(self, target: str) -> str:
        return self.dice.pick(["{}", "[{}]", "{}!", "[{}!]!", "[{}!]", "[[{}]]"]).format(target)

    def _add_roots(self) -> None:
        dice, graph = self.dice, self.graph
        query = graph.types["Query"] = SplitType("Query")
        for number, name in enumerate(self.entities):
            where = sorted(graph.types[name].keys)
            query.add(SplitField(f"q{number}", self._wrapped(name), self._owners(where)))
        for number in range(dice.count(0, 2)):
            self._add_field(query, f"p{number}", graph.subgraphs)
        for name, each in graph.abstracts.items():
            query.add(SplitField(f"any{name}", f"[{name}]", self._owners(sorted(each.homes))))
        if dice.chance(30):
            mutation = graph.types["Mutation"] = SplitType("Mutation")
            for number in range(dice.count(2, 4)):
                owner = [dice.pick(graph.subgraphs)]
                if number % 2:
                    target = dice.pick(self.entities)
                    mutation.add(SplitField(f"make{number}", target, [dice.pick(sorted(graph.types[target].keys))]))
                else:
                    mutation.add(SplitField(f"bump{number}", "Int!", owner, "(x: Int = 1)"))

    def _lead_back(self) -> None:
        """Let fields lead back to the root, as mutations' payloads often do."""
        dice, graph = self.dice, self.graph
        if not dice.chance(30):
            return
        graph.types["Query"].add(SplitField("total", "Int", [dice.pick(graph.subgraphs)]))
        for name in dice.some([*self.entities, *self.values, *(each for each in ("Mutation",) if each in graph.types)]):
            made = graph.types[name]
            where = [] if made.is_value else self._owners(sorted(made.keys) or graph.subgraphs)
            made.add(SplitField("root", self._wrapped("Query"), where[:1] if name == "Mutation" else where))

    def _override(self) -> None:
        """Let another subgraph take a field over; the old one goes on defining it."""
        for name in self.entities:
            made = self.graph.types[name]
            for each in made.fields.values():
                others = [s for s in sorted(made.keys) if s not in each.owners]
                if each.name[0] in "fc" and len(each.owners) == 1 and others and self.dice.chance(12):
                    each.override = each.owners[0]
                    each.owners = [self.dice.pick(others)]
                    each.label = self.dice.pick(["", "", "percent(0)", "percent(100)"])

    def _require(self) -> None:
        for name in self.entities:
            made = self.graph.types[name]
            for number in range(2):
                if not self.dice.chance(40):
                    continue
                subgraph = self.dice.pick(sorted(made.keys))
                field_set = self._required(made, subgraph)
                if field_set:
                    kind = self.dice.pick(["String", "String!"])
                    made.add(SplitField(f"n{number}", kind, [subgraph], requires=field_set))

    def _required(self, made: SplitType, subgraph: str) -> str:
        """Return a field set for one of the subgraph's fields to require, and declare external what has to be."""
        dice = self.dice
        able = [
            each
            for each in made.fields.values()
            if subgraph not in each.owners
            and each.override != subgraph
            and not each.label
            and each.name not in made.key_fields(subgraph)
            and each.owners
            and not (each.name == "id" and self.graph.needs_id(made, subgraph))
            and "!" not in each.arguments.split("=")[0].replace("[Int!]", "")
        ]
        parts: list[str] = []
        for each in dice.some(able, 1) if able else []:
            text = self._required_field(each, subgraph)
            if text:
                each.external.add(subgraph)
                each.is_safe |= each.is_non_null
                parts.append(text)
        return " ".join(parts)

    def _required_field(self, each: SplitField, subgraph: str) -> str:
        target = self.graph.types.get(each.named)
        abstract = self.graph.abstracts.get(each.named)
        # What clients select beside it must not take a required object away.
        for name in abstract.members if abstract else [each.named] if target else []:
            for one in self.graph.types[name].fields.values():
                one.is_safe |= one.is_non_null
        if target is None:
            if abstract is not None:
                return f"{each.name} {{ id }}" if abstract.is_interface and subgraph in abstract.homes else ""
            if each.arguments.startswith("(x: Int") and self.dice.chance(50):
                return f"{each.name}(x: {self.dice.count(0, 3)})"
            return each.name
        if not target.is_value:
            inner = [
                one
                for one in target.fields.values()
                if subgraph in target.keys
                and subgraph not in target.stubs
                and not one.requires
                and not one.label
                and not one.arguments
                and one.named not in {**self.graph.types, **self.graph.abstracts}
                and (one.owners or one.name in target.key_fields(subgraph))
                and one.override != subgraph
            ]
            chosen = self.dice.some(inner, 1) if inner else []
            for one in chosen:
                one.is_safe |= one.is_non_null
                if subgraph not in one.owners and one.name not in target.key_fields(subgraph):
                    one.external.add(subgraph)
        else:
            chosen = [one for one in target.fields.values() if one.named not in self.graph.types]
            chosen = self.dice.some(chosen, 1)
            for one in chosen:
                one.is_safe |= one.is_non_null
        return f"{each.name} {{ {' '.join(one.name for one in chosen)} }}" if chosen else ""

    def _provide(self) -> None:
        dice, graph = self.dice, self.graph
        for name in [*self.entities, "Query"]:
            for each in graph.types[name].fields.values():
                target = graph.types.get(each.named)
                if target is None or target.is_value or not dice.chance(25):
                    continue
                for subgraph in each.owners:
                    able = [
                        one
                        for one in target.fields.values()
                        if one.owners
                        and subgraph in target.keys
                        and subgraph not in one.owners
                        and one.override != subgraph
                        and not one.override
                        and not one.requires
                        and not one.arguments
                        and one.name not in target.key_fields(subgraph)
                        and not (one.name == "id" and graph.needs_id(target, subgraph))
                        and one.named not in {**graph.types, **graph.abstracts}
                    ]
                    chosen = dice.some(able, 1) if able else []
                    for one in chosen:
                        one.external.add(subgraph)
                        one.is_provided = True
                    if chosen:
                        each.provides[subgraph] = " ".join(one.name for one in chosen)

    def _hide(self) -> None:
        for name in self.entities:
            for each in self.graph.types[name].fields.values():
                if each.name[0] in "fc" and not each.override and self.dice.chance(8):
                    each.is_inaccessible = True

    def _tighten(self) -> None:
        """Let some of a shared field's subgraphs promise never to give null; as a whole it may be null."""
        for name in self.entities:
            for each in self.graph.types[name].fields.values():
                is_leaf = each.named not in {**self.graph.types, **self.graph.abstracts}
                is_free = not each.is_non_null and not each.external and not each.is_provided
                if is_leaf and is_free and len(each.owners) > 1 and self.dice.chance(40):
                    each.never_null_in = set(self.dice.some(each.owners[1:]))

    def _divide_values(self) -> None:
        """Let each of a shared field's subgraphs know a part of its value."""
        types = self.graph.types
        for name in self.values:
            leading = [each for made in types.values() for each in made.fields.values() if each.named == name]
            is_member = any(name in each.members for each in self.graph.abstracts.values())
            if is_member or len(leading) != 1 or leading[0].external or len(leading[0].owners) < 2:
                continue
            for each in types[name].fields.values():
                if each.name != "id" and self.dice.chance(70):
                    each.known_in = set(self.dice.some(leading[0].owners))

    def _extend_interfaces(self) -> None:
        """Let the subgraph `z`, which knows no member, add fields to the interface of entities."""
        dice, graph = self.dice, self.graph
        interface = graph.abstracts.get("I0")
        if interface is None or not dice.chance(50):
            return
        # An interface with a key is known in full, by that key, wherever it is known.
        graph.subgraphs.append("z")
        interface.extra.append(SplitField("z0", dice.pick(["Int", "String!", "[Int]"]), ["z"]))
        shown = graph.interface_fields(interface)
        # A field that moves by a label can't be required.
        required = [
            name
            for name in interface.common
            if any(each.name == name for each in shown)
            and not any(graph.types[member].fields[name].label for member in interface.members)
            and dice.chance(50)
        ]
        if required:
            for member in interface.members:
                one = graph.types[member].fields[required[0]]
                one.is_safe |= one.is_non_null
            interface.extra.append(SplitField("z1", "String", ["z"], requires=required[0]))
        if dice.chance(60):
            graph.types["Query"].add(SplitField("anyz", dice.pick(["[I0]", "I0"]), ["z"]))

    def _drop_idle(self) -> None:
        """Forget value types that nothing leads to, and subgraphs that have nothing."""
        for name in list(self.graph.types):
            made = self.graph.types[name]
            if made.is_value and not made.values_in:
                del self.graph.types[name]
        used = {
            subgraph
            for made in self.graph.types.values()
            for subgraph in [*made.subgraphs(), *(owner for each in made.fields.values() for owner in each.owners)]
        }
        self.graph.subgraphs = [each for each in self.graph.subgraphs if each in used or each == "z"]


@st.composite
def split_graphs(draw: Callable[[st.SearchStrategy[Any]], Any]) -> SplitGraph:
    """Return graphs with their splits."""
    return GraphDraw(Dice(draw)).run()


__all__ = ["Dice", "SeededDice", "parse_tree", "split_graphs"]
