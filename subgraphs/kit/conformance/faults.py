"""Checks behind a proxy that breaks HTTP: no lost read, no double write, a coded error, recovery without a restart."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from subgraphs.kit.adaptor import Adaptor
from subgraphs.kit.conformance.fault_proxy import Fault, FaultProxy, fault_proxy
from subgraphs.kit.conformance.under_test import Connection, UnderTest, Write
from subgraphs.kit.current_request import CurrentRequest, serving
from subgraphs.kit.system_error import FieldError, Outcome
from subgraphs.kit.vendor_client import monotonic_deadline

_ALWAYS = 1_000
_CODES = {
    Fault.SLOW: {"SYSTEM_TIMEOUT"},
    Fault.RATE_LIMITED: {"SYSTEM_RATE_LIMITED"},
    Fault.DROPPED_BEFORE: {"SYSTEM_UNAVAILABLE"},
    Fault.DROPPED_AFTER: {"SYSTEM_UNAVAILABLE"},
    Fault.TRUNCATED: {"SYSTEM_UNAVAILABLE", "SYSTEM_BAD_RESPONSE"},
    Fault.HTML: {"SYSTEM_BAD_RESPONSE"},
}
_PASSES = {Fault.RATE_LIMITED, Fault.DROPPED_BEFORE, Fault.DROPPED_AFTER}
"""Faults of one request that a read outlives by asking again."""


async def _read_behind(test: UnderTest[Any], proxy: FaultProxy, fault: Fault) -> None:
    async with test.connect(Connection(url=proxy.url)) as adaptor:
        ids = list(test.known[:2])
        expected = dict(await adaptor.read(ids))
        if fault in _PASSES:
            proxy.spoil(fault, times=1)
            if dict(await adaptor.read(ids)) != expected:
                raise AssertionError(f"one request that was {fault} lost a read")
        proxy.spoil(fault, times=_ALWAYS)
        try:
            # Within less than a slow answer takes; otherwise long enough to try again.
            limit_ms = 700 if fault is Fault.SLOW else 8_000
            with serving(CurrentRequest(deadline=monotonic_deadline(limit_ms))):
                await adaptor.read(ids)
        except FieldError as failed:
            if failed.code not in _CODES[fault]:
                raise AssertionError(f"{fault} is {failed.code} instead of {' or '.join(_CODES[fault])}") from failed
        else:
            raise AssertionError(f"a read was answered although every request is {fault}")
        proxy.heal()
        if dict(await adaptor.read(ids)) != expected:
            raise AssertionError(f"after {fault} the adaptor does not recover")


def _read_check(fault: Fault) -> Callable[[UnderTest[Any], Adaptor[Any]], Awaitable[None]]:
    async def check(test: UnderTest[Any], _adaptor: Adaptor[Any]) -> None:
        async with fault_proxy(test.url) as proxy:
            await _read_behind(test, proxy, fault)

    check.__name__ = f"reads_when_{fault}"
    passes = "One such request is asked again and loses nothing; when" if fault in _PASSES else "When"
    check.__doc__ = f"{passes} every request is {fault} the error has its code, and reads recover without a restart."
    return check


async def refuses_broken_tls(test: UnderTest[Any], _adaptor: Adaptor[Any]) -> None:
    """A failed TLS handshake is SYSTEM_UNAVAILABLE and not tried again: it will not pass by itself."""
    async with fault_proxy(test.url) as proxy, test.connect(Connection(url=proxy.tls_url)) as adaptor:
        try:
            await adaptor.read([test.known[0]])
        except FieldError as failed:
            if failed.code != "SYSTEM_UNAVAILABLE" or failed.retryable:
                raise AssertionError(f"broken TLS is {failed.code}, retryable: {failed.retryable}") from failed
        else:
            raise AssertionError("a read was answered without TLS")


async def _write_behind(test: UnderTest[Any], write: Write[Any], fault: Fault) -> None:
    async with fault_proxy(test.url) as proxy, test.connect(Connection(url=proxy.url)) as adaptor:
        await adaptor.read([test.known[0]])
        key = f"check-{uuid.uuid4()}"
        proxy.spoil(fault, times=_ALWAYS)
        outcome: Outcome | None = Outcome.APPLIED
        try:
            # Within less than a slow answer takes: the vendor has it, and nobody here knows.
            limit_ms = 700 if fault is Fault.SLOW else 2_000
            with serving(CurrentRequest(deadline=monotonic_deadline(limit_ms), idempotency_key=key)):
                await write.carry_out(adaptor, key)
        except FieldError as failed:
            outcome = failed.outcome
            if failed.code not in _CODES[fault] | {"SYSTEM_TIMEOUT", "SYSTEM_BAD_RESPONSE"}:
                raise AssertionError(f"{write.name}: {fault} is {failed.code}") from failed
        proxy.heal()
        there = await write.effects(adaptor, key)
        if there > 1:
            raise AssertionError(f"{write.name}: {fault} wrote {there} times")
        if there and outcome is Outcome.NOT_APPLIED:
            raise AssertionError(f"{write.name}: said not applied, but the vendor has it")
        with serving(CurrentRequest(idempotency_key=key)):
            await write.carry_out(adaptor, key)
        there = await write.effects(adaptor, key)
        if there != 1:
            raise AssertionError(f"{write.name}: repeated with its key after {fault}, the vendor has it {there} times")


def _write_check(fault: Fault) -> Callable[[UnderTest[Any], Adaptor[Any]], Awaitable[None]]:
    async def check(test: UnderTest[Any], _adaptor: Adaptor[Any]) -> None:
        for write in test.writes:
            await _write_behind(test, write, fault)

    check.__name__ = f"write_once_when_{fault}"
    check.__doc__ = (
        f"A write that is {fault}, repeated with its key, is there exactly once, and its outcome was told truly."
    )
    return check


async def write_once_without_tls(test: UnderTest[Any], adaptor: Adaptor[Any]) -> None:
    """A write whose TLS handshake fails is told as not applied, and is not there."""
    for write in test.writes:
        key = f"check-{uuid.uuid4()}"
        async with fault_proxy(test.url) as proxy, test.connect(Connection(url=proxy.tls_url)) as cut_off:
            try:
                with serving(CurrentRequest(idempotency_key=key)):
                    await write.carry_out(cut_off, key)
            except FieldError as failed:
                if failed.code != "SYSTEM_UNAVAILABLE" or failed.outcome is Outcome.UNKNOWN:
                    raise AssertionError(f"{write.name}: broken TLS is {failed.code}, {failed.outcome}") from failed
            else:
                raise AssertionError(f"{write.name}: written without TLS")
        if await write.effects(adaptor, key):
            raise AssertionError(f"{write.name}: said not applied, but the vendor has it")


READS_BEHIND_FAULTS = (*(_read_check(fault) for fault in Fault), refuses_broken_tls)
WRITES_BEHIND_FAULTS = (*(_write_check(fault) for fault in Fault), write_once_without_tls)
COLUMNS = (
    *((str(fault), f"reads_when_{fault}", f"write_once_when_{fault}") for fault in Fault),
    ("no_tls", refuses_broken_tls.__name__, write_once_without_tls.__name__),
)
"""What can go wrong on the way, and the names of the checks of reads and of writes for it."""
