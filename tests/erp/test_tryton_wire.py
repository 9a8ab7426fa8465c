"""Tryton's own door, knocked at directly: the sandbox answers what a real Tryton 8.2 answers, refusals included."""

from __future__ import annotations

from typing import Any

import pytest

from subgraphs.erp.vendors.tryton_json import decode


def answer(response: Any) -> tuple[int, str, str]:
    return response.status_code, response.headers["content-type"], response.headers.get("content-range", "")


async def test_missing_ids_are_left_out_and_nested_rows_name_themselves(system: Any) -> None:
    domain = [["code", "in", ["CUST-0001", "CUST-9999"]]]
    rows = await system.rows("party.party", domain, "code", "identifiers.code", "categories.name", "addresses")
    assert [sorted(row) for row in rows] == [["__name__", "addresses", "categories", "code", "id", "identifiers"]]
    assert [sorted(identifier) for identifier in rows[0]["identifiers"]] == [["__name__", "code", "id"]]
    assert rows[0]["addresses"] == [int(rows[0]["addresses"][0])]


async def test_a_limit_needs_a_company_in_the_context(system: Any) -> None:
    rows = await system.rows("party.party", [["code", "=", "CUST-0001"]], "credit_limit_amount")
    assert rows[0]["credit_limit_amount"] is None


async def test_ranges_are_answered_with_the_count(system: Any) -> None:
    first = await system.rest("GET", "party.party", fields=("name",), range="records=0-2")
    total = int(first.headers["content-range"].partition("/")[2])
    assert answer(first) == (200, "application/json", f"records 0-2/{total}")
    assert len(first.json()) == 2
    beyond = await system.rest("GET", "party.party", fields=("name",), range="records=500-502")
    assert beyond.status_code == 416


@pytest.mark.parametrize(
    ("path", "parameters", "status"),
    [
        ("party.party", {"fields": ("nosuch",)}, 500),
        ("party.party", {"domain": [["nosuch", "=", 1]]}, 500),
        ("party.party", {"fields": ("name.nosuch",)}, 500),
        ("no.such.model", {}, 500),
        ("party.party/999999", {}, 404),
        ("party.party", {"authorization": "Bearer wrong"}, 401),
    ],
)
async def test_refusals_to_read_are_web_pages(system: Any, path: str, parameters: Any, status: int) -> None:
    response = await system.rest("GET", path, **parameters)
    assert answer(response)[:2] == (status, "text/html; charset=utf-8")
    assert response.text.lower().startswith("<!doctype html>")


async def test_refusals_to_write_say_why(system: Any) -> None:
    (party,) = await system.rows("party.party", [["code", "=", "CUST-0001"]], "code")
    (paid, *_) = await system.rows("account.invoice", [["state", "=", "paid"]], "number")
    for method, path, body, words in (
        ("PUT", f"account.invoice/{paid['id']}", {"number": "X"}, "You are not allowed to modify"),
        ("PUT", f"party.party/{party['id']}", {"code": "X"}, "You are not allowed to modify"),
        ("POST", f"account.invoice/{paid['id']}/post", {}, 'You can not call "post"'),
        ("POST", f"account.invoice/{paid['id']}/cancel", {}, 'You can not call "cancel"'),
    ):
        response = await system.rest(method, path, body=body)
        assert (response.status_code, sorted(response.json())) == (400, ["description", "message", "status"])
        assert words in response.json()["message"]
    assert (await system.rest("PUT", "party.party/999999", body={"name": "X"})).status_code == 404
    assert (await system.rest("PUT", f"party.party/{party['id']}", body={"nosuch": 1})).status_code == 500
    assert (await system.rest("POST", f"account.invoice/{paid['id']}/nosuch", body={})).status_code == 403


async def test_rest_takes_no_notice_of_versions(system: Any) -> None:
    from subgraphs.erp.vendors.tryton_json import to_parameter

    (party,) = await system.rows("party.party", [["code", "=", "CUST-0003"]], "name")
    stale = to_parameter({"_timestamp": {f"party.party,{party['id']}": "1.0"}})
    body = {"name": party["name"]}
    response = await system.rest("PUT", f"party.party/{party['id']}", body=body, x_tryton_context=stale)
    assert response.status_code == 200


async def test_rpc_asks_for_a_session_and_answers_errors_with_200(system: Any) -> None:
    async def call(method: str, *parameters: Any, **headers: str) -> Any:
        body = {"id": 7, "method": method, "params": list(parameters)}
        return await system.http.post(f"{system.url}/rpc/", json=body, headers=headers)

    without = await call("model.party.party.search", [], 0, 1, None, {})
    assert (without.status_code, without.text) == (401, "")
    assert (await call("common.db.login", "admin", {"password": "wrong"})).status_code == 401
    rejected = await system.erp._tryton.search("party.party", [["code", "=", "CUST-0003"]], ("name",))
    session = await system.erp._tryton._log_in(None)
    missing = await call("model.party.party.write", [999999], {"name": "X"}, {}, **session)
    body = missing.json()
    assert (missing.status_code, body["id"], body["error"][0]) == (200, 7, "UserError")
    assert "don't exist" in body["error"][1][0]
    forbidden = await call("model.party.party.nosuch", [rejected[0]["id"]], {}, **session)
    assert forbidden.status_code == 403
    found = await call("model.party.party.read", [rejected[0]["id"]], ["create_date"], {}, **session)
    assert decode(found.json())["result"][0]["create_date"].tzinfo is not None
