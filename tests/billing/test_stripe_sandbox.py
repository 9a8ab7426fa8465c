"""The sandbox is Stripe to whoever speaks to it: shapes, errors, lists, idempotency, events, restarts."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
import uvicorn
from billing_processes import KEY, WEBHOOK_SECRET, Process, sandbox_process
from served_process import free_port
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from waiting import until

SHAPES = orjson.loads((Path(__file__).parent / "stripe_shapes.json").read_bytes())


@pytest.fixture(scope="module")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Process]:
    async with sandbox_process(tmp_path_factory.mktemp("sandbox")) as found:
        yield found


async def ask(sandbox: Process, method: str, path: str, body: str = "", **headers: str) -> tuple[int, Any]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = await sandbox.client.request(
        method, path, content=body, headers={"content-type": "application/x-www-form-urlencoded", **names}
    )
    return reply.status_code, orjson.loads(reply.content)


async def first(sandbox: Process, path: str) -> dict[str, Any]:
    status, found = await ask(sandbox, "GET", path)
    assert status == 200
    return found["data"][0]


async def test_its_objects_have_the_members_of_stripes_official_samples(sandbox: Process) -> None:
    """stripe_shapes.json holds the member names and JSON types of github.com/stripe/openapi's fixtures (MIT)."""
    status, _ = await ask(
        sandbox,
        "POST",
        "/v1/invoiceitems",
        f"customer={(await first(sandbox, '/v1/customers'))['id']}&amount=500&currency=eur",
    )
    assert status == 200
    product = await first(sandbox, "/v1/products")
    subscription = await first(sandbox, "/v1/subscriptions")
    invoice = await first(sandbox, "/v1/invoices?status=paid")
    meter = await first(sandbox, "/v1/billing/meters")
    event_body = (
        f"event_name={meter['event_name']}&payload[stripe_customer_id]={subscription['customer']}&payload[value]=3"
    )
    _, usage = await ask(sandbox, "POST", "/v1/billing/meter_events", event_body)
    _, note = await ask(sandbox, "POST", "/v1/credit_notes", f"invoice={invoice['id']}&amount=100&credit_amount=100")
    window = f"customer={subscription['customer']}&start_time=1700000040&end_time=4000000020"
    objects = {
        "customer": await first(sandbox, "/v1/customers"),
        "product": product,
        "price": await first(sandbox, "/v1/prices?type=recurring"),
        "subscription": subscription,
        "subscription_item": subscription["items"]["data"][0],
        "subscription_schedule": await first(sandbox, "/v1/subscription_schedules"),
        "invoice": invoice,
        "line_item": invoice["lines"]["data"][0],
        "invoiceitem": await first(sandbox, "/v1/invoiceitems"),
        "credit_note": note,
        "credit_note_line_item": note["lines"]["data"][0],
        "entitlements.feature": await first(sandbox, "/v1/entitlements/features"),
        "entitlements.active_entitlement": await first(
            sandbox, f"/v1/entitlements/active_entitlements?customer={subscription['customer']}"
        ),
        "product_feature": await first(sandbox, f"/v1/products/{product['id']}/features"),
        "billing.meter": meter,
        "billing.meter_event": usage,
        "billing.meter_event_summary": await first(
            sandbox, f"/v1/billing/meters/{meter['id']}/event_summaries?{window}"
        ),
        "event": await first(sandbox, "/v1/events"),
    }
    problems = []
    for kind, found in objects.items():
        for name, shape in SHAPES[kind].items():
            wanted = shape.removesuffix("?")
            if name not in found:
                problems += [] if shape.endswith("?") else [f"{kind}.{name} is missing"]
            elif wanted != "any" and json_type(found[name]) not in {wanted, "null"}:
                problems.append(f"{kind}.{name} is {json_type(found[name])}, not {wanted}")
        problems += [f"{kind}.{name} is not Stripe's" for name in found if name not in SHAPES[kind]]
    assert problems == []


