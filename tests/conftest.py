"""How tests are shared out where several processes run them: `make test` runs two."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before the names of groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a room's tests in one process: what they start (a product, an ERP, a browser) is started once."""
    for item in items:
        room = item.path.relative_to(HERE).parts[0]
        item.add_marker(pytest.mark.xdist_group(room))
