"""What a CPQ service is asked and answers is written down as JSON Schema, and the example keeps to it."""

import json

import jsonschema
import pytest

from gateway.cli.print_cpq import FOLDER, print_cpq
from subgraphs.examples.cpq.app import UnpricedError, quoted

CONTRACT = {
    "number": "CON-2026-0001", "currency": "EUR", "termStartsOn": "2026-01-01", "endsOn": "2026-12-31",
    "periodStartsOn": "2026-03-01", "periodEndsOn": "2026-03-31", "mrr": "250.00",
    "items": [{"sku": "CORE-SEAT", "quantity": 10, "unitPrice": "25.00", "interval": "MONTH", "intervalCount": 1}],
}  # fmt: skip


def asked(sku, quantity):
    changes = [{"sku": sku, "quantity": quantity, "interval": None}]
    return {"reference": "wf-1", "effectiveOn": "2026-03-17", "contract": CONTRACT, "changes": changes}


def test_the_schemas_are_those_of_the_code():
    assert {name: (FOLDER / name).read_text() for name in print_cpq()} == print_cpq()


def test_the_example_answers_what_the_schema_says():
    shapes = {name: json.loads(text) for name, text in print_cpq().items()}
    question = asked("CORE-SEAT", 60)
    jsonschema.validate(question, shapes["request.json"])
    answer = quoted(question)
    jsonschema.validate(answer, shapes["answer.json"])
    days = {"startsOn": "2026-03-17", "endsOn": "2026-03-31"}
    assert answer == {
        "reference": "wf-1",
        "currency": "EUR",
        "items": [{"sku": "CORE-SEAT", "quantity": 60, "unitPrice": "22.50", "interval": "MONTH"}],
        "charges": [
            {
                "sku": "CORE-SEAT",
                "description": "Credit for 10 x CORE-SEAT",
                "quantity": 10,
                "amount": "-120.97",
                **days,
            },
            {"sku": "CORE-SEAT", "description": "60 x CORE-SEAT", "quantity": 60, "amount": "653.23", **days},
        ],
    }
    with pytest.raises(UnpricedError):
        quoted(asked("NO-SUCH-SKU", 1))
