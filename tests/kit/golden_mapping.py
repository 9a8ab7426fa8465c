"""Golden files of the mappings: a vendor's sample documents and what each becomes.

A change of a mapping shows here as a change of the file, and must raise the mapping's version. With CONCORD_UPDATE_CASES=1
the files are written anew, to be read in review like code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from subgraphs.kit.schema_drift import SchemaDrift

TESTS = Path(__file__).parents[1]


def check_golden(
    place: str,
    version: int,
    api_version: str,
    parse: Mapping[str, Callable[[Any], Any]],
    drift: SchemaDrift,
) -> None:
    """Hold a mapping to its golden file, `crm/hubspot`: every record whole, and what it reported as unknown."""
    room, _, vendor = place.partition("/")
    path = TESTS / room / "golden" / f"{vendor}.json"
    held = json.loads(path.read_text(encoding="utf-8"))
    cases = [
        {
            "kind": case["kind"],
            "document": case["document"],
            "record": json.loads(orjson.dumps(parse[case["kind"]](case["document"]), default=str)),
        }
        for case in held["cases"]
    ]
    reported = [
        {"what": each.what, "object": each.object, "field": each.field, "value": each.value, "count": each.count}
        for each in drift.seen()
    ]
    found = {"mappingVersion": version, "apiVersion": api_version, "cases": cases, "reported": reported}
    if os.environ.get("CONCORD_UPDATE_CASES") == "1":
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    else:
        assert found == held
