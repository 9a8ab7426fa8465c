"""Field sets, the argument of `@key`, `@requires` and `@provides`: `id organization { id }`.

https://www.apollographql.com/docs/graphos/reference/federation/directives
"""

from __future__ import annotations

from dataclasses import dataclass

from graphql import GraphQLSyntaxError, parse
from graphql.language import ast

from gateway.federation.supergraph.selection import FieldSelection, Selection, SelectionReader


@dataclass(frozen=True, slots=True)
class FieldSet:
    """A parsed field set; two are equal when their canonical texts are."""

    text: str
    """Canonical: `id organization{id}`."""
    selections: tuple[Selection, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FieldSet) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


def parse_field_set(text: str) -> FieldSet:
    """Parse a field set, with or without braces around it.

    Raises GraphQLSyntaxError where the text is not a selection set, ValueError where it is something else as well.
    """
    try:
        document = parse(f"{{{text}}}", no_location=True)
    except GraphQLSyntaxError:
        document = parse(text, no_location=True)
    definition = document.definitions[0]
    if not isinstance(definition, ast.OperationDefinitionNode):
        raise ValueError(f"`{text}` is no field set")  # noqa: TRY004 - what a text says, no type
    try:
        selections = SelectionReader().read(definition.selection_set)
    except KeyError as error:
        raise ValueError(f"the field set `{text}` spreads a fragment, which there is none of") from error
    return FieldSet(print_selections(selections), selections)


def join_field_sets(*parts: FieldSet) -> FieldSet:
    """Return one field set that asks for all the parts."""
    if len(parts) == 1:
        return parts[0]
    selections = tuple(selection for part in parts for selection in part.selections)
    return FieldSet(" ".join(part.text for part in parts), selections)


def print_selections(selections: tuple[Selection, ...]) -> str:
    """Print selections compactly: `id organization{id ...on Team{name}}`."""
    return " ".join(_print_selection(selection) for selection in selections)


def _print_selection(selection: Selection) -> str:
    inner = f"{{{print_selections(selection.selections)}}}" if selection.selections else ""
    if isinstance(selection, FieldSelection):
        alias = "" if selection.response_name == selection.name else f"{selection.response_name}:"
        return f"{alias}{selection.signature}{inner}"
    condition = f"on {selection.type_condition}" if selection.type_condition else ""
    return f"...{condition}{inner}"
