"""Puts into the log what other rooms keep until it is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from gateway.events.event import Event, without_values
from gateway.events.log import EventLog, StoreUnavailable
from gateway.events.own_event import own_event


class Announced(Protocol):
    """What is to be told, as `own_event` takes it."""

    @property
    def id(self) -> str:
        """The same however often it is published."""

    @property
    def name(self) -> str:
        """Of the catalogue."""

    @property
    def subject(self) -> str:
        """Global id of what it is about."""

    @property
    def time(self) -> datetime:
        """When it happened."""

    @property
    def keys(self) -> Mapping[str, str | None]:
        """Name of an entity → what finds it."""

    @property
    def changes(self) -> Sequence[tuple[str, str | None, str | None]]:
        """(field, before, after)."""

    @property
    def correlation_id(self) -> str | None:
        """The workflow's."""


def publish_to(
    log: EventLog, classified: Callable[[], Collection[str]] = frozenset
) -> Callable[[Sequence[Announced]], Awaitable[bool]]:
    """Return what publishes a batch, and says False where the log can't be used at the moment.

    `classified` names the fields whose values events must not tell.
    """

    async def publish(told: Sequence[Announced]) -> bool:
        try:
            await log.append([without_values(_event(each), classified()) for each in told])
        except StoreUnavailable:
            return False
        return True

    return publish


def _event(told: Announced) -> Event:
    return own_event(
        told.name,
        id=told.id,
        subject=told.subject,
        time=told.time,
        keys=told.keys,
        changes=told.changes,
        correlation_id=told.correlation_id,
    )
