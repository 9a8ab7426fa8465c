"""The paths of the CRM API, each over the portal."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from subgraphs.crm.sandbox.clock import print_instant
from subgraphs.crm.sandbox.portal import Portal, not_found, shown
from subgraphs.crm.sandbox.refusal import Refusal, too_many_requests
from subgraphs.crm.sandbox.schema import DEAL_STAGES, PROPERTIES, object_type
from subgraphs.crm.sandbox.search import search
from subgraphs.kit.sandbox.state import Document

_PAGE = 100
_BATCH = 100
_ASSOCIATION_BATCH = 1000


class Routes:
    """The handlers of one portal."""

    def __init__(self, portal: Portal, may_search: Callable[[], bool]) -> None:
        """`may_search` says whether the search's own rate limit allows one more."""
        self._portal = portal
        self._may_search = may_search

    def all(self) -> list[Route]:
        """Return the routes."""
        objects = "/crm/v3/objects/{kind}"

        def post(path: str, handle: Callable[[Request], Awaitable[Response]]) -> Route:
            return Route(path, handle, methods=["POST"])

        return [
            post(f"{objects}/batch/read", self.batch_read),
            post(f"{objects}/search", self.search),
            Route(objects, self.list, methods=["GET"]),
            post(objects, self.create),
            Route(objects + "/{id}", self.get, methods=["GET"]),
            Route(objects + "/{id}", self.update, methods=["PATCH"]),
            Route(objects + "/{id}", self.archive, methods=["DELETE"]),
            Route("/crm/v4/objects/{kind}/{id}/associations/{to}", self.associations, methods=["GET"]),
            Route("/crm/v4/objects/{kind}/{id}/associations/default/{to}/{to_id}", self.associate, methods=["PUT"]),
            post("/crm/v4/associations/{kind}/{to}/batch/read", self.batch_associations_v4),
            post("/crm/v3/associations/{kind}/{to}/batch/read", self.batch_associations_v3),
            Route("/crm/v3/owners", self.owners, methods=["GET"]),
            Route("/crm/v3/owners/{id}", self.owner, methods=["GET"]),
            Route("/crm/v3/properties/{kind}", self.properties, methods=["GET"]),
            Route("/crm/v3/properties/{kind}/{name}", self.property, methods=["GET"]),
            Route("/crm/v3/pipelines/deals", self.pipelines, methods=["GET"]),
        ]

    async def list(self, request: Request) -> Response:
        """GET /crm/v3/objects/{type}."""
        kind = object_type(request.path_params["kind"])
        limit = _limit(request, default=10, most=_PAGE)
        page, paging = _page(request, self._portal.objects(kind), limit)
        results = [self._with_associations(request, kind, shown(kind, entry, _names(request))) for entry in page]
        return JSONResponse({"results": results, **paging})

    async def get(self, request: Request) -> Response:
        """GET /crm/v3/objects/{type}/{id}, by `idProperty` if given."""
        kind, object_id = object_type(request.path_params["kind"]), request.path_params["id"]
        id_property = request.query_params.get("idProperty")
        if id_property is None:
            entry = self._portal.find(kind, object_id)
        else:
            entry = self._portal.find_by(kind, id_property, object_id)
        if entry is None:
            raise not_found(object_id)
        return JSONResponse(self._with_associations(request, kind, shown(kind, entry, _names(request))))

    async def create(self, request: Request) -> Response:
        """POST /crm/v3/objects/{type}, with associations if given."""
        kind, body = object_type(request.path_params["kind"]), await _body(request)
        targets = [_target(entry) for entry in body.get("associations") or []]
        for to_kind, to_id in targets:
            if self._portal.find(to_kind, to_id) is None:
                raise not_found(to_id)
        entry = self._portal.create(kind, body.get("properties"))
        for to_kind, to_id in targets:
            self._portal.associate(kind, entry["id"], to_kind, to_id)
        return JSONResponse(shown(kind, entry, list(entry["properties"])), 201)

    async def update(self, request: Request) -> Response:
        """PATCH /crm/v3/objects/{type}/{id}."""
        kind, body = object_type(request.path_params["kind"]), await _body(request)
        entry = self._portal.update(kind, request.path_params["id"], body.get("properties"))
        return JSONResponse(shown(kind, entry, list(entry["properties"])))

    async def archive(self, request: Request) -> Response:
        """DELETE /crm/v3/objects/{type}/{id}."""
        self._portal.archive(object_type(request.path_params["kind"]), request.path_params["id"])
        return Response(status_code=204)

    async def batch_read(self, request: Request) -> Response:
        """POST /crm/v3/objects/{type}/batch/read: 200, or 207 with the ids that were not found."""
        kind, body = object_type(request.path_params["kind"]), await _body(request)
        ids = _inputs(body, _BATCH)
        id_property = body.get("idProperty")
        found: dict[str, Document] = {}
        for object_id in dict.fromkeys(ids):
            if id_property is None:
                entry = self._portal.find(kind, object_id)
            else:
                entry = self._portal.find_by(kind, str(id_property), object_id)
            if entry is not None:
                found[object_id] = shown(kind, entry, body.get("properties"))
        missing = [object_id for object_id in dict.fromkeys(ids) if object_id not in found]
        answer: dict[str, Any] = {"status": "COMPLETE", "results": list(found.values()), **_times()}
        if missing:
            answer["numErrors"] = len(missing)
            answer["errors"] = [
                {
                    "status": "error",
                    "category": "OBJECT_NOT_FOUND",
                    "message": "Could not get some objects, they may be deleted or not exist. Check that ids are valid.",
                    "context": {"ids": missing},
                }
            ]
        return JSONResponse(answer, 207 if missing else 200)

    async def search(self, request: Request) -> Response:
        """POST /crm/v3/objects/{type}/search."""
        if not self._may_search():
            return too_many_requests("SECONDLY")
        kind, body = object_type(request.path_params["kind"]), await _body(request)
        answer = search(kind, self._portal.objects(kind), body)
        results = [shown(kind, entry, body.get("properties")) for entry in answer["results"]]
        return JSONResponse({**answer, "results": results})

    async def associations(self, request: Request) -> Response:
        """GET /crm/v4/objects/{type}/{id}/associations/{toType}."""
        kind, to_kind = object_type(request.path_params["kind"]), object_type(request.path_params["to"])
        if self._portal.find(kind, request.path_params["id"]) is None:
            raise not_found(request.path_params["id"])
        return JSONResponse({"results": self._targets_v4(kind, request.path_params["id"], to_kind)})

    async def associate(self, request: Request) -> Response:
        """PUT /crm/v4/objects/{type}/{id}/associations/default/{toType}/{toId}."""
        kind, to_kind = object_type(request.path_params["kind"]), object_type(request.path_params["to"])
        self._portal.associate(kind, request.path_params["id"], to_kind, request.path_params["to_id"])
        return JSONResponse({"status": "COMPLETE", "results": [], **_times()})

    async def batch_associations_v4(self, request: Request) -> Response:
        """POST /crm/v4/associations/{from}/{to}/batch/read: 1,000 a time; those without any are errors of a 207."""
        return await self._batch_associations(request, self._targets_v4)

    async def batch_associations_v3(self, request: Request) -> Response:
        """POST /crm/v3/associations/{from}/{to}/batch/read, as the official clients call it."""

        def targets(kind: str, object_id: str, to_kind: str) -> Sequence[Mapping[str, Any]]:
            label = f"{kind}_to_{to_kind}"
            ids = dict.fromkeys(to_id for to_id, _ in self._portal.associated(kind, object_id, to_kind))
            return [{"id": to_id, "type": label} for to_id in ids]

        return await self._batch_associations(request, targets)

    async def _batch_associations(
        self, request: Request, targets: Callable[[str, str, str], Sequence[Mapping[str, Any]]]
    ) -> Response:
        kind, to_kind = object_type(request.path_params["kind"]), object_type(request.path_params["to"])
        results, errors = [], []
        for object_id in _inputs(await _body(request), _ASSOCIATION_BATCH):
            found = targets(kind, object_id, to_kind)
            if found:
                results.append({"from": {"id": object_id}, "to": list(found)})
            else:
                errors.append(
                    {
                        "status": "error",
                        "category": "OBJECT_NOT_FOUND",
                        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
                        "message": f"No {to_kind} is associated with {kind} {object_id}",
                        "context": {"fromObjectId": [object_id], "fromObjectType": [kind], "toObjectType": [to_kind]},
                    }
                )
        answer: dict[str, Any] = {"status": "COMPLETE", "results": results, **_times()}
        if errors:
            answer |= {"numErrors": len(errors), "errors": errors}
        return JSONResponse(answer, 207 if errors else 200)

    async def owners(self, request: Request) -> Response:
        """GET /crm/v3/owners."""
        email = request.query_params.get("email")
        owners = [owner for owner in self._portal.owners() if email is None or owner["email"] == email]
        page, paging = _page(request, owners, _limit(request, default=100, most=500))
        return JSONResponse({"results": page, **paging})

    async def owner(self, request: Request) -> Response:
        """GET /crm/v3/owners/{id}."""
        found = [owner for owner in self._portal.owners() if owner["id"] == request.path_params["id"]]
        if not found:
            raise Refusal(404, "resource not found", category="OBJECT_NOT_FOUND")
        return JSONResponse(found[0])

    async def properties(self, request: Request) -> Response:
        """GET /crm/v3/properties/{type}."""
        kind = object_type(request.path_params["kind"])
        return JSONResponse({"results": [entry.to_json() for entry in PROPERTIES[kind].values()]})

    async def property(self, request: Request) -> Response:
        """GET /crm/v3/properties/{type}/{name}."""
        entry = PROPERTIES[object_type(request.path_params["kind"])].get(request.path_params["name"])
        if entry is None:
            raise Refusal(404, "resource not found", category="OBJECT_NOT_FOUND")
        return JSONResponse(entry.to_json())

    async def pipelines(self, _request: Request) -> Response:
        """GET /crm/v3/pipelines/deals."""
        stages = [
            {"id": stage, "label": label, "displayOrder": place, "metadata": {"probability": probability}}
            for place, (stage, (label, probability)) in enumerate(DEAL_STAGES.items())
        ]
        return JSONResponse({"results": [{"id": "default", "label": "Sales", "displayOrder": 0, "stages": stages}]})

    def _targets_v4(self, kind: str, object_id: str, to_kind: str) -> Sequence[Mapping[str, Any]]:
        types: dict[str, list[dict[str, Any]]] = {}
        for to_id, type_id in self._portal.associated(kind, object_id, to_kind):
            types.setdefault(to_id, []).append({"category": "HUBSPOT_DEFINED", "typeId": type_id, "label": None})
        return [{"toObjectId": int(to_id), "associationTypes": found} for to_id, found in types.items()]

    def _with_associations(self, request: Request, kind: str, entry: Document) -> Document:
        wanted = [name for name in request.query_params.get("associations", "").split(",") if name]
        if not wanted:
            return entry
        found = {}
        for to_kind in map(object_type, wanted):
            ids = dict.fromkeys(to_id for to_id, _ in self._portal.associated(kind, entry["id"], to_kind))
            if ids:
                label = f"{kind}_to_{to_kind}"
                found[to_kind] = {"results": [{"id": to_id, "type": label} for to_id in ids]}
        return {**entry, "associations": found} if found else entry


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise Refusal(400, "Invalid input JSON") from error
    if not isinstance(body, dict):
        raise Refusal(400, "Invalid input JSON: an object is expected")
    return body


