"""The crosswalk's HTTP interface for the other subgraphs: `POST /records`, `/gone`, `/synchronised`, `/resolve`, `/members` and `/confine`, signed."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from subgraphs.identity.awaited import AwaitedSystems
from subgraphs.identity.bounds import Dimensions, bounds_of
from subgraphs.identity.customer_id import global_customer_id, local_customer_id
from subgraphs.identity.customers import find_owners, records_of, records_within
from subgraphs.identity.gone import take_away
from subgraphs.identity.record import CustomerRecord, RecordRefusedError, parse_external_id, parse_record, parse_system
from subgraphs.identity.take_records import Taken, take_records
from subgraphs.kit import signature
from subgraphs.kit.database import Database
from subgraphs.kit.graphql_request import RequestRefusedError, read_body
from subgraphs.kit.outbox import Outbox
from subgraphs.kit.system_error import BadUserInputError

MAX_RECORDS = 500


class CrosswalkRoutes:
    """Answers other subgraphs. Every refusal is `{"errors": [{"message", "extensions": {"code", …}}]}`."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        awaited: AwaitedSystems,
        *,
        signing_secret: str,
        max_body_bytes: int,
        dimensions: Dimensions,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._awaited = awaited
        self._secret = signing_secret
        self._max_body_bytes = max_body_bytes
        self._dimensions = dimensions

    def routes(self) -> Sequence[Route]:
        """Return the routes for the process's application."""
        return (
            Route("/records", self._signed(self._take), methods=["POST"]),
            Route("/gone", self._signed(self._gone), methods=["POST"]),
            Route("/synchronised", self._signed(self._synchronised), methods=["POST"]),
            Route("/resolve", self._signed(self._resolve), methods=["POST"]),
            Route("/members", self._signed(self._members), methods=["POST"]),
            Route("/confine", self._signed(self._confine), methods=["POST"]),
        )

    async def _take(self, message: Any) -> dict[str, Any]:
        """`{"records": […]}` → `{"customers": {external id: global id}, "unmatched": […], "rejected": […]}`."""
        entries = _list_of(message, "records")
        records: list[CustomerRecord] = []
        rejected: list[dict[str, Any]] = []
        for index, entry in enumerate(entries):
            try:
                records.append(parse_record(entry))
            except RecordRefusedError as error:
                rejected.append({"index": index, "code": "BAD_USER_INPUT", "message": str(error)})
        if len({record.system for record in records}) > 1:
            raise RequestRefusedError(400, "BAD_USER_INPUT", "Send the records of one system at a time.")
        taken = await self._database.run(lambda connection: self._take_and_tell(connection, records))
        self._outbox.wake()
        return {
            "customers": {id_: global_customer_id(customer) for id_, customer in taken.customers.items()},
            "unmatched": [{"externalId": id_, "reason": reason} for id_, reason in taken.unmatched.items()],
            "rejected": rejected,
        }

    @staticmethod
    def _take_and_tell(connection: Any, records: Sequence[CustomerRecord]) -> Taken:
        taken = take_records(connection, records, time.time())
        Outbox.insert(connection, taken.events)
        return taken

    async def _gone(self, message: Any) -> dict[str, Any]:
        """`{"system": "crm", "externalIds": ["123"]}`, which that system has deleted → `{}`; unknown ids do no harm."""
        wanted = [external_id for _, external_id in _records_of(message)]
        system = _system_of(message)

        def work(connection: Any) -> None:
            Outbox.insert(connection, take_away(connection, system, wanted, time.time()))

        await self._database.run(work)
        self._outbox.wake()
        return {}

    async def _synchronised(self, message: Any) -> dict[str, Any]:
        """`{"system": "crm"}`, told by a system after all its records → `{}`."""
        await self._awaited.synchronised(_system_of(message))
        return {}

    async def _resolve(self, message: Any) -> dict[str, Any]:
        """`{"system": "crm", "externalIds": ["123"]}` → `{"customers": {"123": global id}}`; unknown ids are left out."""
        wanted = _records_of(message)
        found = await self._database.run(lambda connection: find_owners(connection, wanted))
        return {"customers": {id_: global_customer_id(customer) for (_, id_), customer in found.items()}}

    async def _members(self, message: Any) -> dict[str, Any]:
        """`{"system": "crm", "customer": global id}` → `{"externalIds": ["123"]}`: that system's records of the customer."""
        system = _system_of(message)
        try:
            customer = local_customer_id(str(message.get("customer")))
        except BadUserInputError as error:
            raise RequestRefusedError(400, "BAD_USER_INPUT", "`customer` is a customer's global id.") from error
        return {"externalIds": await self._database.run(lambda c: records_of(c, system, customer))}

    async def _confine(self, message: Any) -> dict[str, Any]:
        """`{"system": "crm", "tenant": "acme" | null, "filters": {…}}` → `{"externalIds": ["123"]}`; null: nothing confines."""
        match message:
            case {"system": _, "tenant": str() | None as tenant, "filters": dict() as filters} if all(
                isinstance(values, list) and all(isinstance(each, str) for each in values)
                for values in filters.values()
            ):
                pass
            case _:
                raise RequestRefusedError(400, "BAD_REQUEST", "The body has a system, a tenant and filters.")
        system = _system_of(message)
        bounds = bounds_of(self._dimensions, tenant=tenant, filters=filters)
        if not bounds:
            return {"externalIds": None}
        return {"externalIds": await self._database.run(lambda connection: records_within(connection, system, bounds))}

    def _signed(self, answer: Callable[[Any], Awaitable[dict[str, Any]]]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                body = await read_body(request, max_bytes=self._max_body_bytes)
                signature.verify(self._secret, body, request.headers.get(signature.HEADER))
                return _json(await answer(_parse(body)))
            except signature.SignatureInvalidError as error:
                return _refusal(RequestRefusedError(401, error.code, error.reason))
            except RequestRefusedError as refusal:
                return _refusal(refusal)

        return endpoint


def _parse(body: bytes) -> dict[str, Any]:
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestRefusedError(400, "BAD_REQUEST", "The body is not JSON.") from error
    if not isinstance(message, dict):
        raise RequestRefusedError(400, "BAD_REQUEST", "The body is not a JSON object.")
    return message


def _system_of(message: dict[str, Any]) -> str:
    try:
        return parse_system(message.get("system"))
    except RecordRefusedError as error:
        raise RequestRefusedError(400, "BAD_USER_INPUT", str(error)) from error


def _records_of(message: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the (system, external id)s that a message names."""
    ids, system = _list_of(message, "externalIds"), _system_of(message)
    try:
        return [(system, parse_external_id(id_)) for id_ in ids]
    except RecordRefusedError as error:
        raise RequestRefusedError(400, "BAD_USER_INPUT", str(error)) from error


def _list_of(message: dict[str, Any], name: str) -> list[Any]:
    entries = message.get(name)
    if not isinstance(entries, list):
        raise RequestRefusedError(400, "BAD_REQUEST", f"The body has a list `{name}`.")
    if len(entries) > MAX_RECORDS:
        raise RequestRefusedError(413, "PAYLOAD_TOO_LARGE", f"`{name}` has at most {MAX_RECORDS} entries.")
    return entries


def _refusal(refusal: RequestRefusedError) -> Response:
    return _json({"errors": [refusal.to_graphql_error("identity")]}, refusal.status)


def _json(content: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