def json_type(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("GET", "/v1/customers/cus_none", "", 404,
         {"type": "invalid_request_error", "code": "resource_missing", "param": "id", "message": "No such customer: 'cus_none'"}),
        ("POST", "/v1/subscriptions", "customer=cus_none&items[0][price]=p", 400,
         {"type": "invalid_request_error", "code": "resource_missing", "param": "customer", "message": "No such customer: 'cus_none'"}),
        ("POST", "/v1/subscriptions", "", 400,
         {"type": "invalid_request_error", "code": "parameter_missing", "param": "customer", "message": "Missing required param: customer."}),
        ("POST", "/v1/customers", "name=A&colour=red", 400,
         {"type": "invalid_request_error", "code": "parameter_unknown", "param": "colour", "message": "Received unknown parameter: colour"}),
        ("POST", "/v1/customers", "metadata=x&metadata[a]=b", 400,
         {"type": "invalid_request_error", "param": "metadata", "message": "Invalid parameter: metadata[a] is both a value and an object."}),
        ("GET", "/v1/customers?limit=101", "", 400,
         {"type": "invalid_request_error", "code": "parameter_invalid_integer", "param": "limit",
          "message": "This value must be less than or equal to 100 (it currently is '101')."}),
        ("GET", "/v1/customers?limit=ten", "", 400,
         {"type": "invalid_request_error", "code": "parameter_invalid_integer", "param": "limit", "message": "Invalid integer: ten"}),
        ("GET", "/v1/subscriptions?expand[]=data.nonsense", "", 400,
         {"type": "invalid_request_error", "param": "expand", "message": "This property cannot be expanded (data.nonsense)."}),
    ],
)  # fmt: skip
async def test_it_refuses_as_stripe_does(
    sandbox: Process, method: str, path: str, body: str, status: int, error: Any
) -> None:
    found_status, found = await ask(sandbox, method, path, body)
    found["error"].pop("doc_url", None)
    assert (found_status, found) == (status, {"error": error})


async def test_it_asks_for_its_secret_key(sandbox: Process) -> None:
    async with httpx2.AsyncClient(base_url=sandbox.url, trust_env=False) as client:
        answers = [
            (await client.get("/v1/customers?limit=1", headers=headers)).status_code
            for headers in ({}, {"authorization": "Bearer sk_test_wrong"}, {"authorization": f"Bearer {KEY}"})
        ]
        wrong = (await client.get("/v1/customers", headers={"authorization": "Bearer sk_test_wrongwrongwrong"})).json()
    assert answers == [401, 401, 200]
    assert wrong["error"]["message"] == "Invalid API Key provided: sk_test************rong"


async def test_lists_page_both_ways_without_gap_or_copy(sandbox: Process) -> None:
    whole = [c["id"] for c in (await ask(sandbox, "GET", "/v1/customers?limit=100"))[1]["data"]]
    walked: list[str] = []
    more, after = True, ""
    while more:
        _, page = await ask(sandbox, "GET", f"/v1/customers?limit=5{after}")
        walked += [c["id"] for c in page["data"]]
        more, after = page["has_more"], f"&starting_after={walked[-1]}"
    _, back = await ask(sandbox, "GET", f"/v1/customers?limit=3&ending_before={whole[5]}")
    assert walked == whole
    assert ([c["id"] for c in back["data"]], back["has_more"]) == (whole[2:5], True)


async def test_an_idempotency_key_replays_its_answer_and_refuses_other_parameters(sandbox: Process) -> None:
    once = await ask(sandbox, "POST", "/v1/customers", "name=Once", idempotency_key="k-1")
    again = await sandbox.client.post("/v1/customers", content="name=Once", headers={"idempotency-key": "k-1"})
    other = await ask(sandbox, "POST", "/v1/customers", "name=Other", idempotency_key="k-1")
    assert once[1]["id"] == again.json()["id"]
    assert again.headers["idempotent-replayed"] == "true"
    assert (other[0], other[1]["error"]["type"]) == (400, "idempotency_error")


