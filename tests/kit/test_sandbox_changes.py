"""Changes on request: what a sandbox offers to do, the same from the same seed, and how it says that it can't."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from subgraphs.kit.sandbox.changes import ChangeMaker, Changes, Made, one_of
from subgraphs.kit.sandbox.process import Sandbox, create_sandbox_app
from subgraphs.kit.sandbox.settings import SandboxSettings
from subgraphs.kit.sandbox.state import State

URL = "http://sandbox/__sandbox/changes"


@asynccontextmanager
async def sandbox(folder: Path, *, doors: int) -> AsyncIterator[httpx2.AsyncClient]:
    """A vendor of doors, each of which can be painted once."""
    state = State.open(folder / "state.sqlite")
    painted = state.collection("painted")

    async def paint(dice: random.Random) -> Made:
        bare = [str(door) for door in range(doors) if str(door) not in painted]
        door = one_of(dice, bare, "Every door is painted.")
        painted.put(door, {})
        return Made(door, f"Door {door} is {dice.choice(['red', 'green', 'blue'])}.")

    @asynccontextmanager
    async def start(settings: SandboxSettings) -> AsyncIterator[Sandbox]:
        makers = [ChangeMaker("paint", "A door is painted.", paint)]
        changes = Changes(makers, seed=settings.seed, next_number=lambda: state.next_number("change"))
        yield Sandbox(app=Starlette(), changes=changes)

    app: Any = create_sandbox_app(SandboxSettings(state_dir=folder), start)
    control = app._control  # the ASGI transport has no lifespan, so it is entered here
    async with (
        control.router.lifespan_context(control),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app)) as http,
    ):
        yield http
    state.close()


async def test_changes_are_those_of_the_seed_and_go_on_after_a_restart(tmp_path: Path) -> None:
    told: list[list[dict[str, str]]] = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        told.append([])
        for _ in range(2):
            async with sandbox(tmp_path / name, doors=9) as http:
                answer = (await http.post(URL, json={"kind": "paint", "count": 3})).json()
                told[-1] += answer["changes"]
    assert told[0] == told[1]
    assert len({change["id"] for change in told[0]}) == 6
    assert all(change["kind"] == "paint" and change["sentence"].endswith(".") for change in told[0])


async def test_when_nothing_is_left_that_is_said(tmp_path: Path) -> None:
    async with sandbox(tmp_path, doors=2) as http:
        some = await http.post(URL, json={"kind": "paint", "count": 5})
        none = await http.post(URL, json={"kind": "paint"})
    assert (some.status_code, len(some.json()["changes"])) == (200, 2)
    assert (none.status_code, none.json()) == (409, {"message": "Every door is painted."})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"kind": "break"}', "known are: paint."),
        (b"{", '"kind"'),
        (b"[]", '"kind"'),
        (b'{"kind": "paint", "count": 0}', "from 1 to 1000"),
        (b'{"kind": "paint", "count": true}', "from 1 to 1000"),
        (b'{"kind": "paint", "count": "many"}', "from 1 to 1000"),
    ],
)
async def test_what_is_not_understood_is_refused_with_what_would_be(tmp_path: Path, body: bytes, words: str) -> None:
    async with sandbox(tmp_path, doors=2) as http:
        refused = await http.post(URL, content=body)
        kinds = (await http.get(URL)).json()
    assert refused.status_code == 400
    assert words in refused.json()["message"]
    assert kinds == {"kinds": [{"kind": "paint", "sentence": "A door is painted."}]}
