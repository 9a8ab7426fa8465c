"""Tells consumers when a system of record fails for more than a moment, and when it is well again."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

import orjson

from gateway.events.event import Event
from gateway.events.log import EventLog, StoreUnavailable
from gateway.events.notes import Notes
from gateway.events.own_event import own_event

_LOG = logging.getLogger("concord.events")
_DEGRADED, _RECOVERED = "source.degraded", "source.recovered"
_SHELF = "sources"


class SourceWatch:
    """Looks at the systems again and again, and compares them with what was told of them last.

    Several gateways over one log may see the same failure: what they tell has the next number after what was told last,
    and so the same id, and the log keeps it once.
    """

    def __init__(
        self,
        log: EventLog,
        notes: Notes,
        look: Callable[[], Awaitable[Mapping[str, bool]]],
        *,
        every_s: float = 1.0,
        ill_for_s: float = 3.0,
    ) -> None:
        """`look` returns whether each system is well, leaving out those of which nothing is known at the moment."""
        self._log = log
        self._notes = notes
        self._look = look
        self._every_s = every_s
        self._ill_for_s = ill_for_s
        self._ill_since: dict[str, float] = {}
        self._said: dict[str, str] = {}
        """What this process knows to have been told last; others may know more."""

    async def run(self) -> None:
        """Look until cancelled; a store that fails is tried again."""
        while True:
            try:
                await self.look_once(asyncio.get_running_loop().time())
            except StoreUnavailable as error:
                _LOG.info("source_watch_waits", extra={"reason": str(error)})
            await asyncio.sleep(self._every_s)

    async def look_once(self, now: float) -> None:
        """Compare each system with the log. `now` is of the event loop's clock. Raises `StoreUnavailable`."""
        for name, is_well in (await self._look()).items():
            if is_well:
                self._ill_since.pop(name, None)
                await self._tell(name, _RECOVERED)
            elif now - self._ill_since.setdefault(name, now) >= self._ill_for_s:
                await self._tell(name, _DEGRADED)

    async def _tell(self, name: str, state: str) -> None:
        """Append the event, unless that was told already; what never failed does not recover."""
        if self._said.get(name) == state:
            return
        note = (await self._notes.all(_SHELF)).get(name)
        said, number = orjson.loads(note) if note is not None else (_RECOVERED, 0)
        if said != state:
            await self._log.append([_event(name, state, number + 1)])
            # A crash before this repeats the event, which the log then has already.
            await self._notes.put(_SHELF, name, orjson.dumps([state, number + 1]))
            _LOG.warning(state.replace(".", "_"), extra={"system": name})
        self._said[name] = state


def _event(name: str, state: str, number: int) -> Event:
    subject = base64.urlsafe_b64encode(f"Source:{name}".encode()).decode().rstrip("=")
    before, now = ("UP", "DOWN") if state == _DEGRADED else ("DOWN", "UP")
    return own_event(
        state,
        id=f"gateway:{name}:{number}:{state}",
        subject=subject,
        time=datetime.now(UTC),
        keys={"source": name},
        changes=[("status", before, now)],
    )
