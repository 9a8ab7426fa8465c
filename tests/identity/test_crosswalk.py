"""The crosswalk over HTTP: records in, canonical ids out, and what is unclear listed for a person."""

from __future__ import annotations

import random
import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subgraphs.identity.record import CustomerRecord
from subgraphs.identity.tables import SCHEMA
from subgraphs.identity.take_records import take_records
from subgraphs.kit.database import connect

IDENTITIES = """query ($id: ID!) { customer(id: $id) {
  id identities { system externalId linkedBy score } history { kind system externalId rule } } }"""


async def test_records_of_three_systems_become_one_customer(identity, record):
    crm = await identity.take(record("crm", "101", reference="CUST-0001", name="Acme Inc", domain="acme.example"))
    billing = await identity.take(record("billing", "cus_1", reference="cust-0001", name="ACME"))
    erp = await identity.take(
        record("erp", "7", taxId="DE 111 111", domain="https://www.acme.example/", name="Acme GmbH")
    )
    (customer,) = crm["customers"].values()
    assert crm == {"customers": {"101": customer}, "unmatched": [], "rejected": []}
    assert (billing["customers"], erp["customers"]) == ({"cus_1": customer}, {"7": customer})
    assert (await identity.data(IDENTITIES, id=customer))["customer"] == {
        "id": customer,
        "identities": [
            {"system": "crm", "externalId": "101", "linkedBy": "FOUNDING", "score": 1.0},
            {"system": "billing", "externalId": "cus_1", "linkedBy": "REFERENCE", "score": 1.0},
            {"system": "erp", "externalId": "7", "linkedBy": "DOMAIN", "score": 1.0},
        ],
        "history": [
            {"kind": "CREATED", "system": "crm", "externalId": "101", "rule": "FOUNDING"},
            {"kind": "LINKED", "system": "billing", "externalId": "cus_1", "rule": "REFERENCE"},
            {"kind": "LINKED", "system": "erp", "externalId": "7", "rule": "DOMAIN"},
        ],
    }
    resolved = await identity.post("/resolve", {"system": "billing", "externalIds": ["cus_1", "cus_404"]})
    assert resolved.json() == {"customers": {"cus_1": customer}}
    for system, ids in (("erp", ["7"]), ("erp/us", [])):
        members = await identity.post("/members", {"system": system, "customer": customer})
        assert members.json() == {"externalIds": ids}


async def test_a_customer_is_announced_when_it_appears_and_grows_and_not_otherwise(identity, record):
    one = record("crm", "101", reference="CUST-0001", name="Acme")
    (customer,) = (await identity.take(one))["customers"].values()
    await identity.take(one)
    await identity.take(record("billing", "cus_1", reference="CUST-0001"))
    events = await identity.listener.until(2)
    assert [(event["type"], event["subject"], event["data"]) for event in events] == [
        (
            "concord.customer.created.v1",
            customer,
            {"keys": {"customer": customer}, "version": "1", "changes": []},
        ),
        (
            "concord.customer.updated.v1",
            customer,
            {
                "keys": {"customer": customer},
                "version": "2",
                "changes": [{"field": "identities", "from": None, "to": "billing:cus_1"}],
            },
        ),
    ]


GONE = (
    "query($id: ID!) { customer(id: $id) { identities { system externalId linkedBy } history { kind system rule } } }"
)
LISTED = "{ customers(first: 10) { totalCount edges { node { id } } } }"


async def test_a_record_that_its_system_deletes_is_no_customer_s_until_it_is_restored(identity, record):
    crm = record("crm", "101", reference="CUST-0001", name="Acme", parent="")
    (customer,) = (await identity.take(crm))["customers"].values()
    await identity.take(record("billing", "cus_1", reference="CUST-0001"))
    for _ in range(2):
        assert (await identity.post("/gone", {"system": "crm", "externalIds": ["101", "404"]})).json() == {}
    found = (await identity.data(GONE, id=customer))["customer"]
    assert found["identities"] == [{"system": "billing", "externalId": "cus_1", "linkedBy": "REFERENCE"}]
    assert found["history"][-1] == {"kind": "GONE", "system": "crm", "rule": "FOUNDING"}
    assert (await identity.post("/resolve", {"system": "crm", "externalIds": ["101"]})).json() == {"customers": {}}
    # The last one: nobody has the customer any more, so there is none.
    await identity.post("/gone", {"system": "billing", "externalIds": ["cus_1"]})
    assert (await identity.data(GONE, id=customer))["customer"] is None
    assert (await identity.data(LISTED))["customers"] == {"totalCount": 0, "edges": []}
    told = [event["data"]["changes"] for event in await identity.listener.until(4)]
    assert told[2:] == [[{"field": "identities", "from": lost, "to": None}] for lost in ("crm:101", "billing:cus_1")]
    # Restored, it is the customer that it was; another record of the same company is another customer's.
    other = (await identity.take(record("erp", "7", name="Other works")))["customers"]["7"]
    assert (await identity.take({**crm, "reference": None}))["customers"] == {"101": customer}
    assert other != customer
    assert (await identity.take(record("billing", "cus_1", reference="CUST-0001")))["customers"] == {"cus_1": customer}
    found = (await identity.data(GONE, id=customer))["customer"]
    assert [(each["system"], each["linkedBy"]) for each in found["identities"]] == [
        ("crm", "FOUNDING"), ("billing", "REFERENCE"),
    ]  # fmt: skip
    assert (await identity.data(LISTED))["customers"]["totalCount"] == 2


