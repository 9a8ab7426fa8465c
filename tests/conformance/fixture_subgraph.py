"""Subgraphs that answer from recordings: a federation schema, and for each root field and entity what it once said."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import Any

from graphql import REMOVE, GraphQLError, GraphQLSchema, Visitor, build_schema, graphql_sync, parse, print_ast, visit
from graphql.language import ast

from gateway.execution.ports import RequestContext, SubgraphAnswer, SubgraphFailure, SubgraphRequest

_SPECIFIED = {"deprecated", "specifiedBy", "oneOf"}


class FixtureSubgraph:
    """A `SubgraphClient` over one subgraph's recordings."""

    def __init__(self, name: str, sdl: str, fixtures: dict[str, Any]) -> None:
        self.name = name
        self.schema = subgraph_schema(sdl)
        self._fixtures = fixtures
        self.requests: list[SubgraphRequest] = []

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        self.requests.append(request)
        result = graphql_sync(
            self.schema,
            request.document,
            variable_values=dict(request.variables),
            operation_name=request.operation_name,
            field_resolver=self.resolve,
        )
        return SubgraphAnswer(result.formatted)

    async def subscribe(
        self, request: SubgraphRequest, context: RequestContext
    ) -> AsyncGenerator[SubgraphAnswer, None]:
        raise SubgraphFailure("SYSTEM_REJECTED", "recordings have no subscriptions", is_sent=False)
        yield

    async def aclose(self) -> None:
        pass

    def resolve(self, source: Any, info: Any, **arguments: Any) -> Any:
        field, parent, given = info.field_name, info.parent_type.name, _plain(arguments)
        if field == "_entities":
            return [self.entity(representation) for representation in given["representations"]]
        if source is None:
            found = [
                root
                for root in self._fixtures["roots"]
                if root["op"] == parent.lower() and root["field"] == field and _is_within(_given(root["args"]), given)
            ]
            return self._best(found, "args", f"{parent}.{field}({given})")
        if field not in source:
            raise GraphQLError(f"no fixture for {parent}.{field}")
        value = source[field]
        if isinstance(value, dict) and "$args" in value:
            found = [each for each in value["$args"] if _is_within(_given(each["args"]), given)]
            return self._best(found, "args", f"{parent}.{field}({given})")
        return _answered(value)

    def entity(self, representation: dict[str, Any]) -> Any:
        found = [each for each in self._fixtures["entities"] if _is_within(each["representation"], representation)]
        try:
            return self._best(found, "representation", f"representation {representation}")
        except GraphQLError as error:
            return error

    @staticmethod
    def _best(found: list[dict[str, Any]], by: str, what: str) -> Any:
        if not found:
            raise GraphQLError(f"no fixture for {what}")
        return _answered(max(found, key=lambda each: _size(each[by]))["value"])


class MutationSubgraph(FixtureSubgraph):
    """The one suite with state: an entity can be fetched once, so a needless second call fails."""

    def __init__(self, name: str, sdl: str, state: dict[str, Any]) -> None:
        super().__init__(name, sdl, {"roots": [], "entities": []})
        self._products: list[dict[str, Any]] = state.setdefault("products", [])
        self._categories: list[dict[str, Any]] = state.setdefault("categories", [])
        self._numbers: dict[str, int] = state.setdefault("numbers", {})

    def resolve(self, source: Any, info: Any, **arguments: Any) -> Any:
        field = info.field_name
        if source is None and field != "_entities":
            return getattr(self, f"on_{field}")(**_plain(arguments))
        if field == "isExpensive":
            if not isinstance(source.get("price"), int | float):
                raise GraphQLError("Price is not available")
            return source["price"] > 100
        return super().resolve(source, info, **arguments) if field == "_entities" else source.get(field)

    def entity(self, representation: dict[str, Any]) -> Any:
        known = self._categories if representation["__typename"] == "Category" else self._products
        found = next((each for each in known if each["id"] == representation["id"]), None)
        if found is None or known is self._categories:
            return found
        self._products.remove(found)
        return {"__typename": "Product", "isAvailable": True, **found}

    def _seed(self) -> None:
        if not any(each["id"] == "p1" for each in self._products):
            self._products.append({"__typename": "Product", "id": "p1", "name": "p1-name", "price": 9.99})

    def on_product(self, id: str) -> Any:  # noqa: A002 - the schema's name
        self._seed()
        return next((each for each in self._products if each["id"] == id), None)

    def on_products(self) -> Any:
        self._seed()
        return list(self._products)

    def on_addProduct(self, input: dict[str, Any]) -> Any:  # noqa: A002, N802
        added = {"__typename": "Product", "id": f"p-added-{len(self._products)}", **input}
        self._products.append(added)
        return added

    def on_addCategory(self, name: str, requestId: str) -> Any:  # noqa: N802, N803
        key = f"c-added-{requestId}"
        if any(each["id"] == key for each in self._categories):
            raise GraphQLError("Category with this requestId was already added")
        self._categories.append({"__typename": "Category", "id": key, "name": name})
        return self._categories[-1]

    def on_add(self, num: int, requestId: str) -> int:  # noqa: N803
        self._numbers[requestId] = self._numbers.get(requestId, 0) + num
        return self._numbers[requestId]

    def on_multiply(self, by: int, requestId: str) -> int:  # noqa: N803
        self._numbers[requestId] = self._numbers.get(requestId, 0) * by
        return self._numbers[requestId]

    def on_delete(self, requestId: str) -> int:  # noqa: N803
        return self._numbers.pop(requestId, 0)


