"""Tryton's HTTP doors: REST below `/<database>/rest/model`, JSON-RPC at `/<database>/rpc/`, refusals as Tryton prints them."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from subgraphs.erp.sandbox.business import Business
from subgraphs.erp.sandbox.domain import search
from subgraphs.erp.sandbox.models import MODELS
from subgraphs.erp.sandbox.reading import field_tree, read, search_read
from subgraphs.erp.sandbox.refusal import ConcurrencyError, ForbiddenError, MissingError, ServerError, UserError
from subgraphs.erp.sandbox.rpc import Rpc
from subgraphs.erp.vendors.tryton_json import decode, from_parameter, print_json

_PAGES = {
    400: ("Bad Request", ""),
    401: ("Unauthorized", "The server could not verify that you are authorized to access the URL requested."),
    403: ("Forbidden", "You don't have the permission to access the requested resource."),
    404: ("Not Found", "The requested URL was not found on the server."),
    416: ("Requested Range Not Satisfiable", "The server cannot provide the requested range."),
    429: ("Too Many Requests", "This user has exceeded an allotted request count. Try again later."),
    500: ("Internal Server Error", ""),
}


def page(status: int, words: str = "") -> Response:
    """Return one of werkzeug's HTML pages."""
    title, standard = _PAGES[status]
    text = html.escape(words or standard)
    body = f"<!doctype html>\n<html lang=en>\n<title>{status} {title}</title>\n<h1>{title}</h1>\n<p>{text}</p>\n"
    return Response(body, status, media_type="text/html")


def _json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(print_json(value), status, headers, media_type="application/json")


