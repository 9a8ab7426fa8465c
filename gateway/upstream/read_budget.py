"""Large answers that are being read from subgraphs: bounded together. Where there is no room, a connection is not read.

A subgraph whose answer isn't read keeps it, and so does the network: what a process does not read, it need not hold.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from itertools import count
from operator import attrgetter
from time import monotonic  # event loops' clock

from gateway.upstream.kept import Room
from gateway.upstream.transport import NoRoom

LARGE_BYTES = 128 << 10
"""Smaller answers never wait: so many of them as there are connections are no danger."""
AHEAD_BYTES = 256 << 10
"""What may come at once: uvloop and asyncio read so much. An answer has room for it before it comes."""
BLAMELESS_S = 1.0
"""Whoever's answer was left unread for this long is not to blame for its lateness; see `deadline.BREAKER_S`."""

_by_number = attrgetter("number")


class ReadBudget:
    """What one process holds of large answers that aren't whole yet.

    Room is given to whichever began first. Only what has come is counted, not what was announced: a subgraph that promises
    much and sends nothing takes no room from others. For the same reason one answer of each address always goes on, even
    beyond the bound: an address that stalls with all the room taken holds up its own answers only.
    """

    def __init__(self, most_bytes: int = 64 << 20, room: Room | None = None) -> None:
        """`room` is where answers go once they are whole; None: nobody counts them."""
        self.room = room
        self.most_bytes = most_bytes
        self.taken_bytes = 0
        """What is held, or may come at any moment."""
        self.pauses = 0
        """How often an answer had to wait."""
        self.waiting: list[Portion] = []
        """Those that wait, the one that began first first."""
        self.numbers = count()

    def lane(self) -> Lane:
        """Return the answers of one address."""
        return Lane(self)

    def has_room(self, portion: Portion, more: int) -> bool:
        """Tell whether an answer may grow, those that began before it considered."""
        is_next = not self.waiting or portion.number <= self.waiting[0].number
        return is_next and self.taken_bytes + more <= self.most_bytes

    def go_on(self) -> None:
        """Let those go on for whom there is room."""
        while self.waiting and self.has_room(self.waiting[0], self.waiting[0].more):
            self.waiting[0].go_on()


class Lane:
    """The answers of one address."""

    __slots__ = ("budget", "going", "waiting")

    def __init__(self, budget: ReadBudget) -> None:
        self.budget = budget
        self.going = 0
        """Large answers that are read on."""
        self.waiting: list[Portion] = []
        """Those of the budget's that are of this address."""

    def begin(self, size: int, resume: Callable[[], None]) -> Portion:
        """Count an answer of which so much is here; `resume` is called when it may be read on after it had to wait."""
        return Portion(self, size, resume)


class Portion:
    """What one answer takes."""

    __slots__ = ("_lane", "_resume", "_since", "_waited_s", "is_waiting", "more", "number", "taken")

    def __init__(self, lane: Lane, size: int, resume: Callable[[], None]) -> None:
        """See `Lane.begin`."""
        self._lane: Lane | None = lane
        self._resume = resume
        self.number = next(lane.budget.numbers)
        self.taken = size
        self.more = 0
        """What it waits for."""
        self.is_waiting = False
        self._since = self._waited_s = 0.0
        lane.going += 1
        lane.budget.taken_bytes += size

    @property
    def was_held_up(self) -> bool:
        """Whether it waited so long that it is late for this."""
        return self.is_waiting or self._waited_s >= BLAMELESS_S

    def reach(self, size: int) -> bool:
        """Take room up to so much in all; False where it has to wait for that."""
        more, lane = size - self.taken, self._lane
        if more <= 0 or lane is None:
            return True
        budget = lane.budget
        is_only_one = lane.going == 1 and (not lane.waiting or self.number < lane.waiting[0].number)
        if is_only_one or budget.has_room(self, more):
            self._take(lane, more)
            return True
        self.is_waiting, self.more, self._since = True, more, monotonic()
        lane.going -= 1
        insort(lane.waiting, self, key=_by_number)
        insort(budget.waiting, self, key=_by_number)
        budget.pauses += 1
        if not lane.going:
            lane.waiting[0].go_on()
        return False

    def go_on(self) -> None:
        """Take what it waits for, and have it read on."""
        lane = self._lane
        assert lane is not None
        self._leave(lane)
        lane.going += 1
        self._take(lane, self.more)
        self._resume()

    def give_back(self) -> None:
        """Give all of it back. Whatever becomes of an answer, this is the end of it."""
        lane, self._lane = self._lane, None
        if lane is None:
            return
        if self.is_waiting:
            self._leave(lane)
        else:
            lane.going -= 1
        budget = lane.budget
        budget.taken_bytes -= self.taken
        self.taken = 0
        budget.go_on()
        if lane.waiting and not lane.going:
            lane.waiting[0].go_on()

    def _take(self, lane: Lane, more: int) -> None:
        self.taken += more
        lane.budget.taken_bytes += more

    def _leave(self, lane: Lane) -> None:
        lane.waiting.remove(self)
        lane.budget.waiting.remove(self)
        self.is_waiting = False
        self._waited_s += monotonic() - self._since


def unread(portion: Portion | None, reason: str) -> NoRoom | None:
    """Return that there was no room, where that and not the server held an answer up that did not come whole."""
    if portion is None or not portion.was_held_up:
        return None
    return NoRoom(f"no room for a large answer: {reason}")
