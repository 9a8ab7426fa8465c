"""The README promises only what runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def shape(value: Any) -> Any:
    """The keys and kinds of an answer, without its values."""
    match value:
        case dict():
            return {key: shape(each) for key, each in value.items()}
        case list():
            return [shape(value[0])] if value else []
        case _:
            return type(value).__name__


def test_the_first_query_gets_an_answer_of_the_shape_shown(product):
    answer = product.ask(blocks("graphql")[0])
    assert shape(answer) == shape(json.loads(blocks("json")[0]))


def test_every_link_leads_to_a_file():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert len(links) > 20
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("path", sorted((ROOT / "schema/documents").glob("*.graphql")), ids=lambda path: path.stem)
def test_every_shipped_operation_is_planned(product, path):
    printed = product.run("plan", str(path))
    assert printed.returncode == 0, printed.stderr
    assert printed.stdout.startswith(("sequence", "fetch", "parallel", "subscription"))


def test_every_make_target_in_the_readme_exists():
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^make (\w+)", README, re.MULTILINE)
    assert targets[:2] == ["up", "test"]
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
