"""Media types: what a request says its body is, and which answer it accepts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from gateway.errors import GatewayError

_MAX_ACCEPT = 4_096
"""Characters of an `Accept` header; no client has that much to say, and each comma costs."""


class Answer(StrEnum):
    """The media types an answer can have."""

    JSON = "application/json"
    GRAPHQL = "application/graphql-response+json"
    EVENTS = "text/event-stream"
    MULTIPART = "multipart/mixed"


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type with its parameters, all lower case: `MediaType("application/json", {"charset": "utf-8"})`."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Acceptable:
    """What a request accepts."""

    single: Answer | None
    """Media type of an answer that is one result; None if only streams are accepted."""
    streaming: Answer | None
    """Media type of an answer that is many results; None if only one result is accepted."""
    prefers_stream: bool
    """Whether a single result, too, should be sent as a stream."""
    callback: bool
    """Whether the events of a subscription should be posted to an address that the request names."""
    is_legacy: bool
    """Whether `application/json` was named, so that old clients expect 200 whatever became of the document."""
    page: bool
    """Whether a person with a browser is asking."""


def parse_media_type(text: str) -> MediaType:
    """Read a `Content-Type` or one range of an `Accept`. Quoted parameters lose their quotes."""
    name, *rest = text.split(";")
    parameters = {}
    for parameter in rest:
        key, _, value = parameter.partition("=")
        parameters[key.strip().lower()] = value.strip().strip('"').lower()
    return MediaType(name.strip().lower(), parameters)


@lru_cache(maxsize=256)
def negotiate(accept: str) -> Acceptable:
    """Choose the answers for an `Accept` header ("" if there was none).

    Of equally welcome types the first named wins. Without the header, and for `*/*`, it is `application/json`, as the
    clients that send neither expect. <https://graphql.github.io/graphql-over-http/draft/#sec-Accept>

    Raises `GatewayError` with NOT_ACCEPTABLE.
    """
    if len(accept) > _MAX_ACCEPT:
        raise GatewayError("NOT_ACCEPTABLE")
    qualities: dict[Answer, float] = {}
    page = 0.0
    callback = is_legacy = False
    for text in accept.split(",") if accept.strip() else ["*/*"]:
        media_range = parse_media_type(text)
        quality = _quality(media_range)
        if quality <= 0:
            continue
        match media_range.name:
            case "application/json" if media_range.parameters.get("callbackspec") == "1.0":
                callback, answer = True, Answer.JSON
            case "application/json":
                answer, is_legacy = Answer.JSON, True
            case "*/*" | "application/*":
                answer = Answer.JSON
            case "application/graphql-response+json":
                answer = Answer.GRAPHQL
            case "text/event-stream":
                answer = Answer.EVENTS
            case "multipart/mixed" if media_range.parameters.get("subscriptionspec") == "1.0":
                answer = Answer.MULTIPART
            case "text/html" | "application/xhtml+xml":
                page = max(page, quality)
                continue
            case _:
                continue
        if media_range.parameters.get("charset", "utf-8") not in {"utf-8", "utf8"}:
            continue
        qualities[answer] = max(quality, qualities.get(answer, 0.0))
    if not qualities and not page:
        raise GatewayError("NOT_ACCEPTABLE")
    ranked = sorted(qualities, key=lambda answer: -qualities[answer])
    single = next((answer for answer in ranked if answer in {Answer.JSON, Answer.GRAPHQL}), None)
    streaming = next((answer for answer in ranked if answer in {Answer.EVENTS, Answer.MULTIPART}), None)
    return Acceptable(
        single=single,
        streaming=streaming,
        prefers_stream=bool(ranked) and ranked[0] is Answer.EVENTS,
        callback=callback,
        is_legacy=is_legacy and single is Answer.JSON,
        page=page > 0 and page >= max(qualities.values(), default=0.0),
    )


def _quality(media_range: MediaType) -> float:
    try:
        quality = float(media_range.parameters.get("q", "1"))
    except ValueError:
        return 0.0
    return quality if 0.0 <= quality <= 1.0 else 0.0
