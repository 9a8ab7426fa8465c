"""Checks of changes: polled from a high-water mark without gaps, pushed with a signature that nobody else can make."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from subgraphs.kit.adaptor import Adaptor
from subgraphs.kit.conformance.under_test import UnderTest, Webhook
from subgraphs.kit.signature import SignatureInvalidError
from subgraphs.kit.webhook import WebhookRequest

_REPLAY_WINDOW_S = 600


async def poll_finds_every_change(test: UnderTest[Any], adaptor: Adaptor[Any]) -> None:
    """Whatever changes between two polls is found by the second, however many changes there were and how fast."""
    feed = test.poll
    assert feed is not None
    _, mark = await feed.poll(adaptor, None)
    for round_ in range(3):
        changed = [await feed.change(adaptor, 10 * round_ + place) for place in range(3)]
        found, following = await feed.poll(adaptor, mark)
        if not set(changed) <= set(found):
            raise AssertionError(f"of {len(set(changed))} changes {len(set(changed) & set(found))} were found")
        mark = following


async def poll_makes_up_for_downtime(test: UnderTest[Any], adaptor: Adaptor[Any]) -> None:
    """A poll from an old mark finds what changed since then, although others have polled in between."""
    feed = test.poll
    assert feed is not None
    _, old = await feed.poll(adaptor, None)
    first = await feed.change(adaptor, 100)
    _, newer = await feed.poll(adaptor, old)
    second = await feed.change(adaptor, 101)
    await feed.poll(adaptor, newer)
    found, _ = await feed.poll(adaptor, old)
    if not {first, second} <= set(found):
        raise AssertionError("a poll from an old mark misses changes")


async def webhook_takes_what_the_vendor_signed(test: UnderTest[Any], _adaptor: Adaptor[Any]) -> None:
    """A signed body is taken; its copy has the same event ids, so that a second one changes nothing."""
    webhook = _webhook(test)
    webhook.verifier.verify(webhook.sign(webhook.body, time.time()))
    events, copies = webhook.verifier.parse(webhook.body), webhook.verifier.parse(webhook.body)
    if not events or [event.id for event in events] != [copy.id for copy in copies]:
        raise AssertionError("a copy of a webhook has other event ids")


async def webhook_refuses_what_others_signed(test: UnderTest[Any], _adaptor: Adaptor[Any]) -> None:
    """Another body, no signature, a broken one, an old and a future one are refused."""
    webhook = _webhook(test)
    signed = webhook.sign(webhook.body, time.time())
    forged: dict[str, WebhookRequest] = {
        "another body": dataclasses.replace(signed, body=signed.body + b" "),
        "no signature": dataclasses.replace(signed, headers={}),
        "a broken signature": dataclasses.replace(
            signed, headers={name: value[:-4] + "AAAA" for name, value in signed.headers.items()}
        ),
        "an old one": webhook.sign(webhook.body, time.time() - _REPLAY_WINDOW_S),
        "one of the future": webhook.sign(webhook.body, time.time() + _REPLAY_WINDOW_S),
    }
    for what, request in forged.items():
        try:
            webhook.verifier.verify(request)
        except SignatureInvalidError:
            continue
        raise AssertionError(f"{what} was taken")


async def webhook_refuses_what_is_not_the_vendors(test: UnderTest[Any], _adaptor: Adaptor[Any]) -> None:
    """A body that is not of the vendor's shape is a ValueError, whatever it is."""
    webhook = _webhook(test)
    for body in (
        b"",
        b"{",
        b"null",
        b"[1]",
        b'{"a": []}',
        b"\xff\xfe",
        b'[{"eventId": "x"}]',
        b'"' + b"x" * 5000 + b'"',
    ):
        try:
            webhook.verifier.parse(body)
        except ValueError:
            continue
        raise AssertionError(f"{body[:40]!r} was taken for events")


def _webhook(test: UnderTest[Any]) -> Webhook:
    assert test.webhook is not None
    return test.webhook


POLLS = (poll_finds_every_change, poll_makes_up_for_downtime)
WEBHOOKS = (
    webhook_takes_what_the_vendor_signed,
    webhook_refuses_what_others_signed,
    webhook_refuses_what_is_not_the_vendors,
)