class Server:
    """The routes of one database."""

    def __init__(self, business: Business, rpc: Rpc, *, database: str, application_key: str) -> None:
        self._business = business
        self._tables = business.tables
        self._rpc = rpc
        self._key = application_key
        model = f"/{database}/rest/model/{{model}}"
        rest: list[tuple[str, Callable[[Request, bytes], Response], list[str]]] = [
            (model, self._search, ["GET"]),
            (model, self._create, ["POST"]),
            (model + "/{id:int}", self._get, ["GET"]),
            (model + "/{id:int}", self._update, ["PUT"]),
            (model + "/{id:int}", self._delete, ["DELETE"]),
            (model + "/{id:int}/{action}", self._act, ["POST"]),
        ]
        routes = [Route(path, self._door(answer), methods=methods) for path, answer, methods in rest]
        routes += [
            Route(f"/{database}/rpc/", self._call, methods=["POST"]),
            Route("/rpc/", self._call, methods=["POST"]),
        ]
        self.app = Starlette(routes=routes, exception_handlers={404: self._not_found, 405: self._not_found})

    async def _not_found(self, _request: Request, _error: Exception) -> Response:
        return page(404)

    def _door(self, answer: Callable[[Request, bytes], Response]) -> Callable[[Request], Any]:
        async def door(request: Request) -> Response:
            if request.headers.get("authorization") != f"Bearer {self._key}":
                return page(401)
            body = await request.body()
            try:
                return answer(request, body)
            except UserError as error:
                return _json({"status": 400, "message": error.message, "description": ""}, 400)
            except MissingError:
                return page(404)
            except ForbiddenError:
                return page(403)
            except (ServerError, KeyError, ValueError, TypeError, ArithmeticError) as error:
                return page(500, str(error))

        return door

    def _context(self, request: Request) -> Mapping[str, Any]:
        header = request.headers.get("x-tryton-context")
        context = from_parameter(header) if header else {}
        if not isinstance(context, dict):
            raise ServerError("'list' object has no attribute 'get'")
        return context

    def _fields(self, request: Request) -> Any:
        return field_tree(request.query_params.getlist("f"))

    def _search(self, request: Request, _body: bytes) -> Response:
        parameters, model = request.query_params, request.path_params["model"]
        domain = from_parameter(parameters["d"]) if "d" in parameters else []
        order = from_parameter(parameters["o"]) if "o" in parameters else None
        offset, limit = int(parameters.get("p", 0)), int(parameters["s"]) if "s" in parameters else None
        range_ = request.headers.get("range")
        if range_:
            start, _, end = range_.partition("=")[2].partition("-")
            offset, limit = int(start), int(end) - int(start) if end else None
        rows = search_read(
            self._tables,
            model,
            domain,
            self._fields(request),
            order=order,
            offset=offset,
            limit=limit,
            context=self._context(request),
        )
        if not range_:
            return _json(rows)
        if not rows and offset:
            return page(416)
        total: int | str = offset + len(rows)
        if limit is not None and len(rows) >= limit:
            most = 10 * (limit + offset)
            count = len(search(self._tables, model, domain))
            total = "*" if count >= most else count
        headers = {"Accept-Ranges": "records", "Content-Range": f"records {offset}-{offset + len(rows)}/{total}"}
        return _json(rows, headers=headers)

    def _one(self, request: Request, row_id: int) -> Response:
        model = request.path_params["model"]
        row = self._tables.get(model, row_id) if model in MODELS else None
        if model not in MODELS:
            raise ServerError(f"'{model}'")
        if row is None:
            raise MissingError
        return _json(read(self._tables, model, [row], self._fields(request), self._context(request))[0])

    def _get(self, request: Request, _body: bytes) -> Response:
        return self._one(request, request.path_params["id"])

    def _values(self, body: bytes) -> Any:
        return decode(orjson.loads(body)) if body else {}

    def _create(self, request: Request, body: bytes) -> Response:
        row_id = self._business.create(request.path_params["model"], self._values(body), self._context(request))
        return self._one(request, row_id)

    def _update(self, request: Request, body: bytes) -> Response:
        model, row_id = request.path_params["model"], request.path_params["id"]
        if model in MODELS and self._tables.get(model, row_id) is None:
            raise MissingError
        # REST ignores versions: only RPC compares `_timestamp`.
        context = {name: value for name, value in self._context(request).items() if name != "_timestamp"}
        self._business.write(model, [row_id], self._values(body), context)
        return self._one(request, row_id)

    def _delete(self, request: Request, _body: bytes) -> Response:
        model, row_id = request.path_params["model"], request.path_params["id"]
        if model in MODELS and self._tables.get(model, row_id) is None:
            raise MissingError
        self._business.delete(model, [row_id], self._context(request))
        return Response(status_code=204)

    def _act(self, request: Request, _body: bytes) -> Response:
        model, row_id, action = (request.path_params[name] for name in ("model", "id", "action"))
        if model in MODELS and self._tables.get(model, row_id) is None:
            raise MissingError
        self._business.press(model, action, [row_id], {})
        return self._one(request, row_id)

    async def _call(self, request: Request) -> Response:
        try:
            document = decode(orjson.loads(await request.body()))
            number, method, parameters = document["id"], document["method"], document["params"]
        except (ValueError, KeyError, TypeError, ArithmeticError):
            return page(400, "Unable to read JSON request")
        status, answer = self._answer(method, parameters, request.headers.get("authorization", ""))
        if status == 401:
            return Response(status_code=401, media_type="text/plain")
        if status != 200:
            return page(status)
        return _json({"id": number, **answer})

    def _answer(self, method: str, parameters: Any, authorization: str) -> tuple[int, Mapping[str, Any]]:
        if method == "common.server.version":
            return 200, {"result": "8.2.1"}
        if method == "common.db.login":
            return self._rpc.log_in(parameters)
        if not self._rpc.is_open(authorization):
            return 401, {}
        try:
            return 200, {"result": self._rpc.call(method, parameters)}
        except UserError as error:
            return 200, {"error": ["UserError", [error.message, "", None]]}
        except ConcurrencyError:
            return 200, {"error": ["ConcurrencyException", "Records were modified in the meanwhile"]}
        except ForbiddenError:
            return 403, {}
        except (ServerError, MissingError, KeyError, ValueError, TypeError, IndexError, ArithmeticError) as error:
            return 200, {"error": [str(error), ""]}
