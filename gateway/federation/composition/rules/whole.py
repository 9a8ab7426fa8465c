"""What rules about the supergraph look at: the merged elements, and the subgraphs they come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from graphql import DocumentNode

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.model.element import (
    Element,
    EnumType,
    Field,
    InputType,
    InputValue,
    InterfaceType,
    NamedType,
    ObjectType,
)
from gateway.federation.composition.model.result import CompositionError, SourceLocation
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.model.supergraph import SupergraphDraft
from gateway.federation.composition.normalise.diagnose import locate
from gateway.federation.composition.print_supergraph import print_supergraph
from gateway.federation.composition.supergraph_document import supergraph_document


@dataclass(frozen=True, eq=False)
class Whole:
    """A supergraph without merge errors."""

    merge: Merge
    draft: SupergraphDraft

    @cached_property
    def sdl(self) -> str:
        """The supergraph as it would be published."""
        return print_supergraph(self.draft)

    @cached_property
    def document(self) -> DocumentNode:
        """The supergraph as a syntax tree."""
        return supergraph_document(self.draft)

    def is_inaccessible(self, element: Element) -> bool:
        """Is the element marked as hidden from clients?"""
        name = self.draft.carried.get("inaccessible")
        return name is not None and any(applied.name == name for applied in element.directives)

    def is_visible_type(self, name: str) -> bool:
        """Is the type part of the API schema?"""
        element = self.draft.types.get(name)
        return element is not None and not self.is_inaccessible(element)

    def visible_fields(self) -> Iterator[tuple[ObjectType | InterfaceType, Field]]:
        """The fields of the API schema."""
        for element in self.draft.types.values():
            if isinstance(element, ObjectType | InterfaceType) and not self.is_inaccessible(element):
                for field in element.fields.values():
                    if not self.is_inaccessible(field):
                        yield element, field

    def visible_inputs(self) -> Iterator[tuple[str, InputValue]]:
        """The arguments and input fields of the API schema, with their coordinates."""
        for parent, field in self.visible_fields():
            for argument in field.arguments.values():
                if not self.is_inaccessible(argument):
                    yield f"{parent.name}.{field.name}({argument.name}:)", argument
        for element in self.draft.types.values():
            if isinstance(element, InputType) and not self.is_inaccessible(element):
                for input_field in element.fields.values():
                    if not self.is_inaccessible(input_field):
                        yield f"{element.name}.{input_field.name}", input_field

    def error(self, code: str, message: str, *coordinates: str, mend: str | None = None) -> CompositionError:
        """An error about elements of the supergraph, located where subgraphs define them."""
        locations: list[SourceLocation] = []
        names: dict[str, None] = {}
        for coordinate in coordinates:
            for subgraph in self.merge.subgraphs:
                element = find_element(subgraph, coordinate)
                if element is not None:
                    names[subgraph.name] = None
                    locations.extend(locate(subgraph.name, element.node))
        return CompositionError(
            code=code,
            message=message,
            coordinate=coordinates[0] if coordinates else None,
            subgraphs=tuple(names),
            locations=tuple(locations),
            mend=mend,
        )


def find_element(subgraph: Subgraph, coordinate: str) -> Element | None:
    """A subgraph's element by schema coordinate: `User`, `User.name`, `User.friends(first:)`, `@tag(name:)`."""
    path, _, argument = coordinate.removesuffix(":)").partition("(")
    if path.startswith("@"):
        definition = subgraph.definitions.get(path[1:])
        return definition.arguments.get(argument) if definition is not None and argument else definition
    type_name, _, member = path.partition(".")
    element: NamedType | None = subgraph.types.get(type_name)
    if element is None or not member:
        return element
    match element:
        case ObjectType() | InterfaceType():
            field = element.fields.get(member)
            return field.arguments.get(argument) if field is not None and argument else field
        case InputType():
            return element.fields.get(member)
        case EnumType():
            return element.values.get(member)
        case _:
            return None
