"""Merges everything."""

from __future__ import annotations

from typing import assert_never

from gateway.federation.composition.merge.applications import merge_applications
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.definitions import merge_definitions
from gateway.federation.composition.merge.descriptions import merge_descriptions
from gateway.federation.composition.merge.enums import enum_usages, merge_enum
from gateway.federation.composition.merge.inputs import merge_input
from gateway.federation.composition.merge.interfaces import add_interface_object_fields, merge_interface
from gateway.federation.composition.merge.objects import merge_object
from gateway.federation.composition.merge.scalars import merge_scalar
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.merge.specifications import JOIN, carried_definitions, supergraph_links
from gateway.federation.composition.merge.unions import merge_union
from gateway.federation.composition.model.element import Kind, NamedType, SchemaElement
from gateway.federation.composition.model.supergraph import SupergraphDraft


def merge_supergraph(merge: Merge) -> SupergraphDraft:
    """The supergraph, as far as the subgraphs allow: where rules find errors, parts of it are arbitrary."""
    usages = merge.once(enum_usages)
    enums = dict(merge.enums())
    types: dict[str, NamedType] = {}
    for name, kind in merge.outline.kinds.items():
        match kind:
            case Kind.OBJECT:
                merged = merge_object(merge, name)
                if merged is not None:
                    types[name] = merged
            case Kind.INTERFACE:
                types[name] = merge_interface(merge, name)
            case Kind.UNION:
                types[name] = merge_union(merge, name)
            case Kind.ENUM:
                types[name] = merge_enum(merge, name, enums[name], usages.get(name))
            case Kind.INPUT:
                types[name] = merge_input(merge, name)
            case Kind.SCALAR:
                types[name] = merge_scalar(merge, name)
            case _:
                assert_never(kind)
    schemas = Sources({index: subgraph.schema for index, subgraph in enumerate(merge.subgraphs)})
    outline = merge.outline
    return SupergraphDraft(
        types=add_interface_object_fields(merge, types),
        definitions=merge_definitions(merge),
        schema=SchemaElement(
            name="schema",
            description=merge_descriptions(schemas),
            directives=(*supergraph_links(merge), *merge_applications(merge, schemas)),
            roots=outline.roots,
        ),
        graphs=tuple(
            (graph, subgraph.name, subgraph.url)
            for graph, subgraph in zip(outline.graph_names, outline.subgraphs, strict=True)
        ),
        carried={item.specification.name: item.name for item in merge.carried.directives},
        specifications="\n\n".join((JOIN, *carried_definitions(merge))),
    )
