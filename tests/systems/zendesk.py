"""A desk that speaks the part of Zendesk's API that the worked example needs: `python zendesk.py PORT`."""

from __future__ import annotations

import itertools
import sys
import time
from datetime import UTC, datetime
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN = "a-desk-token"
tickets: dict[int, dict[str, Any]] = {}
answers: dict[str, Any] = {}
numbers = itertools.count(1)


def put(ticket_id: int, **values: Any) -> dict[str, Any]:
    at = time.time()
    held = tickets.get(ticket_id, {"id": ticket_id, "status": "open", "organization_id": None})
    now = datetime.fromtimestamp(int(at), UTC).isoformat()
    tickets[ticket_id] = {**held, **values, "updated_at": now, "generated_timestamp": int(at)}
    return tickets[ticket_id]


async def show_many(request: Request) -> Response:
    ids = request.query_params.get("ids", "").split(",")
    if len(ids) > 100:
        return JSONResponse({"error": "TooManyIds"}, 400)
    return JSONResponse({"tickets": [tickets[int(each)] for each in ids if len(each) < 12 and int(each) in tickets]})


async def search(request: Request) -> Response:
    terms = request.query_params["query"].split()
    wanted = {int(term.partition(":")[2]) for term in terms if term.startswith("organization:")}
    return JSONResponse({"results": [held for held in tickets.values() if held["organization_id"] in wanted]})


async def incremental(request: Request) -> Response:
    since = int(request.query_params["start_time"])
    found = [held for held in tickets.values() if held["generated_timestamp"] >= since]
    end = max((held["generated_timestamp"] for held in found), default=since)
    return JSONResponse({"tickets": found, "end_time": end, "end_of_stream": True})


async def create(request: Request) -> Response:
    key = request.headers.get("idempotency-key", "")
    if key not in answers:
        answers[key] = put(next(numbers), subject=(await request.json())["ticket"]["subject"])
    return JSONResponse({"ticket": answers[key]}, 201)


async def update(request: Request) -> Response:
    held = put(int(request.path_params["id"]), **(await request.json())["ticket"])
    return JSONResponse({"ticket": held})


async def organizations(_request: Request) -> Response:
    names = {7001: "CUST-0001", 7002: "CUST-0002"}
    found = [{"id": number, "name": f"Org {key}", "external_id": key} for number, key in names.items()]
    return JSONResponse({"organizations": found})


class Bearer:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if dict(scope["headers"]).get(b"authorization") != f"Bearer {TOKEN}".encode():
            await JSONResponse({"error": "Couldn't authenticate you"}, 401)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


routes = [
    Route("/api/v2/tickets/show_many.json", show_many),
    Route("/api/v2/search.json", search),
    Route("/api/v2/incremental/tickets.json", incremental),
    Route("/api/v2/tickets.json", create, methods=["POST"]),
    Route("/api/v2/tickets/{id}.json", update, methods=["PUT"]),
    Route("/api/v2/organizations.json", organizations),
]

if __name__ == "__main__":
    for place in range(120):
        put(next(numbers), subject=f"Ticket {place}", organization_id=7001 if place % 40 == 0 else None)
    put(2, status="escalated", organization_id=7002)
    uvicorn.run(Bearer(Starlette(routes=routes)), port=int(sys.argv[1]), log_level="warning", lifespan="off")
