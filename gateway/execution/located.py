"""Located errors: what went wrong, at which place of the answer, whose it is. Translated here from what subgraphs say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.errors import REGISTRY, ErrorClass, Outcome, located_error
from gateway.execution.ports import SubgraphFailure
from gateway.execution.walk import ConcretePath

FIELD_CODES = frozenset(
    code
    for code, row in REGISTRY.items()
    if row.error_class in (ErrorClass.UPSTREAM, ErrorClass.CONFLICT) or code.startswith("EVENT_")
) - {"REQUEST_DEADLINE_EXCEEDED", "AUTH_UNAVAILABLE"} | {
    "BAD_USER_INPUT",
    "FORBIDDEN",
    "NOT_FOUND",
    "UNAUTHENTICATED",
    "UNAUTHORIZED_FIELD_OR_TYPE",
    "REQUEST_RATE_LIMITED",
    "STORE_UNAVAILABLE",
}  # fmt: skip
"""Codes a subgraph may use for one field. Any other, such as INTERNAL_SERVER_ERROR, says nothing about the gateway's
request and becomes SYSTEM_ERROR."""

_UNDECIDED = frozenset(
    {"SYSTEM_ERROR", "SYSTEM_TIMEOUT", "SYSTEM_UNAVAILABLE", "SYSTEM_BAD_RESPONSE", "IDEMPOTENCY_IN_PROGRESS"}
)
"""Codes after which a write may or may not have happened."""


_MOST_CURRENT, _LONGEST_CURRENT = 20, 300
"""What a refusal may tell of an object: fields, and characters of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubgraphProfile:
    """How a subgraph is named to clients, and what of its own words they may read."""

    name: str
    system: str
    """The logical system of record: `erp`."""
    owner: str | None = None
    """Handle of the team that runs it."""
    shown_codes: frozenset[str] = frozenset()
    """Codes whose messages are passed on as the subgraph wrote them; others get the registry's sentence."""
    speaks_for: Mapping[str, str | None] = field(default_factory=dict, hash=False)
    """Other systems, to their owners, that it asks and may name as what failed: of the gateway's own graph, all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What went wrong, without the place."""

    code: str
    system: str = "gateway"
    owner: str | None = None
    message: str = ""
    retryable: bool | None = None
    retry_after_ms: int | None = None
    outcome: Outcome | None = None
    workflow: str | None = None
    """Global id of the workflow that settles it: of errors SAGA_…, and of a write whose outcome is UNKNOWN."""
    current: Mapping[str, Any] | None = None
    """What the object is now whose version was stale, of the error CONFLICT."""

    def at(self, path: ConcretePath) -> dict[str, Any]:
        """Return the error entry for one place."""
        return located_error(
            self.code,
            self.message,
            path=path,
            system=self.system,
            owner=self.owner,
            retryable=self.retryable,
            retry_after_ms=self.retry_after_ms,
            outcome=self.outcome,
            extensions=self._more(),
        )

    def _more(self) -> Mapping[str, Any] | None:
        if self.workflow is None and self.current is None:
            return None
        more = {"workflow": self.workflow, "current": self.current}
        return {name: value for name, value in more.items() if value is not None}


@dataclass(slots=True)
class ErrorList:
    """The errors of one answer, each place, code and system once."""

    most: int = 1_000
    """How many are kept; the rest is counted."""
    found: list[tuple[ConcretePath, Failure]] = field(default_factory=list)
    omitted: int = 0
    _known: set[tuple[ConcretePath, str, str]] = field(default_factory=set)
    _paths: set[ConcretePath] = field(default_factory=set)
    _above: set[ConcretePath] = field(default_factory=set)
    """All paths that lead to an error."""

    def add(self, path: ConcretePath, failure: Failure) -> None:
        """Note that the field at `path` failed."""
        key = (path, failure.code, failure.system)
        if key in self._known:
            return
        if len(self.found) >= self.most:
            self.omitted += 1
            return
        self._known.add(key)
        self.found.append((path, failure))
        if path not in self._paths:
            self._paths.add(path)
            self._above.update(path[:length] for length in range(len(path)))

    def explains(self, path: ConcretePath) -> bool:
        """Tell whether an error above, at or below `path` already says why there is no value there."""
        return path in self._above or any(path[:length] in self._paths for length in range(len(path) + 1))

    def entries(self, correlation_id: str, most: int) -> tuple[dict[str, Any], ...]:
        """Return the entries of the answer's `errors`, `most` at most. The last one carries the number left out."""
        entries = [failure.at(path) for path, failure in self.found[:most]]
        for entry in entries:
            entry["extensions"]["correlationId"] = correlation_id
        omitted = self.omitted + len(self.found) - len(entries)
        if omitted and entries:
            entries[-1]["extensions"]["omitted"] = omitted
        return tuple(entries)


