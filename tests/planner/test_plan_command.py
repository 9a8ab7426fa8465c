"""`concord plan` prints every stage on the way to a plan, and draws the plan."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

AUDIT = Path(__file__).parents[1] / "conformance" / "audit"
QUERY = """
query Q($more: Boolean!) { products { ...P ...Q @include(if: $more) } }
fragment P on Product { inStock }
fragment Q on Product { reviews { author { name } } }
"""


@pytest.fixture(scope="module")
def supergraph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    suite = json.loads((AUDIT / "simple-requires-provides.json").read_text(encoding="utf-8"))
    path = tmp_path_factory.mktemp("graph") / "supergraph.graphql"
    path.write_text("\n".join(suite["supergraph"]), encoding="utf-8")
    return path


def concord_plan(supergraph: Path, query: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway.cli.main", "plan", "-", "--supergraph", str(supergraph), *options]
    return subprocess.run(command, input=query, capture_output=True, text=True, check=False, timeout=120)


def test_every_stage_is_printed(supergraph: Path) -> None:
    told = concord_plan(supergraph, QUERY, "--stages").stdout
    found = dict(part.split("\n", 1) for part in told.removeprefix("── ").split("\n── "))
    assert list(found) == [
        "operation",
        "paths",
        "query tree",
        "fetch graph",
        "after earliest_stages",
        "after merge_entries",
        "after settle_stages",
        "after order_steps",
        "plan",
    ]
    assert found["operation"] == (
        "query\n  products\n    ... on Product\n      inStock\n"
        "    ... on Product @include(if: $more)\n      reviews\n        author\n          name\n"
    )
    assert found["paths"] == (
        "products.inStock\n"
        "  * 2 requests, 2 in a row: products.Query.products ⇒(upc) inventory.Product.inStock\n"
        "products.reviews.author.name\n"
        "  * 3 requests, 3 in a row: products.Query.products ⇒(upc) reviews.Product.reviews.author "
        "⇒(id) accounts.User.name\n"
    )
    assert found["query tree"].startswith(
        "products.Query\n  products\n    => inventory.Product by (upc)\n      inStock\n"
    )
    assert found["after earliest_stages"] == (
        "#0 products at the root, stage 0\n   selects {products{upc __typename}}\n"
        "#1 inventory at products.@ as Product, stage 1, after #0\n   sends __typename upc\n   selects {inStock}\n"
        "#2 reviews at products.@ as Product, stage 1, after #0\n   sends __typename upc\n"
        "   selects {reviews@include(if:$more){author{id __typename}}}\n"
        "#3 accounts at products.@.reviews.@.author as User, stage 2, after #2\n   sends __typename id\n"
        "   selects {name}\n"
    )
    assert found["after merge_entries"] == found["after settle_stages"] == "as before\n"
    assert found["plan"].startswith("sequence\n  fetch products\n")


def test_the_plan_is_drawn(supergraph: Path, tmp_path: Path) -> None:
    picture = tmp_path / "plan.svg"
    assert concord_plan(supergraph, QUERY, "--draw", "--svg", str(picture)).stdout == (
        "digraph plan {\n"
        "  rankdir=LR;\n"
        '  node [shape=box, fontname="sans-serif"];\n'
        '  f0 [label="products\\nproducts"];\n'
        '  f1 [label="inventory\\nproducts.@\\n  inStock"];\n'
        '  f2 [label="reviews\\nproducts.@\\n  reviews\\nif $more"];\n'
        '  f3 [label="accounts\\nproducts.@.reviews.@.author\\n  name\\nif $more"];\n'
        "  f0 -> f1;\n"
        "  f0 -> f2;\n"
        "  f2 -> f3;\n"
        "}\n"
    )
    texts = [each.text for each in ET.parse(picture).iter("{http://www.w3.org/2000/svg}text")]
    assert texts[:2] == ["products", "products"]
    assert texts[-1] == "if $more"


def test_what_can_not_be_done_is_said(supergraph: Path, tmp_path: Path) -> None:
    both = concord_plan(supergraph, QUERY, "--draw", "--json")
    assert (both.returncode, "Choose one of" in both.stderr) == (2, True)
    nowhere = concord_plan(supergraph, QUERY, "--svg", str(tmp_path))
    assert (nowhere.returncode, "directory" in nowhere.stderr) == (2, True)
