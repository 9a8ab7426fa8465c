"""How billing carries a workflow's step out, or back: once per key, and not anymore once it was undone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from subgraphs.billing.amendment_port import Amendments
from subgraphs.billing.port import Agreements, Books
from subgraphs.billing.term_port import Terms
from subgraphs.kit.idempotent_write import IdempotentWrites
from subgraphs.kit.system_error import Outcome, VendorRejectedError
from subgraphs.kit.workflow_step import own_key


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
