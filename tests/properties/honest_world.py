"""A graph's data, and who may read what: the whole schema reads all of it, a subgraph only what it resolves or was given.

Data is as on a case page (`tests/cases/records.py`), with `{"$error": …}` for fields that fail. A subgraph that is asked
for more than it can know notes that in `World.breaches`: the plan was wrong, whatever the answer looks like.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from fixture_subgraph import subgraph_schema
from graphql import GraphQLError, GraphQLSchema, build_schema, graphql_sync
from split_graph import SplitAbstract, SplitField, SplitGraph, SplitType, Tree, parse_tree

from gateway.execution.ports import RequestContext, SubgraphAnswer, SubgraphFailure, SubgraphRequest

RECORDS = 2


@dataclass(frozen=True, slots=True)
class Seen:
    """An object as somebody sees it."""

    typename: str
    record: dict[str, Any]
    given: dict[str, Any] = field(default_factory=dict)
    """What a representation carried."""
    provided: Tree = field(default_factory=dict)
    """What the subgraph can answer here though others own it."""


class World:
    """The data of one graph."""

    def __init__(self, graph: SplitGraph, seed: int, *, nulls: bool, errors: bool) -> None:
        self.graph = graph
        self.breaches: list[str] = []
        self.bumped = 0
        self._random = Random(seed)
        self._nulls = nulls
        self._errors = errors
        self.data: dict[str, Any] = {
            name: [{"id": f"{name}-{number}"} for number in range(RECORDS)]
            for name, made in graph.types.items()
            if made.keys
        }
        for name, made in graph.types.items():
            if made.keys:
                for number, record in enumerate(self.data[name]):
                    record.update(self._record(made, f"{name}-{number}"))
            elif not made.is_value:
                self.data[name] = self._record(made, name)

    def _record(self, made: SplitType, which: str) -> dict[str, Any]:
        extra = [each for one in self.graph.abstracts.values() if made.name in one.members for each in one.extra]
        return {each.name: self._value(each, which) for each in [*made.fields.values(), *extra]}

    def _value(self, each: SplitField, which: str) -> Any:
        if each.requires:
            return {"=": f"str([{', '.join(parse_tree(each.requires))}])"}
        if not each.is_safe and not each.never_null_in and self._errors and self._random.random() < 0.08:
            return {"$error": "It fails."}
        if each.name.startswith("bump"):
            return {"=": "x"}
        if each.arguments:
            names = [
                part.split(":")[0].strip() for part in each.arguments.strip("()").replace("[Int!]", "Int").split(",")
            ]
            known = ", ".join(f"locals().get('{name}')" for name in names)
            if each.named == "Int":
                return {"=": f"len(str([{known}])) + {self._random.randint(0, 99)}"}
            return {"=": f"'{which} ' + str([{known}])"}
        return self._of(each.type, each, which)

    def _of(self, text: str, each: SplitField, which: str) -> Any:
        if text.endswith("!"):
            is_safe = each.is_safe or bool(each.never_null_in)
            if not is_safe and self._errors and self._random.random() < 0.05:
                return None
            text = text[:-1]
        elif self._nulls and not (each.never_null_in and text == each.type) and self._random.random() < 0.15:
            return None
        if text.startswith("["):
            return [self._of(text[1:-1], each, which) for _ in range(self._random.randint(0, 2))]
        return self._one(text, each, which)

    def _one(self, name: str, each: SplitField, which: str) -> Any:
        random = self._random
        match name:
            case "ID" | "String":
                return which if each.name == "id" else f"{which}.{each.name}"
            case "Int":
                return random.randint(0, 99)
            case "Float":
                return random.randint(0, 99) / 4
            case "Boolean":
                return random.random() < 0.5
            case "Color":
                return random.choice(["RED", "GREEN", "BLUE"])
        abstract = self.graph.abstracts.get(name)
        made = self.graph.types[random.choice(abstract.members) if abstract else name]
        if made.is_value:
            return {"__typename": made.name, **self._record(made, f"{which}.{each.name}")}
        if not made.keys:
            return {"__typename": made.name}
        return {"__typename": made.name, "id": f"{made.name}-{random.randint(0, RECORDS - 1)}"}

    def seen(self, value: Any, provided: Tree) -> Any:
        """Return a stored value with its objects as somebody sees them."""
        if isinstance(value, list):
            return [self.seen(each, provided) for each in value]
        if not isinstance(value, dict):
            return value
        name = value["__typename"]
        if self.graph.types[name].is_value:
            return Seen(name, value)
        if not self.graph.types[name].keys:
            return Seen(name, self.data[name])
        record = next(each for each in self.data[name] if each["id"] == value["id"])
        return Seen(name, record, provided=provided)

    def resolve(self, value: Any, each: SplitField, arguments: dict[str, Any], provided: Tree) -> Any:
        """Return what a field without requirements gives."""
        if isinstance(value, dict) and "$error" in value:
            raise GraphQLError(value["$error"])
        if each.name.startswith("bump"):
            self.bumped += arguments["x"]
            return self.bumped
        if each.name == "total":
            return self.bumped
        if isinstance(value, dict) and "=" in value:
            return eval(value["="], {"str": str, "len": len}, dict(arguments))
        return self.seen(value, provided)

    def required(
        self, made: SplitType, record: dict[str, Any], tree: Tree, arguments: dict[str, dict[str, Any]]
    ) -> Any:
        """Return what a representation would carry, from the whole. Raises GraphQLError where that can't be."""
        found: dict[str, Any] = {}
        for name, below in tree.items():
            each = made.fields[name]
            if each.requires:
                found[name] = told(
                    self.required(made, record, parse_tree(each.requires), required_arguments(made, each))
                )
            else:
                found[name] = self._had(each, record[name], below, arguments.get(name, {}))
        return found

    def _had(self, each: SplitField, stored: Any, below: Tree, arguments: dict[str, Any]) -> Any:
        """Return a required field's value: null where it fails and may be null, as gateways send it."""
        try:
            return self._checked(each.type, self.resolve(stored, each, arguments, {}), below)
        except GraphQLError:
            if each.is_non_null:
                raise
            return None

    def _checked(self, text: str, value: Any, below: Tree) -> Any:
        if value is None:
            if text.endswith("!"):
                raise GraphQLError("null where there can't be one")
            return None
        text = text.removesuffix("!")
        if text.startswith("["):
            return [self._item(text[1:-1], each, below) for each in value]
        if isinstance(value, Seen):
            return self.required(self.graph.types[value.typename], value.record, below, {})
        return value

    def _item(self, text: str, value: Any, below: Tree) -> Any:
        try:
            return self._checked(text, value, below)
        except GraphQLError:
            if text.endswith("!"):
                raise
            return None


