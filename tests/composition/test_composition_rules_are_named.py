"""Each rule is a file that opens with its error code, and stands in exactly one tuple."""

import ast
import importlib
from pathlib import Path

import pytest

from gateway.federation.composition import rules
from gateway.federation.composition.rules import (
    API_RULES,
    MERGE_RULES,
    NAME_RULES,
    SUBGRAPH_RULES,
    SUPERGRAPH_RULES,
)

FILES = [
    path
    for path in Path(rules.__path__[0]).glob("*.py")
    if any(isinstance(node, ast.FunctionDef) and node.name == "check" for node in ast.parse(path.read_text()).body)
]
ALL = (*SUBGRAPH_RULES, *NAME_RULES, *MERGE_RULES, *SUPERGRAPH_RULES, *API_RULES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_rule_opens_with_its_code(path: Path):
    module = importlib.import_module(f"{rules.__name__}.{path.stem}")
    code = (module.__doc__ or "").partition(":")[0]
    assert code.isupper()
    assert code.startswith(("KEY_", "REQUIRES_", "PROVIDES_")) or f'"{code}"' in path.read_text()
    assert ALL.count(module.check) == 1


def test_every_rule_is_listed():
    assert len(ALL) == len(FILES)
