"""What the adaptor must know of the company's set-up before it can read or write: looked up once, then kept."""

from __future__ import annotations

from dataclasses import dataclass

from subgraphs.erp.vendors.tryton import Tryton
from subgraphs.erp.vendors.tryton_mapping import CREDIT_HOLD
from subgraphs.kit.system_error import VendorBadResponseError


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """One company of the database; ids are Tryton's."""

    company: int
    party: int
    """The company's own party, which is no customer."""
    currency: str
    credit_hold: int
    """The party category that puts a customer on hold."""
    payment_methods: tuple[tuple[str, int], ...]
    """Name → id, in the order of the ERP."""

    @property
    def context(self) -> dict[str, object]:
        """What RPC and fields with a value per company need."""
        return {"company": self.company, "companies": [self.company]}


class BooksShelf:
    """Looks the set-up up at first use."""

    def __init__(self, tryton: Tryton) -> None:
        self._tryton = tryton
        self._books: Books | None = None

    @property
    def books(self) -> Books:
        """The set-up, once `open` has been awaited."""
        assert self._books is not None, "open() first"
        return self._books

    async def open(self) -> Books:
        """Return the set-up. Raises VendorError; VendorBadResponseError when the database isn't set up."""
        if self._books is None:
            companies = await self._tryton.search(
                "company.company", [], ["party", "currency.code"], order=[["id", "ASC"]], limit=1
            )
            categories = await self._tryton.search("party.category", [["name", "=", CREDIT_HOLD]], ["name"], limit=1)
            methods = await self._tryton.search("account.invoice.payment.method", [], ["name"], order=[["id", "ASC"]])
            if not (companies and categories and methods):
                raise VendorBadResponseError(
                    "The ERP has no company, no payment method or no category for credit holds.",
                    system=self._tryton.system,
                )
            self._books = Books(
                company=companies[0]["id"],
                party=companies[0]["party"],
                currency=companies[0]["currency"]["code"],
                credit_hold=categories[0]["id"],
                payment_methods=tuple((method["name"], method["id"]) for method in methods),
            )
        return self._books
