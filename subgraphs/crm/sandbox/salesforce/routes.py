"""The paths of the REST API, each over the org."""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from subgraphs.crm.sandbox.salesforce.evaluate import evaluate
from subgraphs.crm.sandbox.salesforce.org import Org
from subgraphs.crm.sandbox.salesforce.refusal import Refusal, malformed, not_found
from subgraphs.crm.sandbox.salesforce.schema import OBJECTS, ObjectType, object_type
from subgraphs.crm.sandbox.salesforce.soql import parse
from subgraphs.kit.sandbox.state import Document

API = "/services/data/{version:str}"
MOST_RETRIEVED = 2000
MOST_WRITTEN = 200
MOST_URL_BYTES = 16_384
_BATCH_SIZE = re.compile(r"batchSize=(\d{1,5})")
_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_MOST_CURSORS = 50


class Routes:
    """The handlers of one org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._cursors: dict[str, tuple[str, list[Document]]] = {}

    def all(self) -> list[Route]:
        """Return the routes."""
        row = API + "/sobjects/{kind}/{id}"
        collection = API + "/composite/sobjects"
        return [
            Route(API + "/query", self.query, methods=["GET"]),
            Route(API + "/query/", self.query, methods=["GET"]),
            Route(API + "/queryAll", self.query_all, methods=["GET"]),
            Route(API + "/queryAll/", self.query_all, methods=["GET"]),
            Route(API + "/query/{cursor}", self.query_more, methods=["GET"]),
            Route(API + "/sobjects", self.list_objects, methods=["GET"]),
            Route(API + "/sobjects/{kind}", self.create, methods=["POST"]),
            Route(API + "/sobjects/{kind}/", self.create, methods=["POST"]),
            Route(API + "/sobjects/{kind}/describe", self.describe, methods=["GET"]),
            Route(row, self.read, methods=["GET"]),
            Route(row, self.update, methods=["PATCH"]),
            Route(row, self.delete, methods=["DELETE"]),
            Route(API + "/sobjects/{kind}/{field}/{key:path}", self.upsert, methods=["PATCH"]),
            Route(collection, self.write_collection, methods=["PATCH", "POST"]),
            Route(collection + "/{kind}", self.read_collection, methods=["GET", "POST"]),
            Route(collection + "/{kind}/{field}", self.upsert_collection, methods=["PATCH"]),
        ]

    async def query(self, request: Request) -> Response:
        """GET …/query?q=SELECT…"""
        return self._answer(request, with_deleted=False)

    async def query_all(self, request: Request) -> Response:
        """GET …/queryAll: the recycle bin's records too."""
        return self._answer(request, with_deleted=True)

    def _answer(self, request: Request, *, with_deleted: bool) -> Response:
        if (
            len(str(request.url)) + sum(len(name) + len(value) for name, value in request.headers.items())
            > MOST_URL_BYTES
        ):
            raise Refusal(414, "REQUEST_URI_TOO_LONG", "URI Too Long")
        query = parse(request.query_params.get("q", ""))
        kind = OBJECTS.get(query.object)
        if kind is None:
            raise Refusal(400, "INVALID_TYPE", f"sObject type '{query.object}' is not supported.")
        try:
            found = evaluate(query, kind, self._org.records(kind, with_deleted=with_deleted))
        except ValueError as error:
            raise malformed("line 1: a date is none") from error
        if not query.fields:
            return JSONResponse({"totalSize": len(found), "done": True, "records": []})
        version = request.path_params["version"]
        shown = [_shown(kind, held, query.fields, version) for held in found]
        cursor = f"01g{len(self._cursors):012}AAA"
        if len(self._cursors) >= _MOST_CURSORS:
            self._cursors.pop(next(iter(self._cursors)))
        self._cursors[cursor] = (version, shown)
        return self._page(request, cursor, 0)

    async def query_more(self, request: Request) -> Response:
        """GET …/query/01g…-2000: the next page."""
        cursor, _, offset = request.path_params["cursor"].partition("-")
        if cursor not in self._cursors or not offset.isdigit():
            raise Refusal(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(request, cursor, int(offset))

    def _page(self, request: Request, cursor: str, offset: int) -> Response:
        version, records = self._cursors[cursor]
        asked = _BATCH_SIZE.search(request.headers.get("sforce-query-options", ""))
        size = min(2000, max(200, int(asked[1]))) if asked else 2000
        page: dict[str, Any] = {"totalSize": len(records), "done": offset + size >= len(records)}
        if not page["done"]:
            page["nextRecordsUrl"] = f"/services/data/{version}/query/{cursor}-{offset + size}"
        else:
            del self._cursors[cursor]
        return JSONResponse({**page, "records": records[offset : offset + size]})

    async def list_objects(self, _request: Request) -> Response:
        """GET …/sobjects."""
        return JSONResponse({"sobjects": [{"name": kind.name, "keyPrefix": kind.prefix} for kind in OBJECTS.values()]})

    async def describe(self, request: Request) -> Response:
        """GET …/sobjects/{type}/describe."""
        kind = object_type(request.path_params["kind"])
        fields = [field.to_json() for field in kind.fields.values()]
        return JSONResponse({"name": kind.name, "keyPrefix": kind.prefix, "fields": fields})

    async def read(self, request: Request) -> Response:
        """GET …/sobjects/{type}/{id}."""
        kind = object_type(request.path_params["kind"])
        held = self._org.find(kind, request.path_params["id"])
        if held is None:
            raise not_found()
        names = request.query_params.get("fields")
        fields = names.split(",") if names else list(kind.fields)
        _check_fields(kind, fields)
        return JSONResponse(_shown(kind, held, fields, request.path_params["version"]))

    async def create(self, request: Request) -> Response:
        """POST …/sobjects/{type}."""
        held = self._org.create(object_type(request.path_params["kind"]), await _body(request))
        return JSONResponse({"id": held["Id"], "success": True, "errors": []}, 201)

    async def update(self, request: Request) -> Response:
        """PATCH …/sobjects/{type}/{id}, unless modified since."""
        kind, wanted = object_type(request.path_params["kind"]), request.path_params["id"]
        values = await _body(request)
        since = request.headers.get("if-unmodified-since")
        held = self._org.find(kind, wanted)
        if since is not None and held is not None:
            limit = parsedate_to_datetime(since).strftime("%Y-%m-%dT%H:%M:%S")
            if str(held["SystemModstamp"])[:19] > limit:
                return Response(status_code=412)
        self._org.update(kind, wanted, values)
        return Response(status_code=204)

    async def delete(self, request: Request) -> Response:
        """DELETE …/sobjects/{type}/{id}."""
        self._org.delete(object_type(request.path_params["kind"]), request.path_params["id"])
        return Response(status_code=204)

    async def upsert(self, request: Request) -> Response:
        """PATCH …/sobjects/{type}/{external id field}/{value}."""
        kind = object_type(request.path_params["kind"])
        record_id, is_new = self._put(
            kind, request.path_params["field"], request.path_params["key"], await _body(request)
        )
        return JSONResponse({"id": record_id, "success": True, "errors": [], "created": is_new}, 201 if is_new else 200)

    async def read_collection(self, request: Request) -> Response:
        """POST …/composite/sobjects/{type}: the records of up to 2,000 ids, null for each that is none."""
        kind = object_type(request.path_params["kind"])
        if request.method == "GET":
            query = request.query_params
            body: Any = {"ids": query.get("ids", "").split(","), "fields": query.get("fields", "").split(",")}
        else:
            body = await _body(request)
        match body:
            case {"ids": list() as ids, "fields": list() as fields} if ids and fields:
                if len(ids) > MOST_RETRIEVED:
                    raise Refusal(
                        400,
                        "EXCEEDED_ID_LIMIT",
                        f"record limit reached. cannot submit more than {MOST_RETRIEVED} records",
                    )
            case _:
                raise Refusal(400, "MISSING_ARGUMENT", "ids and fields are required")
        _check_fields(kind, fields)
        for wanted in ids:
            if not isinstance(wanted, str) or not _ID.fullmatch(wanted) or not wanted.startswith(kind.prefix):
                raise Refusal(400, "MALFORMED_ID", f"{kind.name} ID: id value of incorrect type: {str(wanted)[:30]}")
        version = request.path_params["version"]
        found = [self._org.find(kind, wanted) for wanted in ids]
        return JSONResponse([None if held is None else _shown(kind, held, fields, version) for held in found])

    async def write_collection(self, request: Request) -> Response:
        """PATCH or POST …/composite/sobjects: up to 200 records, each with its own result."""
        results = []
        for record in _records(await _body(request)):
            kind = object_type(str((record.get("attributes") or {}).get("type")))
            try:
                if request.method == "POST":
                    record_id = self._org.create(kind, record)["Id"]
                else:
                    values = {name: value for name, value in record.items() if name.lower() != "id"}
                    record_id = self._org.update(kind, str(record.get("id") or record.get("Id")), values)["Id"]
                results.append({"id": record_id, "success": True, "errors": []})
            except Refusal as refusal:
                results.append(_failed(refusal))
        return JSONResponse(results)

    async def upsert_collection(self, request: Request) -> Response:
        """PATCH …/composite/sobjects/{type}/{external id field}: up to 200 records."""
        kind, field = object_type(request.path_params["kind"]), request.path_params["field"]
        results = []
        for record in _records(await _body(request)):
            try:
                record_id, is_new = self._put(kind, field, str(record.get(field) or ""), record)
                results.append({"id": record_id, "success": True, "errors": [], "created": is_new})
            except Refusal as refusal:
                results.append(_failed(refusal))
        return JSONResponse(results)

    def _put(self, kind: ObjectType, field: str, key: str, values: Any) -> tuple[str, bool]:
        held = self._org.find_by(kind, field, key)
        if not key:
            raise Refusal(400, "MISSING_ARGUMENT", f"{field} not specified", (field,))
        others = (
            {name: value for name, value in values.items() if name != field} if isinstance(values, dict) else values
        )
        if held is not None:
            return str(self._org.update(kind, held["Id"], others)["Id"]), False
        return str(self._org.create(kind, {**others, field: key})["Id"]), True


def _failed(refusal: Refusal) -> dict[str, Any]:
    error = {"statusCode": refusal.code, "message": refusal.message, "fields": list(refusal.fields)}
    return {"success": False, "errors": [error]}


def _records(body: Any) -> Sequence[dict[str, Any]]:
    match body:
        case {"records": list() as records} if all(isinstance(record, dict) for record in records):
            if len(records) > MOST_WRITTEN:
                raise Refusal(
                    400, "EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {MOST_WRITTEN} records"
                )
            return records
        case _:
            raise Refusal(400, "MISSING_ARGUMENT", "records is required")


def _check_fields(kind: ObjectType, names: Sequence[object]) -> None:
    for name in names:
        if name not in kind.fields:
            raise Refusal(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {kind.name}")


def _shown(kind: ObjectType, held: Document, fields: Sequence[str], version: str) -> Document:
    """Return a record as it is sent: its attributes, and the fields asked for, null where there is none."""
    attributes = {"type": kind.name, "url": f"/services/data/{version}/sobjects/{kind.name}/{held['Id']}"}
    return {"attributes": attributes, **{name: held.get(name) for name in fields}}


async def _body(request: Request) -> Any:
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise Refusal(400, "JSON_PARSER_ERROR", "The HTTP entity body is not JSON.") from error
