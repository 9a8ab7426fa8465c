"""Two subgraphs such as a newcomer has, written with strawberry: `python own_subgraphs.py accounts 5001`, or its SDL alone."""

from __future__ import annotations

import sys

import strawberry
import uvicorn
from strawberry.asgi import GraphQL


@strawberry.federation.type(keys=["id"])
class User:
    id: strawberry.ID
    name: str

    @classmethod
    def resolve_reference(cls, id: strawberry.ID) -> User:  # noqa: A002 - the key
        return cls(id=id, name=f"User {id}")


@strawberry.type(name="Query")
class Accounts:
    @strawberry.field
    def me(self) -> User:
        return User(id=strawberry.ID("1"), name="User 1")


@strawberry.type
class Review:
    body: str


@strawberry.federation.type(name="User", keys=["id"])
class Reviewer:
    id: strawberry.ID

    @strawberry.field
    def reviews(self) -> list[Review]:
        return [Review(body=f"By {self.id}")]

    @classmethod
    def resolve_reference(cls, id: strawberry.ID) -> Reviewer:  # noqa: A002 - the key
        return cls(id=id)


@strawberry.type(name="Query")
class Reviews:
    @strawberry.field
    def review_count(self) -> int:
        return 1


SCHEMAS = {
    "accounts": strawberry.federation.Schema(query=Accounts, types=[User]),
    "reviews": strawberry.federation.Schema(query=Reviews, types=[Reviewer]),
}

if __name__ == "__main__":
    _, name, *port = sys.argv
    if port:
        uvicorn.run(GraphQL(SCHEMAS[name]), host="127.0.0.1", port=int(port[0]), log_level="warning")
    else:
        sys.stdout.write(SCHEMAS[name].as_str() + "\n")
