"""How much this process takes on at once: what is beyond that is refused at the door, at once, and told when to come back."""

from __future__ import annotations

from types import TracebackType

from gateway.errors import GatewayError


class Load:
    """Counts requests from their arrival to their answer. Streams count until they have begun.

    A refusal costs next to nothing, an answer that comes too late costs all of it: so a process under five times its
    load goes on giving as many answers as it can, and refuses the rest within milliseconds.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.now = 0
        """Requests that are worked on; whoever counts them without a block of `with` looks at `most` before."""

    def check(self) -> None:
        """Raise `GatewayError` with OVERLOADED while there is no room: before a request is read, let alone begun."""
        if self.now >= self.most:
            raise self.refused()

    def refused(self) -> GatewayError:
        """Return what those are told for whom there is no room."""
        return GatewayError("OVERLOADED", retry_after_ms=1_000)

    def __enter__(self) -> None:
        self.check()
        self.now += 1

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.now -= 1
