"""The operations that ship are checked and published by one command each, and a gateway takes no others."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


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
    assert "broken.graphql: GRAPHQL_PARSE_FAILED Syntax Error" in wrong.stderr


def test_a_manifest_that_is_not_what_the_documents_make_is_found(config, tmp_path):
    text = config.read_text()
    stale = tmp_path / "support.json"
    stale.write_text((ROOT / "schema/documents/portal.json").read_text())
    config.write_text(text.replace("schema/documents/support.json", str(stale)))

    def run(*arguments):
        command = [sys.executable, "-m", "gateway.cli.main", "documents", *arguments, "--config", str(config)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)

    checked = run("check")
    assert checked.returncode == 1
    assert f"{stale}: the manifest is not what these documents make" in checked.stderr.replace("\n", "")
    (tmp_path / "manifest.json").write_text("{}")
    config.write_text(
        config.read_text()
        .replace('"schema/documents/', f'"{tmp_path}/')
        .replace(f'= "{tmp_path}"', '= "schema/documents"')
    )
    published = run("publish")
    assert published.returncode == 0, published.stderr
    assert stale.read_text() == (ROOT / "schema/documents/support.json").read_text()
    assert run("check").returncode == 0
