"""The composed graph as data: parsed from its SDL, with the API schema that clients see."""

from gateway.federation.supergraph.access_control import access_directives
from gateway.federation.supergraph.api_schema import api_document, build_api_schema
from gateway.federation.supergraph.field_set import FieldSet, join_field_sets, parse_field_set, print_selections
from gateway.federation.supergraph.links import Links
from gateway.federation.supergraph.model import (
    ContextArgument,
    Key,
    SubgraphField,
    SubgraphInfo,
    SubgraphType,
    Supergraph,
    TypeKind,
    TypeReference,
)
from gateway.federation.supergraph.parse import parse_supergraph, read_supergraph
from gateway.federation.supergraph.selection import Conditions, Directives, FieldSelection, FragmentSelection, Selection

__all__ = [
    "Conditions",
    "ContextArgument",
    "Directives",
    "FieldSelection",
    "FieldSet",
    "FragmentSelection",
    "Key",
    "Links",
    "Selection",
    "SubgraphField",
    "SubgraphInfo",
    "SubgraphType",
    "Supergraph",
    "TypeKind",
    "TypeReference",
    "access_directives",
    "api_document",
    "build_api_schema",
    "join_field_sets",
    "parse_field_set",
    "parse_supergraph",
    "print_selections",
    "read_supergraph",
]
