"""The two doors of a Tryton 8.2 server: REST with an application key for reading, JSON-RPC with a session for writing.

REST has no versions and no wizards, so writes go by RPC, which refuses a stale `_timestamp` and carries the pay wizard.
An RPC that fails answers 200 with `{"error": [kind, arguments]}`; its transaction is rolled back.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from subgraphs.erp.vendors.tryton_drift import Fields, TrytonDrift
from subgraphs.erp.vendors.tryton_json import decode, encode, to_parameter
from subgraphs.kit.record_reader import UnreadableRecordError
from subgraphs.kit.schema_drift import SchemaDrift
from subgraphs.kit.system_error import (
    Outcome,
    VendorAuthError,
    VendorBadResponseError,
    VendorConflictError,
    VendorError,
    VendorFailedError,
    VendorRejectedError,
)
from subgraphs.kit.vendor_client import VendorClient
from subgraphs.kit.vendor_reply import VendorReply

RecordT = TypeVar("RecordT")
_log = logging.getLogger(__name__)
Row = Mapping[str, Any]
Domain = list[Any]
Order = list[list[str]]


def refusal_words(reply: VendorReply) -> str | None:
    """Return what Tryton says to a person about a refused REST call; nothing of its HTML pages."""
    match reply.body:
        case {"message": str() as message}:
            return message
        case _:
            return None


class Tryton:
    """One database of one server. Safe for concurrent requests."""

    def __init__(self, client: VendorClient, *, application_key: str, login: str, password: str) -> None:
        """`client.base_url` ends with the database's name: `http://127.0.0.1:4104/erp`."""
        self._client = client
        self._bearer = {"authorization": f"Bearer {application_key}"}
        self._login = login
        self._password = password
        self.drift = SchemaDrift(client.system)
        """What Tryton has sent that the mapping does not know."""
        self._schema = TrytonDrift(self.drift, self._fields_of)
        self._session: Mapping[str, str] | None = None
        # Guards the session, so that requests that find it expired log in once, not each.
        self._logging_in = asyncio.Lock()

    @property
    def system(self) -> str:
        """The logical name that errors carry."""
        return self._client.system

    async def search(
        self,
        model: str,
        domain: Domain,
        fields: Sequence[str],
        *,
        order: Order | None = None,
        limit: int | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> list[Row]:
        """Return the rows that match, nested fields included; ids that don't exist are simply not among them. Raises VendorError."""
        params: dict[str, str | int | Sequence[str]] = {"d": to_parameter(domain)}
        if order is not None:
            params["o"] = to_parameter(order)
        if limit is not None:
            params["s"] = limit
        headers = {**self._bearer, **({"x-tryton-context": to_parameter(context)} if context else {})}

        async def ask() -> VendorReply:
            known = self._schema.known(model, fields)
            return await self._client.read("GET", f"rest/model/{model}", params={**params, "f": known}, headers=headers)

        try:
            reply = await ask()
        except VendorFailedError:
            if not await self._schema.look(model, fields):
                raise
            reply = await ask()
        rows = self._decoded(reply.body)
        if not isinstance(rows, list) or not all(isinstance(row, dict) and "id" in row for row in rows):
            raise VendorBadResponseError(
                f"The {self.system} system's answer is not a list of records.", system=self.system
            )
        return self._schema.complete(model, fields, rows)

    async def _fields_of(self, model: str) -> Fields:
        found = await self.call(f"model.{model}.fields_get", None, {}, is_write=False)
        if not isinstance(found, dict):
            raise VendorBadResponseError(f"The {self.system} system's fields are not named.", system=self.system)
        return found

    def readable(
        self, model: str, rows: Iterable[Row], parse: Callable[[Row], RecordT], left_out: list[Row] | None = None
    ) -> list[RecordT]:
        """Return what can be made of the rows; one that can't be read is left out, and reported: to `left_out` as well."""
        found: list[RecordT] = []
        for row in rows:
            try:
                found += self.parsed(model, [row], parse)
            except VendorBadResponseError:
                _log.warning("A %s of the %s system can't be read and is left out: %s", model, self.system, row["id"])
                if left_out is not None:
                    left_out.append(row)
        return found

    def parsed(self, model: str, rows: Iterable[Row], parse: Callable[[Row], RecordT]) -> list[RecordT]:
        """Return what `parse` makes of the rows. Raises UnreadableRecordError for a row without the fields asked for."""
        try:
            return [parse(row) for row in rows]
        except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
            # Whatever it is, a state of a module of theirs or a field that is gone, people must see that it is new.
            self.drift.unreadable(model, "record", f"{type(error).__name__}: {error}")
            raise UnreadableRecordError(
                f"The {self.system} system's answer lacks what was asked for.", system=self.system
            ) from error

    async def press(self, model: str, row_id: int, button: str, context: Mapping[str, Any]) -> None:
        """Press a record's button. Raises VendorError. Questions that Tryton would ask a person count as answered with yes.

        By REST, for RPC drops that part of the context.
        """
        headers = {**self._bearer, "x-tryton-context": to_parameter({**context, "_skip_warnings": True})}
        await self._client.write(
            "POST", f"rest/model/{model}/{quote(str(row_id), safe='')}/{button}", json={}, headers=headers
        )

    async def call(self, method: str, *parameters: Any, is_write: bool = True) -> Any:
        """Return the result of an RPC such as `model.party.party.write`. Raises VendorError; logs in when the session has ended."""
        session = self._session or await self._log_in(None)
        try:
            return await self._rpc(method, parameters, session, is_write=is_write)
        except VendorAuthError:
            session = await self._log_in(session)
            return await self._rpc(method, parameters, session, is_write=is_write)

    async def _log_in(self, expired: Mapping[str, str] | None) -> Mapping[str, str]:
        async with self._logging_in:
            if self._session is None or self._session is expired:
                parameters = (self._login, {"password": self._password})
                found = await self._rpc("common.db.login", parameters, {}, is_write=False)
                if not isinstance(found, list) or len(found) < 2:
                    raise VendorAuthError(
                        f"The {self.system} system refused our credential.",
                        system=self.system,
                        outcome=Outcome.NOT_APPLIED,
                    )
                token = base64.b64encode(f"{self._login}:{found[0]}:{found[1]}".encode()).decode()
                self._session = {"authorization": f"Session {token}"}
            return self._session

    async def _rpc(self, method: str, parameters: Sequence[Any], headers: Mapping[str, str], *, is_write: bool) -> Any:
        body = {"id": 1, "method": method, "params": encode(list(parameters))}
        if is_write:
            reply = await self._client.write("POST", "rpc/", json=body, headers=headers, refused=self._refused)
        else:
            reply = await self._client.read("POST", "rpc/", json=body, headers=headers)
            if (error := self._refused(reply)) is not None:
                raise error
        match self._decoded(reply.body):
            case {"result": result}:
                return result
            case _:
                raise VendorBadResponseError(
                    f"The {self.system} system's answer is not one of its RPC.",
                    system=self.system,
                    retryable=not is_write,
                    outcome=Outcome.UNKNOWN if is_write else None,
                )

    def _refused(self, reply: VendorReply) -> VendorError | None:
        """Return what an RPC that was rolled back amounts to."""
        match reply.body:
            case {"error": [str() as kind, *details]}:
                return self._rpc_error(kind, details)
            case _:
                return None

    def _rpc_error(self, kind: str, details: Sequence[Any]) -> VendorError:
        not_applied = Outcome.NOT_APPLIED
        match kind, details:
            case ("UserError", [[str() as said, *_], *_]) | ("UserWarning", [[str(), str() as said, *_], *_]):
                return VendorRejectedError(said[:240], system=self.system, outcome=not_applied)
            case ("UserError" | "UserWarning", _):
                return VendorRejectedError(
                    f"The {self.system} system refused the request.", system=self.system, outcome=not_applied
                )
            case ("ConcurrencyException", _):
                return VendorConflictError(
                    "The record has changed since this version was read.", system=self.system, outcome=not_applied
                )
            case _:
                return VendorFailedError(
                    f"The {self.system} system failed.", system=self.system, retryable=False, outcome=not_applied
                )

    def _decoded(self, body: Any) -> Any:
        try:
            return decode(body)
        except (KeyError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            raise VendorBadResponseError(
                f"The {self.system} system's answer holds a broken value.", system=self.system
            ) from error


def after(field: str, value: dt.datetime | dt.date | str | None, row_id: int, *, descending: bool) -> Domain:
    """Return the domain of what follows a row in a list ordered by `field` (nulls last) and id: a page without an offset."""
    sign = "<" if descending else ">"
    if value is None:
        return [[field, "=", None], ["id", sign, row_id]]
    return ["OR", [field, sign, value], [[field, "=", value], ["id", sign, row_id]], [field, "=", None]]
