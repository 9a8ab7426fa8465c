"""What the planner promises beside right plans: bounded work, the same plan every time, plans people can read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.federation.composition import SubgraphSource, compose
from gateway.federation.operation import prepare
from gateway.federation.plan import plan_to_json, print_plan
from gateway.federation.planner import Planner
from gateway.federation.supergraph import Supergraph, parse_supergraph

_LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.11", import: ["@key", "@shareable", "@external", "@requires"])\n'


def supergraph(**subgraphs: str) -> Supergraph:
    composed = compose([SubgraphSource(name, f"http://{name}", _LINK + sdl) for name, sdl in subgraphs.items()])
    assert composed.supergraph_sdl is not None, composed.errors
    return parse_supergraph(composed.supergraph_sdl)


@pytest.fixture(scope="module")
def shop() -> Supergraph:
    return supergraph(
        products='type Query { top: [Product] } type Product @key(fields: "upc") { upc: ID! name: String price: Int }',
        reviews="""
            type Product @key(fields: "upc") { upc: ID! reviews: [Review] }
            type Review { body: String product: Product }
        """,
        stock="""
            type Product @key(fields: "upc") {
              upc: ID! inStock: Boolean price: Int @external shipping: Int @requires(fields: "price")
            }
        """,
    )


def plan_text(graph: Supergraph, text: str, **options: int) -> str:
    return print_plan(Planner(graph, **options).plan(prepare(graph.api_schema, text)))


def test_planning_past_the_budget_is_refused(shop: Supergraph) -> None:
    fragments = "".join(
        f"fragment F{i} on Product {{ a: reviews {{ product {{ ...F{i + 1} }} }} b: reviews {{ product {{ ...F{i + 1} }} }} }} "
        for i in range(16)
    )
    operation = prepare(shop.api_schema, f"{{ top {{ ...F0 }} }} {fragments} fragment F16 on Product {{ shipping }}")
    with pytest.raises(GatewayError) as refused:
        Planner(shop).plan(operation)
    assert refused.value.code == "PLAN_BUDGET_EXCEEDED"
    assert refused.value.extensions == {"limit": 15_000}


def test_what_was_refused_once_is_not_planned_wrongly_after() -> None:
    graph = supergraph(
        a='type Query { u: U } type U @key(fields: "id") { id: ID! }',
        b='type U @key(fields: "id") @key(fields: "k") { id: ID! k: ID! x: Int y: Int }',
        c='type U @key(fields: "k") { k: ID! name: String age: Int }',
    )
    operation = prepare(graph.api_schema, "{ u { x y name age } }")
    right = print_plan(Planner(graph).plan(operation))
    for budget in range(1, 40):
        planner = Planner(graph, budget=budget)
        for _ in range(4):
            try:
                assert print_plan(planner.plan(operation)) == right
            except GatewayError as refused:
                assert refused.code == "PLAN_BUDGET_EXCEEDED"


def test_fragments_that_double_cost_nothing(shop: Supergraph) -> None:
    fragments = "".join(f"fragment F{i} on Product {{ ...F{i + 1} ...F{i + 1} }} " for i in range(40))
    text = f"{{ top {{ ...F0 }} }} {fragments} fragment F40 on Product {{ name shipping }}"
    assert plan_text(shop, text, budget=200) == plan_text(shop, "{ top { name shipping } }")


def test_wide_operations_stay_within_the_budget(shop: Supergraph) -> None:
    fields = " ".join(f"a{i}: top {{ name inStock reviews {{ body product {{ shipping }} }} }}" for i in range(150))
    assert plan_text(shop, f"{{ {fields} }}").count("enter ") == 4


def test_plans_do_not_depend_on_hash_seeds(tmp_path: Path) -> None:
    script = tmp_path / "plan.py"
    script.write_text(
        "import json, sys\n"
        "from gateway.federation.operation import prepare\n"
        "from gateway.federation.plan import print_plan\n"
        "from gateway.federation.planner import Planner\n"
        "from gateway.federation.supergraph import parse_supergraph\n"
        "for path in sys.argv[1:]:\n"
        "    suite = json.load(open(path))\n"
        "    graph = parse_supergraph('\\n'.join(suite['supergraph']))\n"
        "    for test in suite['tests']:\n"
        "        print(print_plan(Planner(graph).plan(prepare(graph.api_schema, test['query']))))\n"
    )
    data = Path(__file__).parent.parent / "conformance" / "audit"
    suites = [str(data / f"{name}.json") for name in ("abstract-types", "union-intersection", "requires-interface")]
    texts = {
        subprocess.run(
            [sys.executable, script, *suites],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1


def test_a_planner_remembers_without_changing_its_mind(shop: Supergraph) -> None:
    planner = Planner(shop)
    texts = ["{ top { shipping } }", "{ top { name reviews { product { inStock } } } }"]
    operations = [prepare(shop.api_schema, text) for text in texts * 2]
    plans = [print_plan(planner.plan(operation)) for operation in operations]
    assert plans[:2] == plans[2:] == [plan_text(shop, text) for text in texts]


SHIPPING = {
    "reviews": """
        type Query { latest: Product }
        type Product @key(fields: "upc") { upc: ID! }
    """,
    "products": 'type Product @key(fields: "upc") { upc: ID! price: Int }',
    "stock": """
        type Product @key(fields: "upc") {
          upc: ID! inStock: Boolean price: Int @external shipping: Int @requires(fields: "price")
        }
    """,
}


def test_a_field_waits_for_a_request_to_its_subgraph_and_never_needs_what_it_waits_for() -> None:
    """`inStock` goes with `shipping`, which needs `products`; its own representation has nothing of theirs."""
    assert plan_text(supergraph(**SHIPPING), "{ latest { inStock shipping } }") == (
        "sequence\n"
        "  fetch reviews\n"
        "    {\n      latest {\n        upc\n        __typename\n      }\n    }\n"
        "  enter products\n"
        "    $representations: latest as Product { __typename upc }\n"
        "    query ($representations: [_Any!]!) {\n"
        "      _entities(representations: $representations) {\n"
        "        ... on Product {\n          price\n        }\n      }\n    }\n"
        "  enter stock\n"
        "    $r0: latest as Product { __typename upc }\n"
        "    $r1: latest as Product { __typename upc price }\n"
        "    query ($r0: [_Any!]!, $r1: [_Any!]!) {\n"
        "      _e0: _entities(representations: $r0) {\n"
        "        ... on Product {\n          inStock\n        }\n      }\n"
        "      _e1: _entities(representations: $r1) {\n"
        "        ... on Product {\n          shipping\n        }\n      }\n    }\n"
    )


def test_fields_under_different_conditions_share_a_request() -> None:
    """What is wanted under a condition is an input of its own, with nothing sent where it does not hold."""
    operation = "query($yes: Boolean!) { latest { inStock @include(if: $yes) shipping } }"
    inputs = [
        line for line in plan_text(supergraph(**SHIPPING), operation).splitlines() if "$r" in line and " as " in line
    ]
    assert inputs == [
        "    $representations: latest as Product { __typename upc }",
        "    $r0: latest as Product { __typename upc } if $yes",
        "    $r1: latest as Product { __typename upc price }",
    ]


def test_nothing_waits_where_that_would_add_a_stage() -> None:
    """Only the last stage's request can be shared without a longer chain, so `inStock` alone goes out at once."""
    lines = plan_text(supergraph(**SHIPPING), "{ latest { inStock price } }").splitlines()
    assert [line for line in lines if line.strip().startswith(("sequence", "parallel", "fetch", "enter"))] == [
        "sequence",
        "  fetch reviews",
        "  parallel",
        "    enter stock",
        "    enter products",
    ]


