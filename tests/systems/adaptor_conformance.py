"""What every adaptor owes the kit, whatever system is behind it: one check for all of them.

    await check_reads(adaptor, known=["9100001", "9100002"], absent=["77"])

`known` are ids that exist, at least two; `absent` ids that look like the vendor's and name nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from subgraphs.kit.adaptor import Adaptor, BatchMode
from subgraphs.kit.current_request import CurrentRequest, serving
from subgraphs.kit.record_loader import record_loader
from subgraphs.kit.system_error import FieldError
from subgraphs.kit.vendor_client import monotonic_deadline


async def check_reads(adaptor: Adaptor[Any], *, known: Sequence[str], absent: Sequence[str]) -> None:
    """Hold an adaptor to the port: keyed by id, absent left out, batched as declared, within the deadline."""
    capabilities = adaptor.capabilities
    assert len(known) >= 2
    assert capabilities.max_ids_per_call >= 1

    with serving(CurrentRequest()) as request:
        assert dict(await adaptor.read([])) == {}
        assert not request.vendor_requests, "reading nothing asks nothing"

    part = [*known[: capabilities.max_ids_per_call - len(absent)], *absent]
    with serving(CurrentRequest()) as request:
        found = await adaptor.read(part)
        if capabilities.batch_mode is not BatchMode.NONE:
            assert request.vendor_requests.total() <= 1, "one call is one request"
    assert set(found) == set(part) - set(absent), "absent is absent, and nothing else is"
    assert all(record.id == key for key, record in found.items()), "records are keyed by their own id"
    assert dict(await adaptor.read(list(reversed(part)))) == dict(found), "the order of ids does not matter"
    assert dict(await adaptor.read([known[0], known[0]])) == {known[0]: found[known[0]]}, "asking twice is asking once"
    assert dict(await adaptor.read(["", "no such id", "'; --", "²", "a/b?c=d&e"])) == {}, "any text may be an id"

    loader = record_loader(adaptor)
    keys = [*known, *absent, *known]
    loaded = await asyncio.gather(*map(loader.load, keys))
    assert [record.id if record else None for record in loaded] == [*known, *([None] * len(absent)), *known]

    with serving(CurrentRequest(deadline=monotonic_deadline(0))), pytest.raises(FieldError) as late:
        await adaptor.read([known[0]])
    assert late.value.code == "SYSTEM_TIMEOUT", "no time left is a timeout, not a request"
