"""The operations that ship are checked and published by one command each, and a gateway takes no others."""

from __future__ import annotations

import json


def test_documents_are_checked_and_published(product, tmp_path):
    checked = product.run("documents", "check")
    assert (checked.returncode, checked.stdout.endswith("documents fit the schema.\n")) == (0, True)
    published = product.run("documents", "publish", "--to", str(tmp_path / "manifest.json"))
    assert published.returncode == 0, published.stderr
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert "customer_view" in {entry["name"] for entry in manifest["documents"].values()}
    (tmp_path / "wrong.graphql").write_text("{ customerz { id } }")
    (tmp_path / "broken.graphql").write_text("{ ")
    wrong = product.run("documents", "check", str(tmp_path))
    assert wrong.returncode == 1
    assert "Cannot query field 'customerz'" in wrong.stderr
    assert "broken.graphql: Syntax Error" in wrong.stderr