def _inputs(body: Mapping[str, Any], most: int) -> list[str]:
    match body.get("inputs"):
        case [*entries] if entries and all(isinstance(entry, dict) and "id" in entry for entry in entries):
            if len(entries) > most:
                raise Refusal(400, f"The maximum number of inputs in a batch request is {most}")
            return [str(entry["id"]) for entry in entries]
        case _:
            raise Refusal(400, "Invalid input JSON: `inputs` is a list of objects with an id")


def _target(entry: object) -> tuple[str, str]:
    match entry:
        case {"to": {"id": to_id}, "types": [{"associationTypeId": 279 | 341 | 280 | 342 | 13 | 14}, *_]}:
            return "companies", str(to_id)
        case {"to": {"id": to_id}, "types": [{"associationTypeId": 3}, *_]}:
            return "contacts", str(to_id)
        case _:
            raise Refusal(400, "Invalid association: `to.id` and a known `types[0].associationTypeId` are needed")


def _names(request: Request) -> Sequence[str] | None:
    names = [name for text in request.query_params.getlist("properties") for name in text.split(",") if name]
    return names or None


def _limit(request: Request, *, default: int, most: int) -> int:
    text = request.query_params.get("limit", str(default))
    if not text.isdigit():
        raise Refusal(400, "limit must be a number")
    return max(1, min(int(text), most))


def _page(request: Request, entries: Sequence[Document], limit: int) -> tuple[Sequence[Document], dict[str, Any]]:
    """Return one page after the object that `after` names, and `paging` unless it is the last."""
    after = request.query_params.get("after")
    if after is None:
        start = 0
    else:
        start = next((place for place, entry in enumerate(entries, 1) if entry["id"] == after), -1)
        if start < 0:
            raise Refusal(400, f"Invalid 'after' cursor: {after}")
    page = entries[start : start + limit]
    if start + limit >= len(entries):
        return page, {}
    return page, {"paging": {"next": {"after": page[-1]["id"], "link": f"?after={page[-1]['id']}"}}}


def _times() -> dict[str, str]:
    at = print_instant(dt.datetime.now(dt.UTC))
    return {"startedAt": at, "completedAt": at}
