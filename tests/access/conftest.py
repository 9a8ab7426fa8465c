"""Issuers, tokens and doors for the tests of access."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
from joserfc.jwk import ECKey, RSAKey
from key_server import KeyServer, listening

RSA = RSAKey.generate_key(2048)


@asynccontextmanager
async def running_issuer():
    served = KeyServer()
    served.add("first", ECKey.generate_key("P-256"))
    served.add("second", RSA)
    async with listening(served) as url:
        served.url = f"{url}/keys"
        yield served


@pytest.fixture
async def issuer():
    """An issuer with an elliptic key `first` and an RSA key `second`, to be changed at will."""
    async with running_issuer() as served:
        yield served


@pytest.fixture(scope="session")
async def shared_issuer():
    """The same for tests that change nothing about it."""
    async with running_issuer() as served:
        yield served
