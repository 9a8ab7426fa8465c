"""Delivers a sandbox's webhooks as its vendor does: signed, in order, tried again until they are taken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx2

from subgraphs.kit.sandbox.state import State

_log = logging.getLogger(__name__)
_KEPT = 1000
_TRIES = 10
_FIRST_BACKOFF_S = 0.5
_MAX_BACKOFF_S = 60.0

Pack = Callable[[Sequence[Any]], bytes]
Sign = Callable[[str, bytes], Mapping[str, str]]


class WebhookSender:
    """The queue of one sandbox's webhooks, kept in its state."""

    def __init__(self, state: State, *, url: str, pack: Pack, sign: Sign, batch: int = 1) -> None:
        """`pack(events)` makes the body of one request for up to `batch` events; `sign(url, body)` its headers.

        `url` may be several addresses with commas between, which stand for a load balancer: any of them may be asked.
        """
        self._state = state
        self._queue = state.collection("webhook_deliveries")
        self._urls = [each.strip() for each in url.split(",") if each.strip()]
        self._pack = pack
        self._sign = sign
        self._batch = batch
        self._added = asyncio.Event()

    def enqueue(self, event: Any) -> None:
        """Store an event for delivery; within a transaction of the state it is stored with the change it tells of."""
        number = self._state.next_number("webhook_delivery")
        self._queue.put(f"{number:012}", {"event": event, "state": "waiting" if self._urls else "sent", "tries": 0})
        if len(self._queue) > _KEPT:
            for old in [key for key in self._queue.ids() if self._is_settled(key)][: len(self._queue) - _KEPT]:
                self._queue.remove(old)
        self._added.set()

    def redeliver(self, count: int) -> int:
        """Send the last `count` events once more, as a vendor does that missed an answer. Returns how many."""
        chosen = self._queue.ids()[-count:] if count > 0 else []
        for key in chosen:
            self._note(key, state="waiting", tries=0)
        self._added.set()
        return len(chosen)

    def waiting(self) -> int:
        """How many events are not delivered yet."""
        return sum(1 for delivery in self._queue.values() if delivery["state"] == "waiting")

    async def deliver_forever(self) -> None:
        """Deliver what waits, oldest first; a receiver that fails is tried again ten times, ever later."""
        backoff_s = _FIRST_BACKOFF_S
        async with httpx2.AsyncClient(trust_env=False, timeout=5.0) as http:
            while True:
                self._added.clear()
                keys = [key for key in self._queue.ids() if not self._is_settled(key)][: self._batch]
                if not keys:
                    await self._added.wait()
                elif await self._deliver(http, keys):
                    backoff_s = _FIRST_BACKOFF_S
                else:
                    await asyncio.sleep(backoff_s)
                    backoff_s = min(backoff_s * 2, _MAX_BACKOFF_S)

    async def _deliver(self, http: httpx2.AsyncClient, keys: Sequence[str]) -> bool:
        body = self._pack([delivery["event"] for key in keys if (delivery := self._queue.get(key))])
        taken = False
        for url in tuple(self._urls):
            self._urls.append(self._urls.pop(0))  # in turn
            try:
                headers = {"content-type": "application/json", **self._sign(url, body)}
                taken = (await http.post(url, content=body, headers=headers)).is_success
            except httpx2.TransportError:
                continue
            if taken:
                break
        with self._state.transaction():
            for key in keys:
                delivery = self._queue.get(key)
                tries = delivery["tries"] + 1 if delivery else _TRIES
                self._note(key, state="sent" if taken else "waiting" if tries < _TRIES else "given up", tries=tries)
        return taken

    def _is_settled(self, key: str) -> bool:
        delivery = self._queue.get(key)
        return delivery is None or delivery["state"] != "waiting"

    def _note(self, key: str, *, state: str, tries: int) -> None:
        delivery = self._queue.get(key)
        if delivery is not None:
            self._queue.put(key, {**delivery, "state": state, "tries": tries})
