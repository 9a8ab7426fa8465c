"""What a person does with dead letters: replay them once they fit their contract, or discard them with a reason."""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from dataclasses import dataclass, field, replace

import orjson

from gateway.errors import GatewayError
from gateway.events.contracts import BrokenContract, EventContracts
from gateway.events.dead_letters import DeadLetter, DeadLetterFilter, DeadLetters, DeadLetterState
from gateway.events.log import EventLog

MAX_REASON = 500
_PAGE = 50


def dead_letter_id(number: int) -> str:
    """Return a letter's global id."""
    return base64.urlsafe_b64encode(f"DeadLetter:{number}".encode()).decode().rstrip("=")


def dead_letter_number(global_id: str) -> int | None:
    """Return the number in a letter's global id; None if it is no such id."""
    try:
        text = base64.b64decode(global_id + "=" * (-len(global_id) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return None
    name, _, digits = text.partition(":")
    is_number = name == "DeadLetter" and digits.isascii() and digits.isdigit() and len(digits) <= 18
    return int(digits) if is_number and dead_letter_id(int(digits)) == global_id else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A letter that still can't be replayed."""

    letter: DeadLetter
    broken: BrokenContract


@dataclass(slots=True, kw_only=True)
class Sweep:
    """What replaying or discarding many letters has done so far."""

    settled: int = 0
    refused: list[Refused] = field(default_factory=list)
    remaining: int = 0
    """Wanted letters that were not looked at, for want of time."""


class DeadLetterDesk:
    """Settles dead letters. Every act can be repeated: a letter is settled once, and its event kept once."""

    def __init__(self, letters: DeadLetters, log: EventLog, contracts: EventContracts) -> None:
        self.letters = letters
        self._log = log
        self._contracts = contracts

    async def find(self, global_id: str) -> DeadLetter:
        """Return the letter with an id. Raises NOT_FOUND."""
        number = dead_letter_number(global_id)
        letter = None if number is None else await self.letters.get(number)
        if letter is None:
            raise GatewayError("NOT_FOUND", "There is no such dead letter.")
        return letter

    async def replay(self, global_id: str) -> DeadLetter:
        """Send the event on to all consumers, flagged as a replay. Raises NOT_FOUND, CONFLICT, EVENT_CONTRACT_BROKEN."""
        letter = await self.find(global_id)
        _check_waits(letter)
        broken = await self._replay(letter)
        if broken is not None:
            raise GatewayError("EVENT_CONTRACT_BROKEN", f"It still breaks its contract: {broken.message}"[:300])
        return await self.find(global_id)

    async def discard(self, global_id: str, reason: str) -> DeadLetter:
        """Put the letter away for good, with the reason. Raises NOT_FOUND, CONFLICT, BAD_USER_INPUT."""
        checked = _checked_reason(reason)
        letter = await self.find(global_id)
        _check_waits(letter)
        await self.letters.settle(letter.number, DeadLetterState.DISCARDED, checked)
        return await self.find(global_id)

    async def replay_all(self, wanted: DeadLetterFilter, *, per_second: float, within_s: float) -> Sweep:
        """Replay the waiting letters of a cause, oldest first, at most `per_second`; stops after `within_s`."""
        started = time.monotonic()
        sweep = Sweep()
        after, done = 0, 0
        wanted = replace(wanted, state=DeadLetterState.WAITING)
        while page := await self.letters.read(after, _PAGE, wanted):
            for letter in page:
                due_s = started + done / per_second - time.monotonic()
                if time.monotonic() + max(due_s, 0) > started + within_s:
                    sweep.remaining = await self.letters.count(wanted) - len(sweep.refused)
                    return sweep
                if due_s > 0:
                    await asyncio.sleep(due_s)
                broken = await self._replay(letter)
                done += 1
                if broken is None:
                    sweep.settled += 1
                else:
                    sweep.refused.append(Refused(letter=letter, broken=broken))
            after = page[-1].number
        return sweep

    async def discard_all(self, wanted: DeadLetterFilter, reason: str) -> Sweep:
        """Discard the waiting letters of a cause. Raises BAD_USER_INPUT."""
        checked = _checked_reason(reason)
        wanted = replace(wanted, state=DeadLetterState.WAITING)
        sweep = Sweep()
        while page := await self.letters.read(0, _PAGE, wanted):
            for letter in page:
                sweep.settled += await self.letters.settle(letter.number, DeadLetterState.DISCARDED, checked)
        return sweep

    async def _replay(self, letter: DeadLetter) -> BrokenContract | None:
        """Append the event first: should the process die before the letter is settled, a second replay adds nothing."""
        event = self._contracts.parse(orjson.loads(letter.rejected.body))
        if isinstance(event, BrokenContract):
            return event
        appended = await self._log.append([replace(event, replay_of=dead_letter_id(letter.number))])
        said = None if appended.accepted else "The log has an event with this id already."
        await self.letters.settle(letter.number, DeadLetterState.REPLAYED, said)
        return None


def _check_waits(letter: DeadLetter) -> None:
    if letter.settled is not None:
        raise GatewayError("CONFLICT", f"The dead letter was {letter.state.lower()} before.")


def _checked_reason(reason: str) -> str:
    stripped = reason.strip()
    if not 0 < len(stripped) <= MAX_REASON:
        raise GatewayError("BAD_USER_INPUT", f"Say in 1 to {MAX_REASON} characters why.")
    return stripped
