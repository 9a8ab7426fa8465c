"""Runs the checks over one adaptor and says how each ended."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from subgraphs.kit.adaptor import Adaptor
from subgraphs.kit.conformance.faults import READS_BEHIND_FAULTS, WRITES_BEHIND_FAULTS
from subgraphs.kit.conformance.feeds import POLLS, WEBHOOKS
from subgraphs.kit.conformance.reads import READS
from subgraphs.kit.conformance.under_test import Check, Connection, UnderTest

GROUPS: tuple[tuple[str, Sequence[Check]], ...] = (
    ("read", (*READS, *READS_BEHIND_FAULTS)),
    ("write", WRITES_BEHIND_FAULTS),
    ("poll", POLLS),
    ("webhook", WEBHOOKS),
)


class Verdict(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    CANNOT = "cannot"
    """The adaptor declares that it can't, and why."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One check of one adaptor."""

    adaptor: str
    check: str
    verdict: Verdict
    sentence: str
    """What the check asks for; why the adaptor can't; or what went wrong."""
    seconds: float


async def run_checks(test: UnderTest[Any], only: Collection[str] = ("",)) -> list[Result]:
    """Return a result for each check whose name contains one of `only`."""
    results: list[Result] = []
    async with test.connect(Connection(url=test.url)) as adaptor:
        if test.warm_up:
            await adaptor.read([test.known[0]])
        for group, checks in GROUPS:
            for check in checks:
                name = check.__name__
                if not any(part in name for part in only):
                    continue
                began = time.monotonic()
                verdict, sentence = await _run(test, adaptor, group, name, check)
                results.append(
                    Result(
                        adaptor=test.name,
                        check=name,
                        verdict=verdict,
                        sentence=sentence,
                        seconds=round(time.monotonic() - began, 3),
                    )
                )
    return results


async def _run(test: UnderTest[Any], adaptor: Adaptor[Any], group: str, name: str, check: Check) -> tuple[Verdict, str]:
    declared = {**adaptor.capabilities.cannot, **test.cannot}
    why_not = declared.get(name) or declared.get(group)
    if why_not is not None:
        return Verdict.CANNOT, why_not
    given = {"read": True, "write": test.writes, "poll": test.poll, "webhook": test.webhook}[group]
    if not given:
        return Verdict.FAILED, f"Neither `{group}` is given, nor does `cannot` say why there is none."
    try:
        await check(test, adaptor)
    except AssertionError as failed:
        return Verdict.FAILED, str(failed)
    except Exception as failed:  # noqa: BLE001 - whatever an adaptor of somebody else's does wrong is a result
        return Verdict.FAILED, f"{type(failed).__name__}: {failed}"
    return Verdict.PASSED, (check.__doc__ or "").strip()