def failure_of(failed: SubgraphFailure, profile: SubgraphProfile, *, is_write: bool, is_after: bool = False) -> Failure:
    """Return what a client may know of a fetch that failed as a whole; `is_after`: a read that follows a write."""
    is_ours = failed.code == "OVERLOADED"  # the system answered, and this process had no room for it
    return Failure(
        code=failed.code,
        system="gateway" if is_ours else profile.system,
        owner=None if is_ours else profile.owner,
        message=failed.message,
        retryable=failed.retryable,
        retry_after_ms=failed.retry_after_ms,
        outcome=None if not is_write else Outcome.APPLIED if is_after else failed.outcome,
        workflow=failed.workflow,
    )


def failure_from_entry(entry: Mapping[str, Any], profile: SubgraphProfile, *, write: Outcome | None) -> Failure:
    """Return what a client may know of one entry of a subgraph's `errors`.

    `write`: None for a read; APPLIED for a field below a write that took effect; UNKNOWN where the code decides.
    """
    extensions = entry.get("extensions")
    details: Mapping[str, Any] = extensions if isinstance(extensions, dict) else {}
    given = details.get("code")
    code = given if isinstance(given, str) and given in FIELD_CODES else "SYSTEM_ERROR"
    message = entry.get("message")
    retry_after_ms = details.get("retryAfterMs")
    retryable = details.get("retryable")
    outcome = _outcome(details.get("outcome"), code, write)
    workflow = details.get("workflow")
    named = details.get("system")
    at_fault = named if isinstance(named, str) and named in profile.speaks_for else profile.system
    is_settled = isinstance(workflow, str) and (code.startswith("SAGA_") or outcome is Outcome.UNKNOWN)
    return Failure(
        code=code,
        system=at_fault,
        owner=profile.speaks_for.get(at_fault, profile.owner),
        message=message if code in profile.shown_codes and isinstance(message, str) else "",
        retryable=retryable if isinstance(retryable, bool) and code == given else None,
        retry_after_ms=retry_after_ms if type(retry_after_ms) is int and retry_after_ms >= 0 else None,
        outcome=outcome,
        workflow=workflow if is_settled else None,
        current=_current(details.get("current")) if code == "CONFLICT" and code in profile.shown_codes else None,
    )


def _current(given: Any) -> Mapping[str, Any] | None:
    """Return the current values that came with a CONFLICT, if they are a few short ones."""
    if not isinstance(given, dict) or not 0 < len(given) <= _MOST_CURRENT:
        return None
    is_plain = all(
        isinstance(name, str) and (value is None or isinstance(value, bool | int | float) or _is_short(value))
        for name, value in given.items()
    )
    return given if is_plain else None


def _is_short(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_CURRENT


def _outcome(given: Any, code: str, write: Outcome | None) -> Outcome | None:
    if write is None:
        return None
    if isinstance(given, str) and given in Outcome.__members__:
        return Outcome(given)
    if write is not Outcome.UNKNOWN:
        return write
    return Outcome.UNKNOWN if code in _UNDECIDED else Outcome.NOT_APPLIED


def error_entries(value: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the well-formed entries of an answer's `errors`; a wrong shape counts as one entry that says nothing."""
    errors = value.get("errors")
    if errors is None or errors == []:
        return ()
    if not isinstance(errors, list):
        return ({},)
    return [entry if isinstance(entry, dict) else {} for entry in errors]


def path_of(entry: Mapping[str, Any]) -> ConcretePath:
    """Return the path of an entry of a subgraph's `errors`; empty where it has none that can be used."""
    path = entry.get("path")
    if isinstance(path, list) and all(type(step) in (str, int) for step in path):
        return tuple(path)
    return ()


def bad_response(profile: SubgraphProfile, outcome: Outcome | None) -> Failure:
    """Return the failure of an answer that can't be used; `outcome` of a write, None for a read."""
    return Failure(
        code="SYSTEM_BAD_RESPONSE",
        system=profile.system,
        owner=profile.owner,
        retryable=outcome is None,
        outcome=outcome,
    )
