"""Tryton's RPC: log in for a session, then call models and the wizard that pays an invoice."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import secrets
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from subgraphs.erp.sandbox.business import Business
from subgraphs.erp.sandbox.domain import search
from subgraphs.erp.sandbox.models import MODELS
from subgraphs.erp.sandbox.reading import field_tree, read, search_read
from subgraphs.erp.sandbox.refusal import ForbiddenError, ServerError, UserError

_SESSION_S = 300.0
_TRIES = 5
_PAY = "wizard.account.invoice.pay"


class Rpc:
    """Sessions and calls. Sessions are kept in memory only: a restart asks everybody to log in again, as a time-out does."""

    def __init__(self, business: Business, *, login: str, password: str) -> None:
        self._business = business
        self._tables = business.tables
        self._login = login
        self._password = password
        self._sessions: dict[str, float] = {}
        self._failures: list[float] = []
        self._wizards: set[int] = set()
        self._last_wizard = 0

    def log_in(self, parameters: Any) -> tuple[int, Mapping[str, Any]]:
        """Return the HTTP status and the answer to `common.db.login`: user, session, nothing; 429 after five bad tries."""
        self._failures = [at for at in self._failures if at > time.monotonic() - _SESSION_S]
        if len(self._failures) >= _TRIES:
            return 429, {}
        match parameters:
            case [str() as login, {"password": str() as password}, *_] if (
                login == self._login and secrets.compare_digest(password.encode(), self._password.encode())
            ):
                token = secrets.token_hex(32)
                self._sessions[f"{login}:1:{token}"] = time.monotonic()
                return 200, {"result": [1, token, None]}
            case _:
                self._failures.append(time.monotonic())
                return 401, {}

    def is_open(self, authorization: str) -> bool:
        """Whether `Session <base64 of login:user:token>` names a session; a call keeps it open."""
        kind, _, value = authorization.partition(" ")
        try:
            name = base64.b64decode(value, validate=True).decode() if kind == "Session" else ""
        except (binascii.Error, UnicodeDecodeError):
            return False
        at = self._sessions.get(name)
        if at is None or at < time.monotonic() - _SESSION_S:
            self._sessions.pop(name, None)
            return False
        self._sessions[name] = time.monotonic()
        return True

    def call(self, method: str, parameters: Sequence[Any]) -> Any:
        """Return the result of a call. Raises the refusals of `subgraphs.erp.sandbox.refusal`."""
        if method == "common.db.logout":
            self._sessions.clear()
            return None
        if method == "model.res.user.get_preferences":
            return {"company": 1, "companies": [1], "language": "en", "employees": [], "groups": []}
        if method.startswith(f"{_PAY}."):
            return self._pay_wizard(method.removeprefix(f"{_PAY}."), parameters)
        kind, _, rest = method.partition(".")
        model, _, name = rest.rpartition(".")
        if kind != "model" or model not in MODELS:
            raise ServerError(f"'{model}'")
        context = parameters[-1] if parameters and isinstance(parameters[-1], dict) else {}
        return self._model(model, name, parameters, context)

    def _model(self, model: str, name: str, parameters: Sequence[Any], context: Mapping[str, Any]) -> Any:
        tables, business = self._tables, self._business
        match name, parameters:
            case "read", [list() as ids, list() as fields, *_]:
                found = [row for i in ids if (row := tables.get(model, i)) is not None]
                if len(found) < len(ids):
                    raise UserError("You are trying to read records that don't exist.")
                return read(tables, model, found, field_tree(fields), context)
            case "search_read", [domain, offset, limit, order, list() as fields, *_]:
                tree = field_tree(fields)
                return search_read(
                    tables, model, domain, tree, order=order, offset=offset or 0, limit=limit, context=context
                )
            case "search", [domain, offset, limit, order, *_]:
                rows = search_read(
                    tables, model, domain, {}, order=order, offset=offset or 0, limit=limit, context=context
                )
                return [row["id"] for row in rows]
            case "fields_get", _:
                return {name: {"name": name, "relation": field.target or None} for name, field in MODELS[model].items()}
            case "search_count", [domain, *_]:
                return len(search(tables, model, domain))
            case "create", [list() as created, *_]:
                return [business.create(model, values, context) for values in created]
            case "write", [list() as ids, dict() as values, *_]:
                return business.write(model, ids, values, context)
            case "delete", [list() as ids, *_]:
                return business.delete(model, ids, context)
            case _, [list() as ids, *_]:
                return business.press(model, name, ids, context)
            case _:
                raise ForbiddenError(name)

    def _pay_wizard(self, step: str, parameters: Sequence[Any]) -> Any:
        match step, parameters:
            case "create", _:
                self._last_wizard += 1
                self._wizards.add(self._last_wizard)
                return [self._last_wizard, "start", "end"]
            case "delete", [int() as wizard, *_]:
                self._wizards.discard(wizard)
                return None
            case "execute", [int() as wizard, dict() as answers, "pay", dict() as context] if wizard in self._wizards:
                form = answers["start"]
                amount, day = form["amount"], form["date"]
                if not isinstance(amount, Decimal) or not isinstance(day, dt.date):
                    raise ServerError("Invalid value")
                with self._tables.transaction():
                    self._business.invoicing.pay(
                        int(context["active_id"]),
                        amount=amount,
                        day=day,
                        method=int(form["payment_method"]),
                        description=form.get("description"),
                    )
                return {}
            case _:
                raise ForbiddenError(step)
