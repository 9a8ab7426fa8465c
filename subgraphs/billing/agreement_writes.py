"""How billing carries a workflow's step out, or back: once per key, and not anymore once it was undone."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from subgraphs.billing.amendment_port import Amendments
from subgraphs.billing.port import Agreements, Books
from subgraphs.billing.term_port import Terms
from subgraphs.kit.current_request import current_request
from subgraphs.kit.idempotent_write import IdempotentWrites
from subgraphs.kit.system_error import BadUserInputError, Outcome, VendorRejectedError


class AgreementWrites:
    """The steps, without GraphQL."""

    def __init__(
        self,
        books: Books,
        agreements: Agreements,
        amendments: Amendments,
        terms: Terms,
        answers: IdempotentWrites,
        *,
        supported: frozenset[str],
    ) -> None:
        """`supported`: names of the steps that the vendor can take."""
        self.agreements = agreements
        self.amendments = amendments
        self.terms = terms
        self.books = books
        self._answers = answers
        self._supported = supported

    def require(self, step: str) -> None:
        """Refuse a step that the vendor can't take. Raises VendorRejectedError."""
        if step not in self._supported:
            raise VendorRejectedError(
                "The billing system can't do this.", system="billing", outcome=Outcome.NOT_APPLIED
            )

    async def step(self, name: str, arguments: Mapping[str, Any], write: Callable[[str], Awaitable[Any]]) -> Any:
        """Carry a step out once under the request's key; what an earlier try did is found by `write` itself."""
        await self.books.ensure_current()
        key = own_key()
        return await self._answers.run(key, {"mutation": name, "input": dict(arguments)}, lambda: write(key))

    async def undo(self, name: str, undoes: str, write: Callable[[str], Awaitable[None]]) -> None:
        """Take a step back once; from now on a late try of it is refused."""
        await self.books.ensure_current()
        key = own_key()

        async def work() -> bool:
            await write(key)
            return True

        await self._answers.run(key, {"mutation": name, "undoes": undoes}, work, undoes=undoes)


def own_key() -> str:
    """Return the request's idempotency key. Raises BadUserInputError without one."""
    request = current_request()
    if request is None or not request.idempotency_key:
        raise BadUserInputError("A step needs an idempotency key.", outcome=Outcome.NOT_APPLIED)
    return request.idempotency_key


def mark_of(key: str) -> str:
    """Return what an object that a step made is marked with."""
    return f"concord-{hashlib.sha256(key.encode()).hexdigest()[:24]}"
