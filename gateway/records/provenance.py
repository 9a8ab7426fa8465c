"""Who gave which part of an answer, when, and what it cost: shown on request in `extensions.concord`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from gateway.execution.answer import CompiledOperation, StaticPath
from gateway.execution.located import SubgraphProfile
from gateway.execution.message import GraphQLRequest
from gateway.execution.ports import Reused, SubgraphFailure, SubgraphRequest
from gateway.execution.walk import static_path
from gateway.federation.plan import EntityFetch, fetches_of, print_plan


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client asks to be told beside the data."""

    provenance: bool
    plan: bool
    cost: bool = False
    """What the operation was estimated to cost, and what it did."""


def wanted(request: GraphQLRequest) -> Wanted | None:
    """Return what the request asks for, or None where it asks for nothing.

    `{"extensions": {"concord": {"provenance": true, "plan": true}}}` in the request, or the header
    `X-Concord-Provenance: 1`.
    """
    given = request.extensions.get("concord") if request.extensions else None
    options = given if isinstance(given, dict) else {}
    provenance = options.get("provenance") is True or request.headers.get("x-concord-provenance") == "1"
    plan = options.get("plan") is True
    cost = options.get("cost") is True
    return Wanted(provenance, plan, cost) if provenance or plan or cost else None


@dataclass(slots=True)
class FetchLog:
    """Remembers the fetches of one request. An observer of the executor."""

    vendor_requests: Counter[str] = field(default_factory=Counter)
    fetches: list[dict[str, Any]] = field(default_factory=list)
    read_at: dict[str, str] = field(default_factory=dict)
    """Subgraph → when it was first read, RFC 3339 in UTC."""

    def clock(self) -> float:
        """Return monotonic seconds."""
        return time.perf_counter()

    def fetch_done(self, request: SubgraphRequest, started: float, value: Any, failure: SubgraphFailure | None) -> None:
        """Note a fetch, and what the subgraph says of its own requests."""
        ms = round((time.perf_counter() - started) * 1000, 3)
        entry: dict[str, Any] = {"subgraph": request.subgraph, "ms": ms, "entities": request.entities}
        if failure is not None:
            entry["code"] = failure.code
        else:
            self.read_at.setdefault(request.subgraph, datetime.now(UTC).isoformat(timespec="milliseconds"))
        self.fetches.append(entry)
        self.vendor_requests.update(vendor_requests(value))


def vendor_requests(value: Any) -> dict[str, int]:
    """Return the vendor requests that a subgraph's answer reports: `{"hubspot": 3}`."""
    extensions = value.get("extensions") if isinstance(value, dict) else None
    concord = extensions.get("concord") if isinstance(extensions, dict) else None
    reported = concord.get("vendorRequests") if isinstance(concord, dict) else None
    counts = reported if isinstance(reported, dict) else {}
    return {vendor: count for vendor, count in counts.items() if type(count) is int and count >= 0}


def told(asked: Wanted, log: FetchLog, compiled: CompiledOperation, reused: Sequence[Reused] = ()) -> dict[str, Any]:
    """Return the answer's `extensions.concord`.

    `provenance` lists places by response names, without list indices: a place stands for all below it, down to the next
    entry. Places the client did not select are left out. `state` is `live` where all of it was just read, else `cached`
    or `stale`, and `readAt` then tells of the oldest.
    """
    fetches = _fetch_ids(compiled)
    by_fetch = _by_fetch(reused)
    places = []
    for path, profile in _selected(compiled):
        found = by_fetch.get(fetches.get(path, -1))
        if found is not None:
            state, read_at = ("stale" if found.stale else "cached"), _instant(found.read_at)
        elif profile.name in log.read_at:
            state, read_at = "live", log.read_at[profile.name]
        else:
            continue
        places.append({"path": list(path), "system": profile.system, "state": state, "readAt": read_at})
    extension: dict[str, Any] = {"vendorRequests": dict(sorted(log.vendor_requests.items())), "fetches": log.fetches}
    if asked.provenance:
        extension["provenance"] = places
    if asked.plan:
        extension["plan"] = print_plan(compiled.plan.plan)
    return extension


def stale_places(compiled: CompiledOperation, reused: Sequence[Reused]) -> list[dict[str, Any]]:
    """Return the places whose owner could not be asked and where what was known last stands in. Told unasked."""
    by_fetch = {number: each for number, each in _by_fetch(reused).items() if each.stale}
    if not by_fetch:
        return []
    fetches = _fetch_ids(compiled)
    return [
        {"path": list(path), "system": profile.system, "readAt": _instant(by_fetch[fetches[path]].read_at)}
        for path, profile in _selected(compiled)
        if fetches.get(path) in by_fetch
    ]


def _by_fetch(reused: Sequence[Reused]) -> dict[int, Reused]:
    """Return what was reused by number of the fetch, which may have been sent more than once."""
    found: dict[int, Reused] = {}
    for each in reused:
        before = found.get(each.fetch_id)
        found[each.fetch_id] = (
            each
            if before is None
            else replace(
                each,
                cached=each.cached + before.cached,
                stale=each.stale + before.stale,
                read_at=min(each.read_at, before.read_at),
            )
        )
    return found


def _fetch_ids(compiled: CompiledOperation) -> dict[StaticPath, int]:
    """Return which fetch of the plan gives which place."""
    ids: dict[StaticPath, int] = {}
    for fetch in fetches_of(compiled.plan.plan.root):
        if isinstance(fetch, EntityFetch):
            for each in fetch.inputs:
                for path in each.paths:
                    for name in each.fields:
                        ids.setdefault((*static_path(path), name), fetch.id)
        else:
            for name in fetch.root_fields:
                ids.setdefault((name,), fetch.id)
    return ids


def _instant(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds")


def _selected(compiled: CompiledOperation) -> list[tuple[StaticPath, SubgraphProfile]]:
    return [(path, profile) for path, profile in compiled.providers.items() if compiled.shape.has_names(path)]
