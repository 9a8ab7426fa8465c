"""Moves of the general ledger: in the company's currency, balanced, in an open period; and their reconciliation."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from subgraphs.erp.sandbox.computed import rounded
from subgraphs.erp.sandbox.refusal import UserError
from subgraphs.erp.sandbox.tables import Row, Tables

BANK, RECEIVABLE, TAX, DEFERRED, REVENUE = "1000", "1200", "2400", "2500", "4000"
COMPANY = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One line to post, in the document's currency: debits are positive."""

    account: str
    amount: Decimal
    party: int | None = None
    maturity: dt.date | None = None
    description: str | None = None


class Ledger:
    """Posts to the ledger of the sandbox's one company."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._accounts: dict[str, int] = {}

    def account(self, code: str) -> int:
        """Return the id of an account."""
        if code not in self._accounts:
            self._accounts.update({row["code"]: row["id"] for row in self._tables.rows("account.account")})
        return self._accounts[code]

    def period(self, day: dt.date) -> Row:
        """Return the open period of a day. Raises UserError as Tryton words it."""
        company = self._tables.row("party.party", self._tables.row("company.company", COMPANY)["party"])["name"]
        for row in self._tables.rows("account.period"):
            if row["start_date"] <= day.isoformat() <= row["end_date"]:
                if row["state"] != "open":
                    raise UserError(f'You must open the period "{row["name"]}" for the date "{day:%m/%d/%Y}".')
                return row
        raise UserError(f'To continue, you must create a period for the date "{day:%m/%d/%Y}" and company "{company}".')

    def rate(self, currency: int) -> Decimal:
        """Return how many of the currency one of the company's is worth."""
        rates = [row for row in self._tables.rows("currency.currency.rate") if row["currency"] == currency]
        return Decimal(rates[-1]["rate"]) if rates else Decimal(1)

    def to_company(self, amount: Decimal, currency: int) -> Decimal:
        """Return an amount in the company's currency, rounded to its digits."""
        own = self._tables.row("company.company", COMPANY)["currency"]
        return rounded(self._tables, amount / self.rate(currency), own)

    def post(
        self,
        postings: Sequence[Posting],
        *,
        day: dt.date,
        currency: int,
        journal: str,
        origin: str | None,
        description: str | None = None,
        number: str | None = None,
        period: Row | None = None,
    ) -> Row:
        """Return the posted move. Rounding to the company's currency falls on the largest line."""
        tables = self._tables
        if period is None:
            period = self.period(day)
        company = tables.row("company.company", COMPANY)["currency"]
        move = tables.create(
            "account.move",
            number=number or f"{day.year}/{tables.state.next_number(f'move {day.year}')}",
            company=COMPANY,
            period=period["id"],
            journal=self.journal(journal),
            date=day.isoformat(),
            post_date=tables.now()[:10],
            description=description,
            origin=origin,
            state="posted",
        )
        amounts = [self.to_company(posting.amount, currency) for posting in postings]
        if amounts:
            largest = max(range(len(amounts)), key=lambda i: abs(amounts[i]))
            amounts[largest] -= sum(amounts)
        for posting, amount in zip(postings, amounts, strict=True):
            foreign: dict[str, Any] = {"amount_second_currency": None, "second_currency": None}
            if currency != company:
                foreign = {"amount_second_currency": str(posting.amount), "second_currency": currency}
            tables.create(
                "account.move.line",
                move=move["id"],
                account=self.account(posting.account),
                debit=str(max(amount, Decimal(0)) or "0"),
                credit=str(max(-amount, Decimal(0)) or "0"),
                party=posting.party,
                maturity_date=posting.maturity.isoformat() if posting.maturity else None,
                description=posting.description,
                reconciliation=None,
                **foreign,
            )
        return move

    def post_draft(self, move_id: int) -> None:
        """Post a move that a user has written. Raises UserError for one that is not balanced, or in a closed period."""
        tables = self._tables
        move = tables.row("account.move", move_id)
        if move["state"] == "posted":
            return
        day = dt.date.fromisoformat(move["date"])
        period = self.period(day)
        lines = self.lines(move_id)
        if not lines or sum((Decimal(line["debit"]) - Decimal(line["credit"]) for line in lines), Decimal(0)):
            raise UserError("You cannot post a move that is not balanced or has no lines.")
        number = f"{day.year}/{tables.state.next_number(f'move {day.year}')}"
        values = {"period": period["id"], "number": number, "post_date": tables.now()[:10], "state": "posted"}
        tables.write("account.move", move_id, **values)

    def journal(self, kind: str) -> int:
        """Return the id of the journal of a type."""
        return next(int(row["id"]) for row in self._tables.rows("account.journal") if row["type"] == kind)

    def lines(self, move: int, account: str | None = None) -> list[Row]:
        """Return a move's lines, of one account if it is named."""
        rows = [
            self._tables.row("account.move.line", i) for i in self._tables.ids_where("account.move.line", "move", move)
        ]
        return rows if account is None else [row for row in rows if row["account"] == self.account(account)]

    def reconcile(self, lines: Sequence[Row], day: str) -> None:
        """Settle lines against each other."""
        found = self._tables.create("account.move.reconciliation", date=day, company=COMPANY)
        for line in lines:
            self._tables.write("account.move.line", line["id"], reconciliation=found["id"])
