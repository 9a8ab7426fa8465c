"""Checks of reading: keyed by id, absent left out, batched as declared, within the deadline, typed."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from typing import Any

from subgraphs.kit.adaptor import Adaptor, BatchMode
from subgraphs.kit.conformance.under_test import Connection, UnderTest
from subgraphs.kit.current_request import CurrentRequest, serving
from subgraphs.kit.record_loader import record_loader
from subgraphs.kit.system_error import FieldError, VendorAuthError, VendorUnavailableError
from subgraphs.kit.vendor_client import monotonic_deadline


def _expect(condition: bool, sentence: str) -> None:
    if not condition:
        raise AssertionError(sentence)


async def declares_what_it_can_do(_test: UnderTest[Any], adaptor: Adaptor[Any]) -> None:
    """The capability sheet is complete, and says why of each thing that the adaptor can't do."""
    sheet = adaptor.capabilities
    _expect(sheet.max_ids_per_call >= 1, "max_ids_per_call is at least 1")
    _expect(sheet.max_writes_per_call >= 1, "max_writes_per_call is at least 1")
    for what, why in sheet.cannot.items():
        _expect(bool(what) and len(why) > 10, f"`cannot[{what!r}]` is a sentence")


async def reads_nothing_for_nothing(_test: UnderTest[Any], adaptor: Adaptor[Any]) -> None:
    """Reading no ids asks the vendor nothing."""
    with serving(CurrentRequest()) as request:
        found = dict(await adaptor.read([]))
    _expect(not found, "reading nothing finds nothing")
    _expect(not request.vendor_requests, f"reading nothing cost {dict(request.vendor_requests)}")


async def keys_records_by_their_id(test: UnderTest[Any], adaptor: Adaptor[Any]) -> None:
    """Records are keyed by their own id, absent ids are left out, and neither order nor repetition of ids matters."""
    part = _part(test, adaptor)
    found = dict(await adaptor.read(part))
    absent = set(test.absent)
    _expect(
        set(found) == set(part) - absent, f"of {len(part)} ids {len(found)} were found, instead of all but the absent"
    )
    _expect(all(test.key_of(record) == key for key, record in found.items()), "a record has another id than its key")
    _expect(dict(await adaptor.read(part[::-1])) == found, "the order of ids changes the answer")
    first = test.known[0]
    _expect(dict(await adaptor.read([first, first])) == {first: found[first]}, "asking twice is not asking once")


async def takes_any_text_for_an_id(_test: UnderTest[Any], adaptor: Adaptor[Any]) -> None:
    """Any text may be an id: it names nothing, and breaks neither the request nor its neighbours."""
    strange = ["", "no such id", "'; --", "' OR '1'='1", "²", "a/b?c=d&e", "../x", "x" * 2000]
    found = dict(await adaptor.read(strange))
    _expect(not found, f"strange ids found {list(found)}")


async def batches_as_declared(test: UnderTest[Any], adaptor: Adaptor[Any]) -> None:
    """N ids cost at most ceil(n / batch size) requests; without a batch read, one request per id."""
    sheet = adaptor.capabilities
    ids = [*test.known, *test.absent]
    with serving(CurrentRequest()) as request:
        loaded = await asyncio.gather(*map(record_loader(adaptor).load, [*ids, *ids]))
    cost = request.vendor_requests.total()
    most = len(ids) if sheet.batch_mode is BatchMode.NONE else -(-len(ids) // sheet.max_ids_per_call)
    _expect(cost <= most, f"{len(ids)} ids cost {cost} requests instead of at most {most}")
    keys = [None if record is None else test.key_of(record) for record in loaded[: len(ids)]]
    _expect(keys == [*test.known, *([None] * len(test.absent))], "the loader mixes records up")


async def keeps_within_the_deadline(test: UnderTest[Any], adaptor: Adaptor[Any]) -> None:
    """With no time left a read is SYSTEM_TIMEOUT, at once."""
    with serving(CurrentRequest(deadline=monotonic_deadline(0))):
        try:
            await adaptor.read([test.known[0]])
        except FieldError as late:
            _expect(late.code == "SYSTEM_TIMEOUT", f"no time left is {late.code} instead of SYSTEM_TIMEOUT")
        else:
            raise AssertionError("a read was answered after its deadline")


async def answers_in_exact_types(test: UnderTest[Any], adaptor: Adaptor[Any]) -> None:
    """Records are frozen dataclasses without floats, and every instant has a time zone."""
    (record,) = (await adaptor.read([test.known[0]])).values()
    _expect(dataclasses.is_dataclass(record), "a record is a dataclass")
    try:
        setattr(record, dataclasses.fields(record)[0].name, None)
    except (dataclasses.FrozenInstanceError, TypeError):
        pass
    else:
        raise AssertionError("a record is frozen")
    for name, value in dataclasses.asdict(record).items():
        _expect(not isinstance(value, float), f"`{name}` is a float; amounts are exact decimals")
        if isinstance(value, dt.datetime):
            _expect(value.tzinfo is not None, f"`{name}` has no time zone")


async def hides_why_its_credential_was_refused(test: UnderTest[Any], _adaptor: Adaptor[Any]) -> None:
    """A wrong credential is SYSTEM_AUTH_FAILED, and the message says nothing of why."""
    async with test.connect(Connection(url=test.url, is_credential_wrong=True)) as stranger:
        try:
            await stranger.read([test.known[0]])
        except VendorAuthError as refused:
            _expect("credential" in refused.message, f"the message says {refused.message!r}")
        else:
            raise AssertionError("a wrong credential was taken")


async def says_that_the_system_is_gone(test: UnderTest[Any], _adaptor: Adaptor[Any]) -> None:
    """Where nobody listens a read is SYSTEM_UNAVAILABLE, worth another try."""
    async with test.connect(Connection(url="http://127.0.0.1:9")) as lost:
        try:
            await lost.read([test.known[0]])
        except VendorUnavailableError as gone:
            _expect(gone.retryable, "an unreachable system may be tried again")
        else:
            raise AssertionError("a read was answered by nobody")


def _part(test: UnderTest[Any], adaptor: Adaptor[Any]) -> list[str]:
    size = max(2, adaptor.capabilities.max_ids_per_call - len(test.absent))
    return [*test.known[:size], *test.absent]


READS = (
    declares_what_it_can_do,
    reads_nothing_for_nothing,
    keys_records_by_their_id,
    takes_any_text_for_an_id,
    batches_as_declared,
    keeps_within_the_deadline,
    answers_in_exact_types,
    hides_why_its_credential_was_refused,
    says_that_the_system_is_gone,
)