def test_plans_as_json(shop: Supergraph) -> None:
    plan = Planner(shop).plan(prepare(shop.api_schema, "query($yes: Boolean!) { top { inStock @include(if: $yes) } }"))
    assert json.loads(json.dumps(plan_to_json(plan))) == {
        "kind": "QueryPlan",
        "operation": "query",
        "root": {
            "kind": "Sequence",
            "nodes": [
                {
                    "kind": "RootFetch",
                    "id": 0,
                    "subgraph": "products",
                    "document": "query($yes:Boolean!){top{upc@include(if:$yes)__typename}}",
                    "variables": ["yes"],
                    "rootFields": ["top"],
                    "outputRewrites": [],
                },
                {
                    "kind": "Condition",
                    "variable": "yes",
                    "ifTrue": {
                        "kind": "EntityFetch",
                        "id": 1,
                        "subgraph": "stock",
                        "document": (
                            "query($representations:[_Any!]!)"
                            "{_entities(representations:$representations){...on Product{inStock}}}"
                        ),
                        "variables": [],
                        "inputs": [
                            {
                                "variable": "representations",
                                "responseName": "_entities",
                                "typeCondition": "Product",
                                "paths": ["top.@"],
                                "representation": [
                                    {"name": name, "source": name, "nullable": False, "selection": []}
                                    for name in ("__typename", "upc")
                                ],
                                "fields": ["inStock"],
                                "inputRewrites": [],
                                "outputRewrites": [],
                                "contextArguments": {},
                                "needs": [[0]],
                                "conditions": {},
                                "isRoot": False,
                            }
                        ],
                    },
                    "ifFalse": None,
                },
            ],
        },
    }


def test_a_mutation_field_named_twice_runs_once() -> None:
    graph = supergraph(
        a='type Query { n: Int } type Mutation { make: Item } type Item @key(fields: "id") { id: ID! }',
        b='type Item @key(fields: "id") { id: ID! price: Int }',
    )
    text = "mutation($x: Boolean!, $y: Boolean!) { make @include(if: $x) { price } make @include(if: $y) { id price } }"
    assert plan_text(graph, text).count("fetch a") == 1


def test_an_operation_that_no_subgraph_can_answer_is_refused_by_name() -> None:
    """Such supergraphs exist: not every composition proves that all can be reached."""
    suite = json.loads(
        (Path(__file__).parents[1] / "conformance" / "audit" / "non-resolvable-interface-object.json").read_text()
    )
    graph = parse_supergraph("\n".join(suite["supergraph"]))
    with pytest.raises(GatewayError) as refused:
        Planner(graph).plan(prepare(graph.api_schema, "{ a { field } }"))
    assert (refused.value.code, refused.value.extensions) == ("OPERATION_NOT_SATISFIABLE", {"coordinate": "Query.a"})
