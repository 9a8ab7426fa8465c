"""Rows of a real Tryton become the records of the golden file; a Tryton that differs from it still answers, and it is told how."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from erp_world import KEY, SMALL, System, sandbox_settings, system_at
from golden_mapping import check_golden
from served_process import serve_module

from subgraphs.erp.port import InvoiceOrder, InvoiceQuery
from subgraphs.erp.vendors import tryton_mapping as mapping
from subgraphs.erp.vendors.tryton_drift import TrytonDrift
from subgraphs.erp.vendors.tryton_json import decode
from subgraphs.kit.schema_drift import SchemaDrift
from subgraphs.kit.system_error import FieldError

KINDS: Mapping[str, tuple[str, tuple[str, ...], Callable[[Any], Any]]] = {
    "customer": ("party.party", mapping.CUSTOMER, lambda row: mapping.to_customer(row, currency="EUR")),
    "invoice": ("account.invoice", mapping.INVOICE, mapping.to_invoice),
    "line": ("account.invoice.line", mapping.INVOICE_LINE, mapping.to_invoice_line),
    "charge": ("account.invoice.line", mapping.CHARGE, mapping.to_charge),
    "payment": (
        "account.move.line",
        mapping.PAYMENT_BY_ID,
        lambda row: mapping.to_payment(row, mapping.many_to_one(row["invoice_payment"]) or ""),
    ),
    "entry": ("account.move", mapping.JOURNAL_ENTRY, mapping.to_journal_entry),
    "entry line": ("account.move.line", mapping.JOURNAL_LINE, mapping.to_journal_line),
    "period": ("account.period", mapping.PERIOD, mapping.to_period),
    "product": ("product.product", mapping.PRODUCT, lambda row: mapping.to_product(row, currency="EUR")),
}


async def fields_of(_model: str) -> Any:
    raise AssertionError("nobody asks for fields here")


def test_rows_become_the_records_of_the_golden_file() -> None:
    drift = SchemaDrift("erp")
    looking = TrytonDrift(drift, fields_of)

    def parsed(kind: str) -> Callable[[Any], Any]:
        model, fields, to_record = KINDS[kind]

        def parse(document: Any) -> Any:
            (row,) = looking.complete(model, fields, [decode(document)])
            try:
                return to_record(row)
            except TypeError:
                return "SYSTEM_BAD_RESPONSE"

        return parse

    check_golden("erp/tryton", mapping.VERSION, mapping.API_VERSION, {kind: parsed(kind) for kind in KINDS}, drift)


@pytest.fixture
async def lacking(tmp_path: Path) -> AsyncIterator[System]:
    """A Tryton without the modules that some fields come from."""
    settings = {
        **sandbox_settings(tmp_path, len(SMALL.customers)),
        "CONCORD_ERP_SANDBOX_WITHOUT": '["party.party.credit_limit_amount", "product.product.account_category"]',
    }
    served = await asyncio.to_thread(serve_module, "subgraphs.erp.sandbox", tmp_path, settings)
    try:
        async with system_at(f"{served.url}/erp", KEY) as found:
            yield found
    finally:
        await asyncio.to_thread(served.stop)


def differences(system: System) -> set[tuple[str, str, str, str | None]]:
    return {(each.what.name, each.object, each.field, each.value) for each in system.erp._tryton.drift.seen()}


async def test_fields_of_a_module_that_is_not_there_are_empty(lacking: System) -> None:
    customers = await lacking.erp.changed_customers(None)
    assert len(customers) == len(SMALL.customers)
    assert {customer.credit_limit for customer in customers} == {None}
    assert all(customer.legal_name for customer in customers)
    products = await lacking.erp.products.read([product.sku for product in SMALL.products])
    assert {product.revenue_rule for product in products.values()} == {None}
    lines = [line for page in (await lacking.erp.list_invoices(InvoiceQuery(), InvoiceOrder(), size=5, after=None)).invoices
             for line in (await lacking.erp.lines_of_invoices.read([page.id]))[page.id]]  # fmt: skip
    assert lines
    assert all(line.sku and line.revenue_rule is None for line in lines)
    assert differences(lacking) == {
        ("MISSING_FIELD", "party.party", "credit_limit_amount", None),
        ("MISSING_FIELD", "product.product", "account_category", None),
    }
    # Once it is known that a field is not there, it is not asked for again.
    before = lacking.client.requests_total.total()
    await lacking.erp.customers.read([customer.id for customer in customers])
    assert lacking.client.requests_total.total() == before + 1


async def test_a_failure_that_no_field_explains_stays_one(lacking: System) -> None:
    await lacking.erp.changed_customers(None)
    control = lacking.url.replace("/erp", "/__sandbox/faults")
    (await lacking.http.put(control, json={"errorRate": 1, "errorStatus": 500})).raise_for_status()
    try:
        with pytest.raises(FieldError) as failed:
            await lacking.erp.changed_customers(None)
    finally:
        (await lacking.http.put(control, json={})).raise_for_status()
    assert failed.value.code == "SYSTEM_ERROR"


SHOWN = """{ invoices(first: 100) { totalCount edges { node { id status number total { amount } } } }
  accountingPeriods(first: 3) { edges { node { code status } } } }"""


async def test_a_state_that_nobody_knows_is_unknown_and_said_so_in_the_graph(small_world: Any) -> None:
    world = small_world
    healthy = await world.data(SHOWN)
    async with world.fault(
        rewrite={'"state": "posted"': '"state": "disputed"', '"state":"posted"': '"state":"disputed"'}
    ):
        odd = await world.data(SHOWN)
        systems = await world.data(
            "{ erpSystems { mappingVersion apiVersion differences { kind object field value count } } }"
        )
    before = {edge["node"]["id"]: edge["node"] for edge in healthy["invoices"]["edges"]}
    after = {edge["node"]["id"]: edge["node"] for edge in odd["invoices"]["edges"]}
    posted = {id_ for id_, node in before.items() if node["status"] == "POSTED"}
    assert posted
    for id_, node in before.items():
        assert after[id_] == {**node, "status": "UNKNOWN" if id_ in posted else node["status"]}
    (system,) = systems["erpSystems"]
    assert (system["mappingVersion"], system["apiVersion"]) == (mapping.VERSION, mapping.API_VERSION)
    named = [each for each in system["differences"] if each["object"] == "account.invoice"]
    assert [(each["kind"], each["field"], each["value"]) for each in named] == [("UNKNOWN_VALUE", "state", "disputed")]
    assert named[0]["count"] >= len(posted)
    # Whoever asks for what is not posted is told so, and recovers as soon as the word is known again.
    assert (await world.data(SHOWN)) == healthy


async def test_a_record_that_can_t_be_read_fails_alone(small_world: Any) -> None:
    world = small_world
    async with world.tryton() as system:
        customers = await system.erp.changed_customers(None)
    odd, *others = customers
    representations = [{"__typename": "Customer", "erpRef": each.id} for each in customers]
    query = "query($r: [_Any!]!) { _entities(representations: $r) { ... on Customer { erpRef legalName } } }"
    # Its ways of contact become a number, as if Tryton kept them otherwise.
    broken = {f'"_timestamp":{gap}"{odd.version}"': '"contact_mechanisms": 7' for gap in ("", " ")}
    async with world.fault(rewrite=broken):
        answer = await world.ask(query, {"r": representations})
        alone = await world.ask(query, {"r": representations[:1]})
    for found in (answer, alone):
        (error,) = found["errors"]
        assert (error["path"], error["extensions"]["code"]) == (["_entities", 0], "SYSTEM_BAD_RESPONSE")
    assert answer["data"]["_entities"] == [
        None,
        *({"erpRef": each.id, "legalName": each.legal_name} for each in others),
    ]
    assert "errors" not in await world.ask(query, {"r": representations})


async def test_a_list_is_answered_without_a_row_that_can_t_be_read_and_only_its_own_customer_has_none(
    small_world: Any,
) -> None:
    world = small_world
    whole = await world.data(SHOWN)
    async with world.tryton() as system:
        page = await system.erp.list_invoices(InvoiceQuery(), InvoiceOrder(), size=100, after=None)
        customers = {record.id for record in await system.erp.changed_customers(None)}
    stamps = Counter(invoice.version for invoice in page.invoices)
    odd = next(invoice for invoice in page.invoices[1:] if stamps[invoice.version] == 1)
    broken = {f'"_timestamp":{gap}"{odd.version}"': '"lines_to_pay": 7' for gap in ("", " ")}
    ids = sorted(customers)
    query = """query($r: [_Any!]!) { _entities(representations: $r) { ... on Customer { erpRef invoices(first: 99) {
      edges { node { number } } } } } }"""
    representations = [{"__typename": "Customer", "erpRef": each} for each in ids]
    owned = (await world.data(query, {"r": representations}))["_entities"]
    async with world.fault(rewrite=broken):
        listed = await world.data(SHOWN)
        pages, cursor = [], None
        paged = "query($a: String) { invoices(first: 1, after: $a) { pageInfo { endCursor hasNextPage } edges { node { number } } } }"
        while True:
            found = (await world.data(paged, {"a": cursor}))["invoices"]
            pages += [edge["node"]["number"] for edge in found["edges"]]
            cursor = found["pageInfo"]["endCursor"]
            if not found["pageInfo"]["hasNextPage"]:
                break
        answer = await world.ask(query, {"r": representations})
    left = [edge for edge in whole["invoices"]["edges"] if edge["node"]["number"] != odd.number]
    assert len(left) == len(whole["invoices"]["edges"]) - 1
    assert listed["invoices"] == {**whole["invoices"], "edges": left}
    assert pages == [edge["node"]["number"] for edge in left]
    place = ids.index(odd.customer_id)
    (error,) = answer["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["_entities", place, "invoices"], "SYSTEM_BAD_RESPONSE")
    assert answer["data"]["_entities"] == [
        {**each, "invoices": None} if at == place else each for at, each in enumerate(owned)
    ]