async def test_a_subscription_lives_as_at_stripe(sandbox: Process) -> None:
    """Created, changed with proration, paused, resumed, cancelled: each step leaves its event with what was before."""
    _, customer = await ask(sandbox, "POST", "/v1/customers", "name=Lifecycle&metadata[customer_reference]=CUST-T")
    _, method = await ask(
        sandbox,
        "POST",
        "/v1/payment_methods",
        "type=card&card[number]=4242424242424242&card[exp_month]=4&card[exp_year]=2031",
    )
    await ask(sandbox, "POST", f"/v1/payment_methods/{method['id']}/attach", f"customer={customer['id']}")
    await ask(
        sandbox, "POST", f"/v1/customers/{customer['id']}", f"invoice_settings[default_payment_method]={method['id']}"
    )
    _, product = await ask(sandbox, "POST", "/v1/products", "name=Gold")
    _, feature = await ask(sandbox, "POST", "/v1/entitlements/features", "name=Gold feature&lookup_key=gold")
    await ask(sandbox, "POST", f"/v1/products/{product['id']}/features", f"entitlement_feature={feature['id']}")
    _, price = await ask(
        sandbox,
        "POST",
        "/v1/prices",
        f"product={product['id']}&currency=eur&unit_amount=1000&recurring[interval]=month",
    )
    status, made = await ask(
        sandbox,
        "POST",
        "/v1/subscriptions",
        f"customer={customer['id']}&items[0][price]={price['id']}&items[0][quantity]=2&expand[]=latest_invoice",
    )
    assert (status, made["status"], made["latest_invoice"]["status"], made["latest_invoice"]["total"]) == (
        200,
        "active",
        "paid",
        2000,
    )
    path = f"/v1/subscriptions/{made['id']}"
    item = made["items"]["data"][0]["id"]
    await ask(sandbox, "POST", path, f"items[0][id]={item}&items[0][quantity]=5")
    pending = (await ask(sandbox, "GET", f"/v1/invoiceitems?customer={customer['id']}"))[1]["data"]
    assert sorted(entry["amount"] for entry in pending) == [-2000, 5000]
    await ask(sandbox, "POST", path, "pause_collection[behavior]=void")
    await ask(sandbox, "POST", path, "pause_collection=")
    _, ending = await ask(sandbox, "POST", path, "cancel_at_period_end=true")
    assert ending["cancel_at"] == ending["items"]["data"][0]["current_period_end"]
    entitled = (await ask(sandbox, "GET", f"/v1/entitlements/active_entitlements?customer={customer['id']}"))[1]["data"]
    _, gone = await ask(sandbox, "DELETE", path)
    left = (await ask(sandbox, "GET", f"/v1/entitlements/active_entitlements?customer={customer['id']}"))[1]["data"]
    assert ([e["lookup_key"] for e in entitled], gone["status"], left) == (["gold"], "canceled", [])
    kinds = "&".join(f"types[]=customer.subscription.{verb}" for verb in ("created", "updated", "deleted"))
    events = (await ask(sandbox, "GET", f"/v1/events?{kinds}&limit=6"))[1]["data"][::-1]
    assert [(e["type"].rpartition(".")[2], sorted(e["data"].get("previous_attributes") or {})) for e in events][
        -6:
    ] == [
        ("created", []),
        ("updated", ["items"]),
        ("updated", ["pause_collection"]),
        ("updated", ["pause_collection"]),
        ("updated", ["cancel_at", "cancel_at_period_end", "canceled_at", "cancellation_details"]),
        ("deleted", []),
    ]
    _, found = await ask(sandbox, "GET", "/v1/customers/search?query=metadata['customer_reference']:'CUST-T'")
    assert [c["id"] for c in found["data"]] == [customer["id"]]


