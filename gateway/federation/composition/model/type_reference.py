"""A reference to a type with its list and non-null wrappers, compared by value: `[ID!]!`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from graphql import ListTypeNode, NamedTypeNode, NonNullTypeNode, TypeNode


@dataclass(frozen=True, slots=True)
class Named:
    """`User`."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[…]`."""

    of: TypeReference

    def __str__(self) -> str:
        return f"[{self.of}]"


@dataclass(frozen=True, slots=True)
class NonNull:
    """`…!`."""

    of: Named | ListOf

    def __str__(self) -> str:
        return f"{self.of}!"


TypeReference = Named | ListOf | NonNull


def from_type_node(node: TypeNode) -> TypeReference:
    """The reference that an SDL type node writes."""
    match node:
        case NonNullTypeNode():
            inner = from_type_node(node.type)
            return inner if isinstance(inner, NonNull) else NonNull(inner)
        case ListTypeNode():
            return ListOf(from_type_node(node.type))
        case NamedTypeNode():
            return Named(node.name.value)
        case _:
            raise TypeError(f"not a type node: {node.kind}")


def named_type(reference: TypeReference) -> str:
    """The type's name without its wrappers."""
    match reference:
        case Named(name):
            return name
        case ListOf(of) | NonNull(of):
            return named_type(of)
        case _:
            assert_never(reference)


def nullable(reference: TypeReference) -> Named | ListOf:
    """The reference without its outermost `!`."""
    return reference.of if isinstance(reference, NonNull) else reference


def is_list(reference: TypeReference) -> bool:
    """Is it `[…]` or `[…]!`?"""
    return isinstance(nullable(reference), ListOf)


def rename(reference: TypeReference, names: dict[str, str]) -> TypeReference:
    """The reference with its named type renamed where `names` says so."""
    match reference:
        case Named(name):
            return Named(names.get(name, name))
        case ListOf(of):
            return ListOf(rename(of, names))
        case NonNull(of):
            inner = rename(of, names)
            return inner if isinstance(inner, NonNull) else NonNull(inner)
        case _:
            assert_never(reference)
