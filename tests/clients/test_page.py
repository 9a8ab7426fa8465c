"""The query page in a real browser."""

from __future__ import annotations

from typing import Any


def test_a_person_asks_and_subscribes_without_any_outside_request(library: str, node: Any, tmp_path: Any) -> None:
    picture = tmp_path / "page.png"
    assert node("page.mjs", library, str(picture)) == {
        "title": "Concord",
        "answered": True,
        "streamed": True,
        "documented": True,
        "sockets": 1,
        "problems": [],
        "outside": [],
    }
    assert picture.stat().st_size > 20_000