async def test_its_state_outlives_the_process_and_a_refusal_leaves_no_trace(tmp_path: Path) -> None:
    async with sandbox_process(tmp_path) as sandbox:
        _, made = await ask(sandbox, "POST", "/v1/customers", "name=Kept")
        refused, _ = await ask(sandbox, "POST", f"/v1/customers/{made['id']}", "name=Changed&nonsense=1")
    async with sandbox_process(tmp_path) as sandbox:
        _, found = await ask(sandbox, "GET", f"/v1/customers/{made['id']}")
        _, events = await ask(sandbox, "GET", "/v1/events")
    assert (refused, found) == (400, made)
    assert [event["type"] for event in events["data"]] == ["customer.created"]


async def test_two_writers_with_one_key_have_one_effect(sandbox: Process) -> None:
    answers = await asyncio.gather(
        *(ask(sandbox, "POST", "/v1/customers", "name=Twin", idempotency_key="twin") for _ in range(8))
    )
    assert {status for status, _ in answers} == {200}
    assert len({answer["id"] for _, answer in answers}) == 1


async def test_a_cycle_that_ends_is_billed_with_the_use_it_saw(sandbox: Process) -> None:
    _, customer = await ask(sandbox, "POST", "/v1/customers", "name=Daily")
    _, product = await ask(sandbox, "POST", "/v1/products", "name=Calls")
    _, meter = await ask(
        sandbox,
        "POST",
        "/v1/billing/meters",
        "event_name=daily_calls&display_name=Calls&default_aggregation[formula]=sum",
    )
    terms = f"product={product['id']}&currency=eur&unit_amount=7&recurring[interval]=day&recurring[usage_type]=metered"
    _, price = await ask(sandbox, "POST", "/v1/prices", f"{terms}&recurring[meter]={meter['id']}")
    start = int(time.time()) - 86_400 + 3
    use = f"event_name=daily_calls&payload[stripe_customer_id]={customer['id']}&payload[value]=6&timestamp={start + 60}"
    await ask(sandbox, "POST", "/v1/billing/meter_events", use)
    body = f"customer={customer['id']}&items[0][price]={price['id']}&backdate_start_date={start}&collection_method=send_invoice&days_until_due=7"
    _, made = await ask(sandbox, "POST", "/v1/subscriptions", body)

    async def cycle_bill() -> Any:
        _, found = await ask(sandbox, "GET", f"/v1/invoices?subscription={made['id']}")
        return next((i for i in found["data"] if i["billing_reason"] == "subscription_cycle"), None)

    bill = await until(cycle_bill)
    _, turned = await ask(sandbox, "GET", f"/v1/subscriptions/{made['id']}")
    line = bill["lines"]["data"][0]
    assert (bill["status"], bill["total"], line["quantity"]) == ("open", 42, 6)
    assert line["period"] == {"start": start, "end": start + 86_400}
    assert turned["items"]["data"][0]["current_period_start"] == start + 86_400


async def test_webhooks_are_signed_and_come_again_until_they_are_taken(tmp_path: Path) -> None:
    heard: list[tuple[str, bytes]] = []

    async def receive(request: Request) -> Response:
        heard.append((request.headers["stripe-signature"], await request.body()))
        return Response(status_code=500 if len(heard) == 1 else 200)

    server = uvicorn.Server(
        uvicorn.Config(
            Starlette(routes=[Route("/hook", receive, methods=["POST"])]),
            port=free_port(),
            log_level="error",
            lifespan="off",
        )
    )
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    async with sandbox_process(tmp_path, f"http://127.0.0.1:{server.config.port}/hook", CUSTOMERS=1) as sandbox:
        _, made = await ask(sandbox, "POST", "/v1/customers", "name=Heard")
        await until(lambda: len(heard) == 2)
    server.should_exit = True
    await serving
    assert heard[0][1] == heard[1][1]
    for header, body in heard:
        stamp, digest = (part.partition("=")[2] for part in header.split(","))
        assert hmac.new(WEBHOOK_SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest() == digest
        event = orjson.loads(body)
        assert (event["type"], event["data"]["object"]) == ("customer.created", made)
