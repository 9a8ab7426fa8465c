"""The client of the identity subgraph's crosswalk: which canonical customer a system's record belongs to.

async with Crosswalk(url=…, signing_secret=…, system="crm") as crosswalk:
    await crosswalk.push([CrosswalkRecord(external_id="123", reference="CUST-0001", name="Acme", facets={"segment": "SMB"})])
    await crosswalk.resolve(["123"])        # {"123": "<global customer id>"}
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, cast

import httpx2
import orjson
from cachetools import TTLCache

from subgraphs.kit import signature
from subgraphs.kit.system_error import VendorBadResponseError, VendorUnavailableError

_log = logging.getLogger(__name__)
MAX_RECORDS_PER_CALL = 500
_LONGEST_TEXT = 500
"""What identity takes. Customers are found by copies, so the beginning of a longer name is enough; a longer key is none."""
_CACHE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CrosswalkRecord:
    """What identity needs to know of one customer record of one system."""

    external_id: str
    reference: str | None = None
    """The business key, `CUST-0001`."""
    tax_id: str | None = None
    domain: str | None = None
    name: str | None = None
    version: str | None = None
    parent: str | None = None
    """External id of the record that it belongs to; empty: to none. None: the system keeps no hierarchy."""
    facets: Mapping[str, str | None] = field(default_factory=dict)
    """What customers are found and ordered by: segment, ownerId, ownerName, status, overdueAmount."""

    def to_json(self, system: str) -> dict[str, Any]:
        """Return the entry of `POST /records`; fields that are None are left out."""
        entry = {
            "system": system,
            "externalId": self.external_id,
            "reference": _key(self.reference),
            "taxId": _key(self.tax_id),
            "domain": _key(self.domain),
            "name": self.name and self.name[:_LONGEST_TEXT],
            "version": self.version,
            "parent": self.parent,
        }
        facets = {name: value and value[:_LONGEST_TEXT] for name, value in self.facets.items()}
        return {**{name: value for name, value in entry.items() if value is not None}, "facets": facets}


def _key(value: str | None) -> str | None:
    return value if value is not None and len(value) <= _LONGEST_TEXT else None


class Crosswalk:
    """One subgraph's way to the crosswalk. Enter it once per process."""

    def __init__(
        self,
        *,
        url: str,
        signing_secret: str,
        system: str,
        timeout_s: float = 10.0,
        pushed: Callable[[], Awaitable[Iterable[str]]] | None = None,
    ) -> None:
        """`url` names one address of the crosswalk, or several with commas between: any of them will do.

        `pushed` returns the external ids that were ever pushed, by whichever replica of this subgraph.
        """
        self._system = system
        self._secret = signing_secret
        self._addresses = [address.strip().rstrip("/") for address in url.split(",")]
        self._pushed = pushed
        self._http = httpx2.AsyncClient(timeout=timeout_s, trust_env=False)
        # Merges and splits move records between customers, so a link is believed for a minute only.
        self._known: TTLCache[str, str] = TTLCache(maxsize=10_000, ttl=_CACHE_S)
        self._has_pushed = False

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def push(self, records: Iterable[CrosswalkRecord]) -> Mapping[str, str]:
        """Tell identity the records as they are; returns external id → global customer id. Raises VendorError."""
        entries = [record.to_json(self._system) for record in records]
        customers: dict[str, str] = {}
        for start in range(0, len(entries), MAX_RECORDS_PER_CALL):
            customers |= await self._post("/records", {"records": entries[start : start + MAX_RECORDS_PER_CALL]})
        self._learn(customers)
        self._has_pushed = self._has_pushed or bool(customers)
        return customers

    async def gone(self, external_ids: Sequence[str]) -> None:
        """Tell identity that these records were deleted. Raises VendorError."""
        for start in range(0, len(external_ids), MAX_RECORDS_PER_CALL):
            part = list(external_ids[start : start + MAX_RECORDS_PER_CALL])
            await self._ask("/gone", {"system": self._system, "externalIds": part})
        for external_id in external_ids:
            self._known.pop(external_id, None)

    async def resolve(self, external_ids: Sequence[str]) -> Mapping[str, str]:
        """Return external id → global customer id; ids that identity does not know are left out. Raises VendorError."""
        found = {key: self._known[key] for key in external_ids if key in self._known}
        return found | await self._resolve_now(sorted(set(external_ids) - set(found)))

    async def records_of(self, customer: str) -> tuple[str, ...]:
        """Return the external ids that are linked to a global customer id now, none if there are none. Raises VendorError.

        Before the first successful `push`, by whichever replica, identity can't know and it raises VendorUnavailableError.
        """
        if not self._has_pushed:
            self._has_pushed = self._pushed is not None and bool(list(await self._pushed()))
        if not self._has_pushed:
            raise VendorUnavailableError("The customers are not synchronised yet.", system="identity")
        match await self._ask("/members", {"system": self._system, "customer": customer}):
            case {"externalIds": list() as ids} if all(isinstance(each, str) for each in ids):
                return tuple(sorted(ids))
            case _:
                raise VendorBadResponseError("The crosswalk's answer can't be used.", system="identity")

    async def synchronised(self) -> None:
        """Tell identity that it now has every customer of this system. Raises VendorError."""
        await self._ask("/synchronised", {"system": self._system})

    async def confine(self, tenant: str | None, filters: Mapping[str, Sequence[str]]) -> frozenset[str] | None:
        """Return the external ids of the customers that claims leave to see; None where they confine nothing. Raises VendorError."""
        wanted = {name: list(values) for name, values in filters.items()}
        match await self._ask("/confine", {"system": self._system, "tenant": tenant, "filters": wanted}):
            case {"externalIds": None}:
                return None
            case {"externalIds": list() as ids} if all(isinstance(each, str) for each in ids):
                return frozenset(ids)
            case _:
                raise VendorBadResponseError("The crosswalk's answer can't be used.", system="identity")

    async def _resolve_now(self, external_ids: Sequence[str]) -> dict[str, str]:
        customers: dict[str, str] = {}
        for start in range(0, len(external_ids), MAX_RECORDS_PER_CALL):
            part = external_ids[start : start + MAX_RECORDS_PER_CALL]
            customers |= await self._post("/resolve", {"system": self._system, "externalIds": list(part)})
        self._learn(customers)
        return customers

    def _learn(self, customers: Mapping[str, str]) -> None:
        self._known.update(customers)

    def forget(self) -> None:
        """Believe no link until it is asked for again."""
        self._known.clear()

    async def _post(self, path: str, message: Mapping[str, Any]) -> dict[str, str]:
        match await self._ask(path, message):
            case {"customers": dict() as customers, **rest} if all(
                isinstance(value, str) for value in customers.values()
            ):
                for rejected in cast("list[object]", rest.get("rejected", [])):
                    _log.warning("Identity refuses a record of %s: %s", self._system, rejected)
                return customers
            case _:
                raise VendorBadResponseError("The crosswalk's answer can't be used.", system="identity")

    async def _ask(self, path: str, message: Mapping[str, Any]) -> Any:
        body = orjson.dumps(message)
        headers = {"content-type": "application/json", signature.HEADER: signature.sign(self._secret, body)}
        reply = await self._send(path, body, headers)
        try:
            if reply.is_success:
                return orjson.loads(reply.content)
        except orjson.JSONDecodeError:
            pass
        unusable = f"The crosswalk's answer can't be used (status {reply.status_code})."
        raise VendorBadResponseError(unusable, system="identity")

    async def _send(self, path: str, body: bytes, headers: Mapping[str, str]) -> httpx2.Response:
        """Ask the address that answered last; where it can't be reached, the next one. All that is asked can be repeated."""
        for _ in self._addresses[1:]:
            try:
                return await self._http.post(f"{self._addresses[0]}{path}", content=body, headers=headers)
            except httpx2.TransportError as error:
                _log.info("The crosswalk can't be reached at one address: %s", type(error).__name__)
                self._addresses.append(self._addresses.pop(0))
        try:
            return await self._http.post(f"{self._addresses[0]}{path}", content=body, headers=headers)
        except httpx2.TransportError as error:
            raise VendorUnavailableError("The crosswalk can't be reached.", system="identity") from error
