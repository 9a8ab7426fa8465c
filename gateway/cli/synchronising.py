"""Waits until the subgraphs that `concord up` started have told identity their customers: before that, answers are short."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import httpx2

WITHIN_S = 120.0
_LOOK_S = 0.25
_ANSWER_WITHIN_S = 5.0


async def until_synchronised(
    urls: Mapping[str, str], show: Callable[[Mapping[str, str]], None], *, within_s: float = WITHIN_S
) -> Mapping[str, str]:
    """Return what is still missing when the time is up, or nothing as soon as that is so: process → what it says.

    `urls`: processes and their addresses. `show` is given what is missing whenever that changes.
    """
    missing: Mapping[str, str] = {}
    async with httpx2.AsyncClient(timeout=_ANSWER_WITHIN_S, trust_env=False) as http:
        try:
            async with asyncio.timeout(within_s):
                while found := await _missing(http, urls):
                    if found != missing:
                        missing = found
                        show(missing)
                    await asyncio.sleep(_LOOK_S)
                return {}
        except TimeoutError:
            return missing


async def _missing(http: httpx2.AsyncClient, urls: Mapping[str, str]) -> dict[str, str]:
    told = await asyncio.gather(*(_told(http, url) for url in urls.values()))
    return {name: reason for name, reason in zip(urls, told, strict=True) if reason is not None}


async def _told(http: httpx2.AsyncClient, url: str) -> str | None:
    """Return why a process is not ready; None where it is, or where it is none that says so."""
    try:
        reply = await http.get(f"{url}/ready")
    except httpx2.HTTPError:
        return "It does not answer."
    if reply.status_code != 503:
        return None
    try:
        return " ".join(str(error["message"]) for error in reply.json()["errors"])
    except (ValueError, KeyError, TypeError):
        return "It is not ready."
