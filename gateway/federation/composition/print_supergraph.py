"""Prints a supergraph in Apollo's form: the schema definition, then directives and types by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import assert_never

from graphql import DirectiveDefinitionNode, TypeDefinitionNode, parse, print_ast
from graphql.language.block_string import print_block_string

from gateway.federation.composition.model.element import (
    Directive,
    DirectiveDefinition,
    Element,
    EnumType,
    Field,
    InputType,
    InputValue,
    InterfaceType,
    NamedType,
    ObjectType,
    ScalarType,
    SchemaElement,
    UnionType,
)
from gateway.federation.composition.model.supergraph import SupergraphDraft
from gateway.federation.composition.model.value import same_text


def print_supergraph(draft: SupergraphDraft) -> str:
    """The supergraph's SDL; equal subgraphs give equal text."""
    directives = {name: _definition(definition) for name, definition in draft.definitions.items()}
    types = {name: _type(element) for name, element in draft.types.items()}
    for name, is_directive, text in _printed_specifications(draft.specifications):
        (directives if is_directive else types)[name] = text
    types["join__Graph"] = _type(draft.graph_enum)
    blocks = [_schema(draft.schema)]
    blocks.extend(directives[name] for name in sorted(directives))
    blocks.extend(types[name] for name in sorted(types))
    return "\n\n".join(blocks) + "\n"


@lru_cache(maxsize=64)
def _printed_specifications(sdl: str) -> tuple[tuple[str, bool, str], ...]:
    """Name, whether it is a directive, and text of each definition."""
    return tuple(
        (node.name.value, isinstance(node, DirectiveDefinitionNode), print_ast(node))
        for node in parse(sdl, no_location=True).definitions
        if isinstance(node, DirectiveDefinitionNode | TypeDefinitionNode)
    )


def _schema(schema: SchemaElement) -> str:
    roots = "".join(f"\n  {kind}: {name}" for kind, name in schema.roots.items())
    return f"{_description(schema)}schema{_stacked(schema.directives)}{{{roots}\n}}"


def _stacked(directives: Iterable[Directive]) -> str:
    lines = "".join(f"\n  {_applied(applied)}" for applied in directives)
    return f"{lines}\n" if lines else " "


def _type(element: NamedType) -> str:
    head = _description(element)
    match element:
        case ObjectType() | InterfaceType():
            keyword = "type" if isinstance(element, ObjectType) else "interface"
            implements = f" implements {' & '.join(element.interfaces)}" if element.interfaces else ""
            body = _block(_field(field) for field in element.fields.values())
            return f"{head}{keyword} {element.name}{implements}{_stacked(element.directives)}{body}"
        case InputType():
            body = _block(_input_value(field, "  ") for field in element.fields.values())
            return f"{head}input {element.name}{_stacked(element.directives)}{body}"
        case EnumType():
            body = _block(
                f"{_description(value, '  ')}  {value.name}{_inline(value.directives)}"
                for value in element.values.values()
            )
            return f"{head}enum {element.name}{_stacked(element.directives)}{body}"
        case UnionType():
            return f"{head}union {element.name}{_stacked(element.directives)}= {' | '.join(element.members)}"
        case ScalarType():
            return f"{head}scalar {element.name}{_stacked(element.directives)}".rstrip()
        case _:
            assert_never(element)


def _block(lines: Iterable[str]) -> str:
    return "{\n" + "\n".join(lines) + "\n}"


def _field(field: Field) -> str:
    return f"{_description(field, '  ')}  {field.name}{_arguments(field.arguments.values(), '  ')}: {field.type}{_inline(field.directives)}"


def _arguments(arguments: Iterable[InputValue], indent: str) -> str:
    given = tuple(arguments)
    if not given:
        return ""
    if any(argument.description for argument in given):
        lines = "\n".join(_input_value(argument, f"{indent}  ") for argument in given)
        return f"(\n{lines}\n{indent})"
    return f"({', '.join(_input_value(argument, '') for argument in given)})"


def _input_value(value: InputValue, indent: str) -> str:
    default = f" = {same_text(value.default)}" if value.default is not None else ""
    return f"{_description(value, indent)}{indent}{value.name}: {value.type}{default}{_inline(value.directives)}"


def _definition(definition: DirectiveDefinition) -> str:
    repeatable = " repeatable" if definition.is_repeatable else ""
    arguments = _arguments(definition.arguments.values(), "")
    return f"{_description(definition)}directive @{definition.name}{arguments}{repeatable} on {' | '.join(definition.locations)}"


def _inline(directives: Iterable[Directive]) -> str:
    return "".join(f" {text}" for text in _all_applied(directives))


def _all_applied(directives: Iterable[Directive]) -> Iterator[str]:
    for applied in directives:
        yield _applied(applied)


def _applied(applied: Directive) -> str:
    return str(applied)


def _description(element: Element, indent: str = "") -> str:
    if element.description is None:
        return ""
    block = print_block_string(element.description)
    return "".join(f"{indent}{line}\n" if line else "\n" for line in block.split("\n"))