def told(value: Any) -> str:
    """Return the value of a field that requires others."""
    return json.dumps(value, sort_keys=True)


def project(tree: Tree, given: Any) -> Any:
    """Return what a field set names of what a representation carries. Raises KeyError for what it does not carry."""
    if isinstance(given, list):
        return [project(tree, each) for each in given]
    if not tree or given is None:
        return given
    return {name: project(below, given[name]) for name, below in tree.items()}


class WholeResolver:
    """Resolves the unsplit schema."""

    def __init__(self, world: World) -> None:
        self._world = world

    def field(self, source: Any, info: Any, **arguments: Any) -> Any:
        name = info.parent_type.name
        source = source or Seen(name, self._world.data[name])
        each = find_field(self._world.graph, name, info.field_name)
        if each.requires:
            tree = parse_tree(each.requires)
            made = self._world.graph.types[name]
            return told(self._world.required(made, source.record, tree, required_arguments(made, each)))
        return self._world.resolve(source.record[each.name], each, arguments, {})


def find_field(graph: SplitGraph, type_name: str, name: str) -> SplitField:
    """Return a field of an object type, or one that an interface object adds."""
    if type_name in graph.types and name in graph.types[type_name].fields:
        return graph.types[type_name].fields[name]
    return next(
        each
        for one in graph.abstracts.values()
        if one.name == type_name or type_name in one.members
        for each in one.extra
        if each.name == name
    )


def required_arguments(made: SplitType, each: SplitField) -> dict[str, dict[str, Any]]:
    """Return the arguments of each field that a field requires: as the field set says, else their defaults."""
    found: dict[str, dict[str, Any]] = {}
    for part in each.requires.replace("(", " (").split(")"):
        words = part.split()
        for number, word in enumerate(words):
            if word.startswith("(x:"):
                found[words[number - 1]] = {"x": int(words[number + 1])}
    for name in parse_tree(each.requires):
        text = made.fields[name].arguments
        for argument in text.strip("()").split(",") if text else ():
            key, _, default = argument.partition("=")
            if default:
                value = default.strip()
                known = found.setdefault(name, {})
                known.setdefault(key.split(":")[0].strip(), int(value) if value.isdigit() else value)
    return found


