"""What users may do in the sandbox, each as one transaction: create, write, delete, and press buttons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from subgraphs.erp.sandbox import writing
from subgraphs.erp.sandbox.invoicing import Invoicing
from subgraphs.erp.sandbox.models import MODELS
from subgraphs.erp.sandbox.refusal import ForbiddenError, ServerError
from subgraphs.erp.sandbox.tables import Tables

_INVOICE_PARTS = {"account.invoice.line", "account.invoice.tax"}


class Business:
    """All effects of the sandbox."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.invoicing = Invoicing(tables)
        self._buttons: Mapping[tuple[str, str], Callable[[int], None]] = {
            ("account.invoice", "post"): self.invoicing.post,
            ("account.invoice", "cancel"): self.invoicing.cancel,
            ("account.invoice.deferred", "run"): self.invoicing.run_deferral,
            ("account.move", "post"): self.invoicing.ledger.post_draft,
        }

    def create(self, model: str, values: Mapping[str, Any], context: Mapping[str, Any]) -> int:
        """Return the id of a new record."""
        del context
        with self.tables.transaction():
            row_id = writing.create(self.tables, model, values)
            self._recompute(model, [row_id])
            return row_id

    def write(self, model: str, ids: Sequence[int], values: Mapping[str, Any], context: Mapping[str, Any]) -> None:
        """Change records, unless they have another version than `_timestamp` says."""
        if model not in MODELS:
            raise ServerError(f"'{model}'")
        with self.tables.transaction():
            writing.check_versions(self.tables, context)
            writing.write(self.tables, model, ids, values)
            self._recompute(model, ids)

    def delete(self, model: str, ids: Sequence[int], context: Mapping[str, Any]) -> None:
        """Delete records."""
        if model not in MODELS:
            raise ServerError(f"'{model}'")
        with self.tables.transaction():
            writing.check_versions(self.tables, context)
            writing.delete(self.tables, model, ids)

    def press(self, model: str, button: str, ids: Sequence[int], context: Mapping[str, Any]) -> None:
        """Call a button's method. Raises ForbiddenError for any other method."""
        if model not in MODELS:
            raise ServerError(f"'{model}'")
        press = self._buttons.get((model, button))
        if press is None:
            raise ForbiddenError(f"{model}.{button}")
        with self.tables.transaction():
            writing.check_versions(self.tables, context)
            for row_id in ids:
                press(row_id)

    def _recompute(self, model: str, ids: Sequence[int]) -> None:
        if model == "account.invoice":
            for row_id in ids:
                self.invoicing.update_amounts(row_id)
        elif model in _INVOICE_PARTS:
            for row_id in ids:
                self.invoicing.update_amounts(self.tables.row(model, row_id)["invoice"])