async def test_what_is_unclear_waits_with_its_candidates(identity, record):
    taken = await identity.take(
        record("crm", "1", reference="CUST-0001", name="Northwind Logistics", domain="northwind.example"),
        record("crm", "2", reference="CUST-0002", name="Northwind Trading", domain="northwind.example"),
        record("crm", "3", reference="CUST-0003", name="Blue Harbour Foods"),
        record("crm", "4"),
    )
    first, second, third = (taken["customers"][key] for key in ("1", "2", "3"))
    assert taken["unmatched"] == [{"externalId": "4", "reason": "NO_IDENTIFIER"}]
    erp = await identity.take(
        record("erp", "31", name="Northwind", domain="northwind.example"),
        record("erp", "32", name="Blue Harbour Foods Europe"),
        record("erp", "33", name="Northwind Trading", domain="northwind.example"),
    )
    assert erp == {
        "customers": {"33": second},
        "unmatched": [{"externalId": "31", "reason": "AMBIGUOUS"}, {"externalId": "32", "reason": "NEEDS_REVIEW"}],
        "rejected": [],
    }
    query = """query ($after: String) { unmatchedRecords(first: 2, after: $after) { totalCount pageInfo { hasNextPage endCursor }
      edges { node { system externalId reason name customer { id } candidates { customer { id } rule } } } } }"""
    page = (await identity.data(query))["unmatchedRecords"]
    rest = (await identity.data(query, after=page["pageInfo"]["endCursor"]))["unmatchedRecords"]
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (3, True, False)
    nodes = [edge["node"] for edge in page["edges"] + rest["edges"]]
    assert [
        (n["externalId"], n["reason"], n["customer"], {(c["customer"]["id"], c["rule"]) for c in n["candidates"]})
        for n in nodes
    ] == [
        ("4", "NO_IDENTIFIER", None, set()),
        ("31", "AMBIGUOUS", None, {(first, "DOMAIN"), (second, "DOMAIN")}),
        ("32", "NEEDS_REVIEW", None, {(third, "NAME")}),
    ]
    back = """query ($last: Int, $before: String) { unmatchedRecords(last: $last, before: $before) {
      pageInfo { hasNextPage hasPreviousPage startCursor } edges { node { externalId } } } }"""
    end = (await identity.data(back, last=2))["unmatchedRecords"]
    cursor = end["pageInfo"].pop("startCursor")
    assert end == {
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": True},
        "edges": [{"node": {"externalId": "31"}}, {"node": {"externalId": "32"}}],
    }
    start = (await identity.data(back, last=2, before=cursor))["unmatchedRecords"]
    assert start["pageInfo"].pop("startCursor")
    assert start == {
        "pageInfo": {"hasNextPage": True, "hasPreviousPage": False},
        "edges": [{"node": {"externalId": "4"}}],
    }


async def test_a_link_stays_when_a_record_changes_its_mind_and_the_conflict_is_listed(identity, record):
    taken = await identity.take(
        record("crm", "1", reference="CUST-0001", taxId="DE111111", name="Acme"),
        record("crm", "2", reference="CUST-0002", taxId="DE222222", name="Bolt"),
    )
    await identity.take(record("erp", "7", reference="CUST-0001", name="Acme"))
    moved = await identity.take(record("erp", "7", reference="CUST-0002", name="Bolt"))
    assert moved["customers"] == {"7": taken["customers"]["1"]}
    torn = await identity.take(record("billing", "cus_1", reference="CUST-0001", taxId="DE222222"))
    assert torn["customers"] == {"cus_1": taken["customers"]["1"]}
    query = "{ unmatchedRecords { edges { node { externalId reason customer { id } candidates { customer { id } rule } } } } }"
    assert [edge["node"] for edge in (await identity.data(query))["unmatchedRecords"]["edges"]] == [
        {
            "externalId": external_id,
            "reason": "CONFLICT",
            "customer": {"id": taken["customers"]["1"]},
            "candidates": [{"customer": {"id": taken["customers"]["2"]}, "rule": rule}],
        }
        for external_id, rule in (("cus_1", "TAX_ID"), ("7", "REFERENCE"))
    ]


def thousand(record):
    generator = random.Random(7)
    return [
        record(
            "crm",
            str(1000 + n),
            reference=f"CUST-{n:04}",
            name=f"{generator.choice(['North', 'South', 'East', 'West'])}wind {generator.choice(['Foods', 'Logistics', 'Systems', 'Labs'])} {n}",
            domain=f"c{n}.example",
            facets={
                "segment": ["SMB", "ENTERPRISE"][n % 2],
                "ownerId": str(n % 5),
                "ownerName": f"Owner {n % 5}",
                "status": "ACTIVE",
            },
        )
        for n in range(1000)
    ]


