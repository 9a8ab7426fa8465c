"""The product's metrics: all that the table promises, and the workflows that wait for somebody."""

from __future__ import annotations

import re
from pathlib import Path

from metric_samples import samples_of

PAGE = Path(__file__).parents[2] / "gateway/telemetry/README.md"


def test_the_table_of_metrics_is_whole(product):
    page = PAGE.read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    told = {name for row in rows for name in re.findall(r"`(concord_\w+)`", row)}
    text = product.client.get(f"{product.url}/metrics", headers={"accept": "application/openmetrics-text"}).text
    named = {
        f"{name}_total" if kind == "counter" else name
        for name, kind in re.findall(r"^# TYPE (concord_\w+) (\w+)", text, re.MULTILINE)
    }
    assert named - told == set()
    assert told - named == set()


def test_stores_answer_and_what_was_asked_is_counted(product):
    assert "errors" not in product.ask("{ customers(first: 1) { edges { node { name } } } }")
    found = samples_of(product.client.get(f"{product.url}/metrics").text)
    assert found["concord_workflow_store_up",] == found["concord_event_store_up",] == 1
    assert found["concord_request_seconds_count", "query", "ok"] > 0
    for subgraph in ("identity", "crm"):
        assert found["concord_fetch_seconds_count", subgraph] > 0