class HonestSubgraph:
    """A `SubgraphClient` that answers only what the subgraph of this name can know."""

    def __init__(self, name: str, sdl: str, world: World) -> None:
        self.name = name
        self._schema = subgraph_schema(sdl)
        self._world = world
        self._graph = world.graph

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        variables = json.loads(request.body)["variables"]
        result = graphql_sync(
            self._schema,
            request.document,
            variable_values=variables,
            field_resolver=self.field,
            type_resolver=lambda value, info, abstract: value.typename,
        )
        for error in result.errors or ():
            if error.path is None:
                self._breach(f"{request.document}: {error}")
        return SubgraphAnswer(result.formatted)

    async def subscribe(
        self, request: SubgraphRequest, context: RequestContext
    ) -> AsyncGenerator[SubgraphAnswer, None]:
        raise SubgraphFailure("SYSTEM_REJECTED", "no streams here", is_sent=False)
        yield

    async def aclose(self) -> None:
        pass

    def _breach(self, text: str) -> None:
        self._world.breaches.append(f"{self.name}: {text}")

    def field(self, source: Any, info: Any, **arguments: Any) -> Any:
        """Resolve any field."""
        if info.field_name == "_entities":
            return [self._entity(each) for each in arguments["representations"]]
        type_name = info.parent_type.name
        if source is None:
            source = Seen(type_name, self._world.data[type_name])
        each = self._field_of(type_name, info.field_name)
        if each.requires and self.name in each.owners:
            return self._required(each, source)
        if self._knows(type_name, each, source):
            below = parse_tree(each.provides.get(self.name, ""))
            found = self._world.resolve(source.record[each.name], each, arguments, below)
            return self._masked(found, each)
        self._breach(f"{type_name}.{each.name} is not resolved here")
        raise GraphQLError("not resolved here")

    def _field_of(self, type_name: str, name: str) -> SplitField:
        if name == "id" and type_name in self._graph.abstracts:
            return SplitField("id", "ID!", [self.name])
        if self.name == "z" and type_name in self._graph.abstracts:
            one = self._graph.abstracts[type_name]
            extra = next((each for each in one.extra if each.name == name), None)
            return extra or self._graph.types[one.members[0]].fields[name]
        return self._graph.types[type_name].fields[name]

    def _masked(self, value: Any, each: SplitField) -> Any:
        """Show objects as the interface where the subgraph knows no more of them."""
        if self.name != "z" or each.named not in self._graph.abstracts:
            return value
        values = value if isinstance(value, list) else [value]
        shown = [one and Seen(each.named, one.record) for one in values]
        return shown if isinstance(value, list) else shown[0]

    def _knows(self, type_name: str, each: SplitField, source: Seen) -> bool:
        made = self._graph.types.get(type_name)
        if self.name in each.resolvers or each.name in source.provided:
            return True
        if made is None:
            return False
        if made.is_value:
            return self.name in (each.known_in or made.values_in)
        by_interface = each.name == "id" and self._graph.needs_id(made, self.name)
        return each.name in made.key_fields(self.name) or by_interface

    def _required(self, each: SplitField, source: Seen) -> Any:
        try:
            return told(project(parse_tree(each.requires), source.given))
        except (KeyError, TypeError):
            self._breach(f"{source.typename}.{each.name} requires {each.requires}, given is {source.given}")
            raise GraphQLError("not given") from None

    def _entity(self, given: dict[str, Any]) -> Seen | None:
        name = given["__typename"]
        abstract = self._graph.abstracts.get(name)
        members = abstract.members if abstract else [name]
        for key in self._keys(name, abstract):
            tree = parse_tree(key)
            try:
                wanted = project(tree, given)
            except (KeyError, TypeError):
                continue
            for member in members:
                for record in self._world.data[member]:
                    if project(tree, record) == wanted:
                        shown = name if self.name == "z" else member
                        return Seen(shown, record, given)
        self._breach(f"no key in {given}")
        return None

    def _keys(self, name: str, abstract: SplitAbstract | None) -> list[str]:
        if abstract is not None:
            return ["id"]
        made = self._graph.types[name]
        return [] if self.name in made.stubs else made.keys.get(self.name, [])


def whole_answer(world: World, schema: GraphQLSchema, text: str, variables: dict[str, Any]) -> dict[str, Any]:
    """Execute an operation over the unsplit schema."""
    world.bumped = 0
    result = graphql_sync(
        schema,
        text,
        variable_values=variables,
        field_resolver=WholeResolver(world).field,
        type_resolver=lambda value, info, abstract: value.typename,
    )
    return dict(result.formatted)


def whole_schema(graph: SplitGraph) -> GraphQLSchema:
    """Build the unsplit schema."""
    return build_schema(graph.unsplit_sdl())