async def test_a_thousand_customers_in_three_systems_are_taken_in_seconds_and_only_once(identity, record):
    crm = thousand(record)
    billing = [{**r, "system": "billing", "externalId": f"cus_{r['externalId']}", "facets": {}} for r in crm]
    erp = [
        {
            **r,
            "system": "erp",
            "externalId": f"p{r['externalId']}",
            "reference": None,
            "facets": {"overdueAmount": f"{n % 10}.50"},
        }
        for n, r in enumerate(crm)
    ]
    began = time.monotonic()
    answers = []
    for _ in range(2):
        for batch in (crm, billing, erp):
            for start in (0, 500):
                answers.append(await identity.take(*batch[start : start + 500]))
    took_s = time.monotonic() - began
    assert all(answer["unmatched"] == [] and len(answer["customers"]) == 500 for answer in answers)
    assert answers[:6] == answers[6:]
    assert len({customer for answer in answers for customer in answer["customers"].values()}) == 1000
    assert took_s < 60
    total = "{ customers(first: 1) { totalCount } unmatchedRecords(first: 0) { totalCount } }"
    assert await identity.data(total) == {"customers": {"totalCount": 1000}, "unmatchedRecords": {"totalCount": 0}}
    assert len({event["id"] for event in await identity.listener.until(3000)}) == 3000


async def test_ids_survive_a_restart_and_a_rebuilt_crosswalk(tmp_path, listener, running, record):
    one = record("crm", "101", reference="CUST-0001", name="Acme")
    answers = []
    for state in ("a", "a", "b"):  # the second time with the first one's file
        async with running(tmp_path / state, listener) as identity:
            answers.append(await identity.take(one))
    assert answers[0] == answers[1] == answers[2]


BAD_INPUT = [
    ("/records", b"", 400, "BAD_REQUEST"),
    ("/records", b"[1]", 400, "BAD_REQUEST"),
    ("/records", {"records": {}}, 400, "BAD_REQUEST"),
    ("/records", {"records": [{}] * 501}, 413, "PAYLOAD_TOO_LARGE"),
    ("/records", b" " * 5_000_000, 413, "PAYLOAD_TOO_LARGE"),
    (
        "/records",
        {"records": [{"system": "crm", "externalId": "1"}, {"system": "erp", "externalId": "1"}]},
        400,
        "BAD_USER_INPUT",
    ),
    ("/resolve", {"system": "crm"}, 400, "BAD_REQUEST"),
    ("/members", {"system": "crm"}, 400, "BAD_USER_INPUT"),
    ("/gone", {"system": "crm"}, 400, "BAD_REQUEST"),
    ("/gone", {"system": "crm", "externalIds": ["a+b"]}, 400, "BAD_USER_INPUT"),
    ("/resolve", {"system": "CRM!", "externalIds": []}, 400, "BAD_USER_INPUT"),
    ("/resolve", {"system": "crm", "externalIds": ["a+b"]}, 400, "BAD_USER_INPUT"),
    ("/resolve", {"system": "crm", "externalIds": ["1"] * 501}, 413, "PAYLOAD_TOO_LARGE"),
]


async def test_bad_input_is_refused_with_a_code(identity):
    for path, message, status, code in BAD_INPUT:
        response = await identity.post(path, message)
        assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (status, code)
    response = await identity.post("/records", {"records": []}, secret="another")
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (401, "SIGNATURE_INVALID")


async def test_a_record_that_is_none_does_not_keep_the_others_out(identity, record):
    taken = await identity.take(
        record("crm", "1", reference="CUST-0001"),
        "no record",
        record("crm", "2", name="x" * 501),
        record("crm", "3", facets={"overdueAmount": "NaN"}),
        record("crm", "4", favourite="x"),
        record("crm", ""),
    )
    assert list(taken["customers"]) == ["1"]
    assert [(entry["index"], entry["code"]) for entry in taken["rejected"]] == [
        (index, "BAD_USER_INPUT") for index in range(1, 6)
    ]


known_by_reference = st.lists(
    st.tuples(st.sampled_from(["crm", "billing", "erp"]), st.integers(0, 6), st.integers(0, 3)),
    max_size=12,
    unique_by=lambda r: r[:2],
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(known_by_reference, st.randoms())
def test_who_is_who_by_reference_does_not_depend_on_the_order_of_arrival(entries, shuffler):
    def groups(order):
        connection = connect(":memory:")
        connection.executescript(SCHEMA)
        for system, number, reference in order:
            taken = CustomerRecord(system=system, external_id=str(number), reference=f"CUST-{reference}", name="Acme")
            take_records(connection, [taken], 1.0)
        rows = connection.execute("select customer_id, system, external_id from records order by 1, 2, 3").fetchall()
        connection.close()
        return rows

    shuffled = list(entries)
    shuffler.shuffle(shuffled)
    assert groups(shuffled) == groups(entries)