def subgraph_schema(sdl: str) -> GraphQLSchema:
    """Build an executable schema of a subgraph: federation's directives dropped, `_entities` added."""
    seen: set[str] = set()
    objects: set[str] = set()
    keyed: set[str] = set()
    implementations: dict[str, set[str]] = {}
    parts: list[str] = []
    for node in parse(sdl, no_location=True).definitions:
        if isinstance(node, ast.DirectiveDefinitionNode):
            if any(each.value in _EXECUTABLE for each in node.locations):
                parts.append(print_ast(node))
            continue
        if isinstance(node, ast.SchemaDefinitionNode | ast.SchemaExtensionNode):
            continue
        name = node.name.value
        text = print_ast(visit(node, _Strip()))
        if any(each.name.value.split("__")[-1] == "key" for each in node.directives or ()):
            keyed.add(name)
        for interface in getattr(node, "interfaces", None) or ():
            implementations.setdefault(interface.name.value, set()).add(name)
        if isinstance(node, ast.ObjectTypeDefinitionNode | ast.ObjectTypeExtensionNode):
            objects.add(name)
        is_extension = isinstance(node, ast.TypeExtensionNode)
        if name not in seen and is_extension:
            text = text.removeprefix("extend ")
        elif name in seen and not is_extension:
            text = re.sub(r'^(""".*?"""\s*)?', "extend ", text, count=1, flags=re.DOTALL)
        seen.add(name)
        parts.append(text)
    entities = sorted(
        {name for name in keyed if name in objects}
        | {each for name in keyed for each in implementations.get(name, ()) if each in objects}
    )
    if entities:
        extend = "extend " if "Query" in seen else ""
        parts.append(f"scalar _Any union _Entity = {' | '.join(entities)}")
        parts.append(f"{extend}type Query {{ _entities(representations: [_Any!]!): [_Entity]! }}")
    return build_schema("\n".join(parts), assume_valid_sdl=True, assume_valid=True)


_EXECUTABLE = (
    "QUERY",
    "MUTATION",
    "SUBSCRIPTION",
    "FIELD",
    "FRAGMENT_DEFINITION",
    "FRAGMENT_SPREAD",
    "INLINE_FRAGMENT",
    "VARIABLE_DEFINITION",
)


class _Strip(Visitor):
    def enter_directive(self, node: ast.DirectiveNode, *_: Any) -> Any:
        return None if node.name.value in _SPECIFIED else REMOVE


def _answered(value: Any) -> Any:
    if isinstance(value, dict) and "$error" in value:
        raise GraphQLError(value["$error"])
    return value


def _given(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}


def _is_within(part: Any, whole: Any) -> bool:
    """Whether every key and value of `part` is in `whole`."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and _is_within(part[key], whole[key]) for key in part)
    if isinstance(part, list):
        return (
            isinstance(whole, list)
            and len(part) == len(whole)
            and all(_is_within(one, other) for one, other in zip(part, whole, strict=True))
        )
    return part == whole and isinstance(part, bool) == isinstance(whole, bool)


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return sum(1 + _size(each) for each in value.values())
    return sum(map(_size, value)) if isinstance(value, list) else 0


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value
