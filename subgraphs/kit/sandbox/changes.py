"""Believable changes on request: what people do in a vendor's own user interface, made through the vendor's own code.

    changes = Changes(
        [ChangeMaker("deal_won", "A deal is won.", win_a_deal)], seed=settings.seed, next_number=lambda: state.next_number("change")
    )

GET /__sandbox/changes lists the kinds; POST {"kind": "deal_won", "count": 1} makes changes.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MAX_COUNT = 1000
ChoiceT = TypeVar("ChoiceT")


@dataclass(frozen=True, slots=True)
class Made:
    """A change that was made."""

    id: str
    """The vendor's id of what changed."""
    sentence: str
    """"Acme's deal “Acme 2026” moved to contractsent."""


class NothingToChangeError(Exception):
    """No record is in a state that allows the change. The message is a sentence."""


@dataclass(frozen=True, slots=True)
class ChangeMaker:
    """A kind of change. `make` gets the dice of this one change; raises NothingToChangeError."""

    kind: str
    sentence: str
    make: Callable[[random.Random], Awaitable[Made]]


class Changes:
    """The kinds of change of one sandbox."""

    def __init__(self, makers: Sequence[ChangeMaker], *, seed: int, next_number: Callable[[], int]) -> None:
        """`next_number` counts changes over restarts: the same seed, state and count choose the same change."""
        self._makers: Mapping[str, ChangeMaker] = {maker.kind: maker for maker in makers}
        self._seed = seed
        self._next_number = next_number

    def route(self) -> Route:
        """Return the control route, below the sandbox's prefix."""
        return Route("/changes", self._answer, methods=["GET", "POST"])

    async def _answer(self, request: Request) -> Response:
        if request.method == "GET":
            kinds = [{"kind": maker.kind, "sentence": maker.sentence} for maker in self._makers.values()]
            return JSONResponse({"kinds": kinds})
        try:
            asked = orjson.loads(await request.body())
        except orjson.JSONDecodeError:
            asked = None
        match asked:
            case {"kind": str() as kind} if kind in self._makers:
                return await self._make(self._makers[kind], asked.get("count", 1))
            case {"kind": _}:
                message = f"There is no such kind of change; known are: {', '.join(self._makers)}."
                return JSONResponse({"message": message, "kinds": list(self._makers)}, 400)
            case _:
                return JSONResponse({"message": 'Send {"kind": "…", "count": 1}.', "kinds": list(self._makers)}, 400)

    async def _make(self, maker: ChangeMaker, count: object) -> Response:
        if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MAX_COUNT:
            return JSONResponse({"message": f"`count` is a number from 1 to {MAX_COUNT}."}, 400)
        made: list[Made] = []
        for _ in range(count):
            dice = random.Random(f"{self._seed}:{maker.kind}:{self._next_number()}")  # noqa: S311 - no secret
            try:
                made.append(await maker.make(dice))
            except NothingToChangeError as nothing:
                if not made:
                    return JSONResponse({"message": str(nothing)}, 409)
                break
        return JSONResponse({"changes": [{"kind": maker.kind, **asdict(change)} for change in made]})


def one_of(dice: random.Random, choices: Sequence[ChoiceT], otherwise: str) -> ChoiceT:
    """Return one of the choices. Raises NothingToChangeError with the sentence `otherwise` when there is none."""
    if not choices:
        raise NothingToChangeError(otherwise)
    return dice.choice(choices)
