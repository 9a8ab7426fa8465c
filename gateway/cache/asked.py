"""What a fetch's document asks of entities, found out once per document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_interface_type,
    is_object_type,
    print_ast,
)

from gateway.execution.merge import read_selection
from gateway.federation.supergraph import FieldSelection, Key, Supergraph


@dataclass(frozen=True, slots=True)
class AskedInput:
    """One `_entities` field of a document."""

    response_name: str
    variable: str
    """Where its representations are."""
    digest: bytes
    """Of all that is selected, names and arguments."""
    inner_types: tuple[str, ...]
    """Entity types further inside, so that a change of one of those changes what is told here."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownEntities:
    """What a supergraph knows of entities."""

    schema: GraphQLSchema
    key_fields: Mapping[str, frozenset[str]]
    """Entity type → plain fields of its keys, in any subgraph: `{"Contract": {"id", "number"}}`."""
    possible_types: Mapping[str, frozenset[str]]


def known_entities(supergraph: Supergraph) -> KnownEntities:
    """Return what a supergraph knows of entities."""
    key_fields: dict[str, set[str]] = {}
    for subgraph in supergraph.subgraphs.values():
        for name, declared in subgraph.types.items():
            for key in declared.keys:
                key_fields.setdefault(name, set()).update(plain_fields(key))
    return KnownEntities(
        supergraph.schema, {name: frozenset(fields) for name, fields in key_fields.items()}, supergraph.possible_types
    )


def plain_fields(key: Key) -> frozenset[str]:
    """Return the fields of a key that have no selection: an entity is found by each of them alone, with a few others."""
    return frozenset(
        each.name for each in key.fields.selections if isinstance(each, FieldSelection) and not each.selections
    )


def asked_inputs(document: str, known: KnownEntities) -> tuple[AskedInput, ...]:
    """Return the `_entities` fields of a fetch; none where it holds anything else, which is then not looked into."""
    selection, fragments = read_selection(document)
    inputs = []
    below = "".join(sorted(map(print_ast, fragments.values())))
    for node in selection.selections:
        match node:
            case FieldNode(name=name, arguments=(argument,), selection_set=SelectionSetNode() as inner) if (
                name.value == "_entities" and isinstance(argument.value, VariableNode)
            ):
                text = print_ast(inner) + below
                types = sorted(set(_inner_types(inner, fragments, None, known, is_top=True)))
                digest = blake2b(text.encode(), digest_size=16).digest()
                response_name = (node.alias or name).value
                inputs.append(AskedInput(response_name, argument.value.name.value, digest, tuple(types)))
            case _:
                return ()
    return tuple(inputs)


def mentioned_types(document: str, root: str, known: KnownEntities) -> frozenset[str]:
    """Return the entity types that the answer to an operation may hold."""
    selection, fragments = read_selection(document)
    return frozenset(_inner_types(selection, fragments, known.schema.type_map.get(root), known, is_top=False))


def _inner_types(
    selection: SelectionSetNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    parent: GraphQLNamedType | None,
    known: KnownEntities,
    *,
    is_top: bool,
) -> Iterator[str]:
    """Yield the entity types of fields; at the top of `_entities`, types of fragments are what is entered itself."""
    for node in selection.selections:
        match node:
            case FieldNode(selection_set=SelectionSetNode() as inner):
                field = parent.fields.get(node.name.value) if is_composite(parent) else None  # type: ignore[union-attr]  # as just asked
                of = get_named_type(field.type) if field is not None else None
                if of is not None:
                    yield from _entities_of(of.name, known)
                yield from _inner_types(inner, fragments, of, known, is_top=False)
            case InlineFragmentNode() | FragmentSpreadNode():
                body = fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
                condition = body.type_condition
                of = known.schema.type_map.get(condition.name.value) if condition is not None else parent
                if not is_top and condition is not None:
                    yield from _entities_of(condition.name.value, known)
                yield from _inner_types(body.selection_set, fragments, of, known, is_top=is_top)
            case _:
                pass


def is_composite(parent: GraphQLNamedType | None) -> bool:
    """Tell whether a type has fields."""
    return is_object_type(parent) or is_interface_type(parent)


def _entities_of(name: str, known: KnownEntities) -> Iterator[str]:
    for each in (name, *known.possible_types.get(name, ())):
        if each in known.key_fields:
            yield each
