"""One Salesforce org over REST: queries and their pages, records by id, conditional updates, upserts, its own fields.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote as quote_path

from subgraphs.crm.vendors.salesforce_mapping import API_VERSION, ARGUMENTS, Document, version_instant
from subgraphs.crm.vendors.soql import is_in, select
from subgraphs.kit.schema_drift import SchemaDrift
from subgraphs.kit.system_error import (
    BadUserInputError,
    FieldError,
    Outcome,
    VendorBadResponseError,
    VendorConflictError,
    VendorNotFoundError,
    VendorRejectedError,
)
from subgraphs.kit.vendor_client import VendorClient, pages
from subgraphs.kit.vendor_reply import VendorReply

API = f"/services/data/{API_VERSION}"
TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - a path
MAX_PAGE = 2000
MAX_WRITTEN = 200
"""Records of one Collections write."""
_MIN_PAGE = 200
_DESCRIBED_S = 3600.0
_CODE = re.compile(r"[A-Z][A-Z_]{2,60}")
_STATUS = {
    "REQUEST_LIMIT_EXCEEDED": 429,
    "SERVER_UNAVAILABLE": 503,
    "QUERY_TIMEOUT": 504,
    "UNABLE_TO_LOCK_ROW": 409,
    "ENTITY_IS_DELETED": 404,
    "INVALID_SESSION_ID": 401,
}
"""Error codes whose HTTP status says something else: Salesforce answers 403 to too many requests, and 400 to a lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What an org, or a stand-in for one, can do. An org can do all of it."""

    has_collections: bool = True
    """Reads 2,000 records by id in one request; otherwise they are queried, 400 a request."""
    has_describe: bool = True
    """Tells its fields; otherwise it is taken to have all that the mapping knows."""


@dataclass(slots=True)
class SalesforceOrg:
    """The REST resources that the adaptor needs, each once."""

    client: VendorClient
    drift: SchemaDrift
    abilities: Abilities = Abilities()
    _described: dict[str, tuple[float, frozenset[str]]] = field(default_factory=dict)

    async def query(
        self, soql: str, *, page: int = MAX_PAGE, with_deleted: bool = False
    ) -> AsyncIterator[tuple[Sequence[Document], int]]:
        """Yield the records of a query page by page, each with how many there are in all. `page` is a wish, 200 to 2,000."""
        total = 0

        async def fetch(following: str | None) -> tuple[Sequence[Document], str | None]:
            nonlocal total
            options = {"sforce-query-options": f"batchSize={min(MAX_PAGE, max(_MIN_PAGE, page))}"}
            if following is None:
                path = f"{API}/{'queryAll' if with_deleted else 'query'}/"
                reply = await self.client.read("GET", path, params={"q": soql}, headers=options)
            else:
                reply = await self.client.read("GET", following, headers=options)
            records, total, cursor = _page(reply)
            return records, cursor

        async for records in pages(fetch):
            yield records, total

    async def rows(self, soql: str) -> list[Document]:
        """Return all records of a query."""
        return [record async for records, _ in self.query(soql) for record in records]

    async def retrieve(self, kind: str, ids: Sequence[str], fields: Sequence[str]) -> list[Document]:
        """Return the records that exist, in no promised order, by one request of at most 2,000 ids."""
        body = {"ids": list(ids), "fields": list(fields)}
        reply = await self.client.read("POST", f"{API}/composite/sobjects/{kind}", json=body)
        match reply.body:
            case list() as records:
                return [record for record in records if record is not None]
            case _:
                raise unexpected()

    async def update(self, kind: str, record_id: str, values: Mapping[str, Any], *, version: str | None) -> None:
        """Write fields, if the record was not modified since `version`. Raises VendorConflictError if it was."""
        headers = {}
        if version is not None:
            headers["if-unmodified-since"] = format_datetime(version_instant(version), usegmt=True)
        try:
            await self.client.write(
                "PATCH", f"{API}/sobjects/{kind}/{quote_path(record_id, safe='')}", json=dict(values), headers=headers
            )
        except VendorRejectedError as error:
            raise _explain(error) from error

    async def upsert(self, kind: str, key_field: str, key: str, values: Mapping[str, Any]) -> str:
        """Make the record with this external id, or write to the one that has it; returns its id. Safe to repeat."""
        path = f"{API}/sobjects/{kind}/{key_field}/{quote_path(key, safe='')}"
        try:
            reply = await self.client.write("PATCH", path, json=dict(values))
        except VendorRejectedError as error:
            raise _explain(error) from error
        if reply.body is None:
            # Older versions of the API say nothing when the record was there already.
            held = await self.rows(select(("Id",), kind, (is_in(key_field, (key,)),)))
        else:
            held = [reply.body]
        match held:
            case [{"id": str() as record_id}] | [{"Id": str() as record_id}]:
                return record_id
            case _:
                raise unexpected()

    async def upsert_many(
        self, kind: str, key_field: str, rows: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, str | FieldError]:
        """Do as `upsert` does for up to 200 records by their external ids, in one request. Safe to repeat.

        Returns external id → id, or what is wrong with that record alone. Without Collections they are written one by one.
        """
        if not self.abilities.has_collections:
            return {key: await self._upsert_alone(kind, key_field, key, values) for key, values in rows.items()}
        records = [{"attributes": {"type": kind}, key_field: key, **values} for key, values in rows.items()]
        path = f"{API}/composite/sobjects/{kind}/{key_field}"
        reply = await self.client.write("PATCH", path, json={"allOrNone": False, "records": records})
        match reply.body:
            case list() as results if len(results) == len(rows):
                return {key: _result(found) for key, found in zip(rows, results, strict=True)}
            case _:
                raise unexpected()

    async def _upsert_alone(self, kind: str, key_field: str, key: str, values: Mapping[str, Any]) -> str | FieldError:
        try:
            return await self.upsert(kind, key_field, key, values)
        except (BadUserInputError, VendorConflictError, VendorRejectedError) as error:
            return error

    async def delete(self, kind: str, record_id: str) -> None:
        """Move a record to the recycle bin; one that is there already is no failure."""
        with suppress(VendorNotFoundError):
            await self.client.write("DELETE", f"{API}/sobjects/{kind}/{record_id}")

    async def fields(self, kind: str, wanted: Sequence[str]) -> list[str]:
        """Return which of the fields the org has, by its own description, kept for an hour; the others are reported."""
        if not self.abilities.has_describe:
            return list(wanted)
        read_at, known = self._described.get(kind, (float("-inf"), frozenset()))
        if time.monotonic() - read_at > _DESCRIBED_S:
            reply = await self.client.read("GET", f"{API}/sobjects/{kind}/describe")
            match reply.body:
                case {"fields": list() as entries}:
                    known = frozenset(str(entry.get("name")) for entry in entries if isinstance(entry, dict))
                case _:
                    raise unexpected()
            self._described[kind] = time.monotonic(), known
        for name in wanted:
            if name not in known:
                self.drift.missing(kind, name)
        return [name for name in wanted if name in known]


def _page(reply: VendorReply) -> tuple[Sequence[Document], int, str | None]:
    match reply.body:
        case {"records": list() as records, "totalSize": int() as total, **rest}:
            following = rest.get("nextRecordsUrl")
            # A path of this API and nothing else: our token goes there.
            if isinstance(following, str) and following.startswith("/services/data/"):
                return records, total, following
            return records, total, None
        case _:
            raise unexpected()


def unexpected() -> VendorBadResponseError:
    """Return the error of an answer that has not the shape that the documentation promises."""
    return VendorBadResponseError("The crm system's answer has an unexpected shape.", system="crm")


def meaning(reply: VendorReply) -> int:
    """Return the HTTP status that a refusal amounts to."""
    return _STATUS.get(_code(reply) or "", reply.status)


def allowed_words(reply: VendorReply) -> str | None:
    """Return what of a refusal a client may read: its code, never its message, which quotes our request."""
    code = _code(reply)
    return None if code is None else f"The crm system refused the request: {code}."


def _code(reply: VendorReply) -> str | None:
    match reply.body:
        case [{"errorCode": str() as code}, *_] if _CODE.fullmatch(code):
            return code
        case _:
            return None


def _result(found: object) -> str | FieldError:
    """Return the id in one result of a Collections write, or the error."""
    match found:
        case {"success": True, "id": str() as record_id}:
            return record_id
        case {"errors": [{"fields": [str() as name, *_]}, *_]} if name in ARGUMENTS:
            return _refused_argument(name)
        case {"errors": [{"statusCode": str() as code}, *_]} if _STATUS.get(code) == 409:
            return VendorConflictError(
                "Somebody else is writing to the record.", system="crm", outcome=Outcome.NOT_APPLIED
            )
        case {"errors": [{"statusCode": str() as code}, *_]} if _CODE.fullmatch(code):
            return VendorRejectedError(
                f"The crm system refused the record: {code}.", system="crm", outcome=Outcome.NOT_APPLIED
            )
        case _:
            return unexpected()


def _refused_argument(name: str) -> BadUserInputError:
    return BadUserInputError(
        f"The crm system does not take this value of `{ARGUMENTS[name]}`.", system="crm", outcome=Outcome.NOT_APPLIED
    )


def _explain(error: VendorRejectedError) -> VendorRejectedError | BadUserInputError:
    """Return the refusal of a write as the fault of an argument, if Salesforce names a field that came from one."""
    match error.reply.body if error.reply else None:
        case [{"fields": [str() as name, *_]}, *_] if name in ARGUMENTS:
            return _refused_argument(name)
        case _:
            return error
