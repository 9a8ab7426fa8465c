"""Supergraphs of every join version are read; clients see the API schema only."""

from __future__ import annotations

import pytest
from graphql import GraphQLSyntaxError, get_introspection_query, graphql_sync, print_schema

from gateway.errors import RequestRefused
from gateway.federation.composition import SubgraphSource, compose
from gateway.federation.operation import prepare
from gateway.federation.plan import print_plan
from gateway.federation.planner import Planner
from gateway.federation.supergraph import parse_supergraph

_GRAPHS = 'enum join__Graph { P @join__graph(name: "products" url: "http://p") R @join__graph(name: "reviews" url: "http://r") }'

JOIN_0_1 = f"""
schema @core(feature: "https://specs.apollo.dev/core/v0.1") @core(feature: "https://specs.apollo.dev/join/v0.1") {{ query: Query }}
directive @core(feature: String!) repeatable on SCHEMA
directive @join__field(graph: join__Graph, requires: join__FieldSet, provides: join__FieldSet) on FIELD_DEFINITION
directive @join__type(graph: join__Graph!, key: join__FieldSet) repeatable on OBJECT | INTERFACE
directive @join__owner(graph: join__Graph!) on OBJECT | INTERFACE
directive @join__graph(name: String!, url: String!) on ENUM_VALUE
scalar join__FieldSet
{_GRAPHS}
type Query {{ top: [Product] @join__field(graph: P) }}
type Product @join__owner(graph: P) @join__type(graph: P, key: "upc") @join__type(graph: R, key: "{{upc}}") {{
  upc: String! @join__field(graph: P)
  name: String @join__field(graph: P)
  reviews: [Review] @join__field(graph: R)
}}
type Review {{ body: String product: Product }}
"""

JOIN_0_2 = f"""
schema @link(url: "https://specs.apollo.dev/link/v1.0") @link(url: "https://specs.apollo.dev/join/v0.2", for: EXECUTION) {{ query: Query }}
scalar join__FieldSet
{_GRAPHS}
type Query @join__type(graph: P) @join__type(graph: R) {{ top: [Product] @join__field(graph: P) }}
type Product @join__type(graph: P, key: "upc") @join__type(graph: R, key: "upc", extension: true) {{
  upc: String!
  name: String @join__field(graph: P)
  reviews: [Review] @join__field(graph: R)
}}
type Review @join__type(graph: R) {{ body: String product: Product }}
"""


@pytest.mark.parametrize("sdl", [JOIN_0_1, JOIN_0_2], ids=["v0.1", "v0.2"])
def test_older_join_specifications(sdl: str) -> None:
    supergraph = parse_supergraph(sdl)
    plan = Planner(supergraph).plan(
        prepare(supergraph.api_schema, "{ top { name reviews { body product { name } } } }")
    )
    assert print_plan(plan) == (
        """\
sequence
  fetch products
    {
      top {
        name
        upc
        __typename
      }
    }
  enter reviews
    $representations: top.@ as Product { __typename upc }
    query ($representations: [_Any!]!) {
      _entities(representations: $representations) {
        ... on Product {
          reviews {
            body
            product {
              upc
              __typename
            }
          }
        }
      }
    }
  enter products
    $representations: top.@.reviews.@.product as Product { __typename upc }
    query ($representations: [_Any!]!) {
      _entities(representations: $representations) {
        ... on Product {
          name
        }
      }
    }
"""
    )


def test_the_api_schema_shows_no_machinery() -> None:
    supergraph = parse_supergraph(
        """
        schema
          @link(url: "https://specs.apollo.dev/link/v1.0")
          @link(url: "https://specs.apollo.dev/join/v0.5", for: EXECUTION)
          @link(url: "https://specs.apollo.dev/inaccessible/v0.2", as: "hidden", for: SECURITY)
          @link(url: "https://specs.apollo.dev/tag/v0.3", import: [{name: "@tag", as: "@label"}])
          @link(url: "https://example.com/audit/v1.0", import: ["@audited"])
        { query: Query }
        directive @audited(by: String) on FIELD_DEFINITION
        directive @live on QUERY
        directive @label(name: String!) repeatable on OBJECT
        directive @hidden on FIELD_DEFINITION | OBJECT | ARGUMENT_DEFINITION | ENUM_VALUE | INPUT_FIELD_DEFINITION
        scalar join__FieldSet
        enum join__Graph { A @join__graph(name: "a", url: "http://a") }
        type Query @join__type(graph: A) @label(name: "x") {
          item(id: ID!, secret: Int @hidden, filter: Filter, kind: Kind): Thing @audited(by: "me")
          hidden: Hidden
          internal: String @hidden
        }
        union Thing @join__type(graph: A) = Item | Hidden
        type Item implements Node @join__type(graph: A) { id: ID! old: Int @deprecated(reason: "gone") }
        type Hidden implements Node @join__type(graph: A) @hidden { id: ID! }
        interface Node @join__type(graph: A) { id: ID! }
        input Filter @join__type(graph: A) { a: Int b: Int @hidden }
        enum Kind @join__type(graph: A) { X Y @hidden }
        """
    )
    assert print_schema(supergraph.api_schema) == (
        """\
directive @audited(by: String) on FIELD_DEFINITION

directive @live on QUERY

type Query {
  item(id: ID!, filter: Filter, kind: Kind): Thing
}

union Thing = Item

type Item implements Node {
  id: ID!
  old: Int @deprecated(reason: "gone")
}

interface Node {
  id: ID!
}

input Filter {
  a: Int
}

enum Kind {
  X
}"""
    )


def test_types_that_are_called_as_directives_are_not_machinery() -> None:
    supergraph = parse_supergraph(
        """
        schema
          @link(url: "https://specs.apollo.dev/link/v1.0")
          @link(url: "https://specs.apollo.dev/join/v0.5", for: EXECUTION)
          @link(url: "https://specs.apollo.dev/tag/v0.3", import: [{name: "@tag", as: "@label"}])
        { query: Query }
        directive @label(name: String!) repeatable on OBJECT
        scalar join__FieldSet
        enum join__Graph { A @join__graph(name: "a", url: "http://a") }
        type Query @join__type(graph: A) { link: link tag: tag label: label }
        type link @join__type(graph: A) @label(name: "x") { to: String }
        type tag @join__type(graph: A) { name: String }
        type label @join__type(graph: A) { text: String }
        """
    )
    assert set(supergraph.api_schema.type_map) >= {"link", "tag", "label"}
    plan = Planner(supergraph).plan(prepare(supergraph.api_schema, "{ link { to } tag { name } label { text } }"))
    assert print_plan(plan).startswith("fetch a")


def test_no_client_is_offered_incremental_delivery() -> None:
    sdl = "directive @defer(label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT type Query { a: Int }"
    composed = compose([SubgraphSource("a", "http://a", sdl), SubgraphSource("b", "http://b", sdl.replace("a:", "b:"))])
    assert composed.supergraph_sdl is not None, composed.errors
    supergraph = parse_supergraph(composed.supergraph_sdl)
    assert graphql_sync(supergraph.api_schema, get_introspection_query()).errors is None
    with pytest.raises(RequestRefused) as refused:
        prepare(supergraph.api_schema, "{ ... @defer { a } }")
    assert [each.message for each in refused.value.errors] == ["Unknown directive '@defer'."]


def test_what_is_no_supergraph_is_refused() -> None:
    with pytest.raises(ValueError, match="no enum join__Graph; compose the subgraphs first"):
        parse_supergraph("type Query { a: Int }")
    with pytest.raises(GraphQLSyntaxError):
        parse_supergraph("type Query {")
