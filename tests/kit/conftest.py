from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from kit_server import ScriptedVendor
from served_app import served


@pytest.fixture(scope="session")
async def scripted() -> AsyncIterator[tuple[str, ScriptedVendor]]:
    vendor = ScriptedVendor()
    async with served(vendor) as url:
        yield url, vendor


@pytest.fixture
def vendor(scripted: tuple[str, ScriptedVendor]) -> ScriptedVendor:
    """The scripted vendor with an empty script."""
    scripted[1].script.clear()
    scripted[1].asked.clear()
    return scripted[1]


@pytest.fixture
def vendor_url(scripted: tuple[str, ScriptedVendor]) -> str:
    return scripted[0]
