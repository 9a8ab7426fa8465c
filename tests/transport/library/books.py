"""Two small subgraphs at the edge of the test's world: shelves with books, and reviews of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from inspect import isawaitable
from typing import Any

from graphql import GraphQLSchema, build_schema, graphql, parse, subscribe

from gateway.execution.ports import RequestContext, SubgraphAnswer, SubgraphFailure, SubgraphRequest

_ENTITIES = """
    union _Entity = Book
    scalar _Any
"""

SHELVES = (
    """
    type Query {
      book(id: ID!): Book
      books(first: Int = 3): [Book!]!
      echo(text: String, numbers: [Int!], filter: Filter): String
      slow(seconds: Float!): String
      cancelled: Int!
      open: Int!
      _entities(representations: [_Any!]!): [_Entity]!
    }
    input Filter { title: String inner: Filter }
    type Mutation { addBook(title: String!): Book! }
    type Subscription { ticks(count: Int!, everyMs: Int! = 1, size: Int! = 0): Tick! }
    type Tick { number: Int! padding: String! book: Book }
    type Book { id: ID! title: String! sequel: Book }
    """
    + _ENTITIES
)

REVIEWS = (
    """
    type Query { _entities(representations: [_Any!]!): [_Entity]! }
    type Book { id: ID! rating: Float }
    """
    + _ENTITIES
)


class Shelves:
    """The root value of `shelves`: its methods are its resolvers."""

    def __init__(self) -> None:
        self.titles = {"1": "The Left Hand of Darkness", "2": "Kindred", "3": "Solaris"}
        self._cancelled = 0
        self._open = 0

    def _book(self, number: str) -> dict[str, Any] | None:
        if number not in self.titles:
            return None
        return {
            "__typename": "Book",
            "id": number,
            "title": self.titles[number],
            "sequel": lambda _info: self._book(str(int(number) % len(self.titles) + 1)),
        }

    def book(self, _info: Any, id: str) -> Any:  # noqa: A002 - the argument's name
        return self._book(id)

    def books(self, _info: Any, first: int) -> Any:
        return [self._book(each) for each in list(self.titles)[:first]]

    def echo(self, _info: Any, text: str | None = None, numbers: Any = None, filter: Any = None) -> str | None:  # noqa: A002
        return text

    async def slow(self, _info: Any, seconds: float) -> str:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self._cancelled += 1
            raise
        return "at last"

    def cancelled(self, _info: Any) -> int:
        return self._cancelled

    def open(self, _info: Any) -> int:
        return self._open

    def _entities(self, _info: Any, representations: list[Any]) -> Any:
        return [self._book(each["id"]) for each in representations]

    def addBook(self, _info: Any, title: str) -> Any:  # noqa: N802
        number = str(len(self.titles) + 1)
        self.titles[number] = title
        return self._book(number)

    async def ticks(self, info: Any, count: int, everyMs: int, size: int) -> AsyncIterator[Any]:  # noqa: N803
        start = int(info.context.get("last-event-id", "-1")) + 1
        self._open += 1
        try:
            for number in range(start, start + count):
                await asyncio.sleep(everyMs / 1000)
                info.context["cursor"] = str(number)
                yield {"ticks": {"number": number, "padding": "x" * size, "book": self._book("1")}}
        finally:
            self._open -= 1


class Reviews:
    """The root value of `reviews`."""

    def _entities(self, _info: Any, representations: list[Any]) -> Any:
        return [{"__typename": "Book", "id": each["id"], "rating": float(each["id"]) + 0.5} for each in representations]


class LocalSubgraph:
    """A subgraph in this process, behind the same port as one over the network."""

    def __init__(self, sdl: str, root: object) -> None:
        self._schema: GraphQLSchema = build_schema(sdl)
        self._root = root
        self._resolve: Callable[..., Any] = lambda source, info, **arguments: (
            value(info, **arguments)
            if callable(
                value := source.get(info.field_name) if isinstance(source, dict) else getattr(source, info.field_name)
            )
            else value
        )

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        async with asyncio.timeout_at(context.deadline):
            result = await graphql(
                self._schema,
                request.document,
                self._root,
                dict(context.headers),
                dict(request.variables),
                request.operation_name,
                field_resolver=self._resolve,
            )
        return SubgraphAnswer(result.formatted)

    async def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncIterator[SubgraphAnswer]:
        carried = dict(context.headers)
        if not carried.get("last-event-id", "0").isdecimal():
            raise SubgraphFailure("EVENT_CURSOR_INVALID", "not a number", is_sent=True, trips_breaker=False)
        results = subscribe(
            self._schema,
            parse(request.document),
            self._root,
            carried,
            dict(request.variables),
            request.operation_name,
            field_resolver=self._resolve,
            subscribe_field_resolver=lambda root, info, **arguments: getattr(root, info.field_name)(info, **arguments),
        )
        if isawaitable(results):
            results = await results
        assert not hasattr(results, "errors"), results
        try:
            async for result in results:
                yield SubgraphAnswer({**result.formatted, "extensions": {"concord": {"cursor": carried["cursor"]}}})
        finally:
            await results.aclose()

    async def aclose(self) -> None:
        """Nothing is held."""
