"""Tryton 8.2 (PyPI, GPL-3): a real ERP that nobody here wrote, run as a process of its own, its books seeded with our facts.

`third_party.py` installs it. Its books are seeded once into `.concord/systems/tryton-8.2`, which git ignores: a minute. After
that a session starts from a copy of them, in seconds.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
import sqlite3
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from install_lock import SYSTEMS, install_lock
from served_process import ServedProcess, free_port, serve_program
from third_party import TRYTON, required

from subgraphs.erp.sandbox.setup import CURRENCY, METHODS, RATES
from subgraphs.erp.vendors.tryton_mapping import to_category
from subgraphs.kit.company.model import Company, InvoiceStatus, PaymentStatus, Source

_MODULES = ("account_invoice", "account_invoice_defer", "account_credit_limit", "party_relationship")
_SEED = Path(__file__).with_name("tryton_seed.py")
LOGIN = "admin"
PASSWORD = "a-Tryton-pass-word"


@dataclass(frozen=True)
class TrytonServer:
    """A running Tryton."""

    process: ServedProcess
    url: str
    """With the database's name."""
    application_key: str

    def stop(self) -> None:
        self.process.stop()


def books_of(company: Company) -> dict[str, Any]:
    """Return the facts as `tryton_seed.py` takes them."""
    rules = {product.sku: product.revenue_rule for product in company.products}
    assert not company.credit_memos, "choose a company without credit memos: the seed has none"
    return {
        "company": "Concord Software SE",
        "currency": CURRENCY,
        "rates": {code: str(rate) for code, rate in RATES.items()},
        # Up to the year after this one: what tests do in Tryton carries the day they run on.
        "years": list(range(min(p.starts_on.year for p in company.periods), dt.datetime.now(dt.UTC).year + 2)),
        "tax_rates": {rate.code: str(rate.percent / 100) for rate in company.tax_rates},
        "payment_methods": list(METHODS.values()),
        "products": [
            {"sku": p.sku, "name": p.name, "revenue_rule": to_category(p.revenue_rule), "tax_code": p.tax_code}
            for p in company.products
        ],
        "customers": [
            {
                "code": c.reference,
                "name": dict(c.names).get(Source.ERP) or c.legal_name,
                "tax_id": c.tax_id,
                "website": f"https://{c.domain}",
                "email": f"billing@{c.domain}",
                "street": c.address.street,
                "city": c.city_in(Source.ERP),
                "country": c.address.country,
                "credit_limit": str(c.credit_limit),
                "on_hold": c.credit_hold,
                "parent": c.parent_in(Source.ERP),
            }
            for c in company.customers
        ],
        "invoices": [
            {
                "number": i.number,
                "customer": i.customer,
                "contract": i.contract,
                "currency": i.currency,
                "issued_on": i.issued_on.isoformat(),
                "due_on": i.due_on.isoformat(),
                "is_draft": i.status is InvoiceStatus.DRAFT,
                "is_void": i.status is InvoiceStatus.VOIDED,
                "lines": [
                    {
                        "sku": line.sku,
                        "description": line.description,
                        "billed_line": line.billed_line,
                        "quantity": line.quantity,
                        "unit_price": str(line.unit_amount),
                        "tax": i.tax_code,
                        "deferral": [line.period_start.isoformat(), line.period_end.isoformat()]
                        if rules[line.sku] != "POINT_IN_TIME" and line.period_start < line.period_end
                        else None,
                    }
                    for line in company.invoice_lines
                    if line.invoice == i.number
                ],
                "payments": [
                    {
                        "amount": str(p.amount),
                        "on": p.received_on.isoformat(),
                        "reference": p.reference,
                        "method": METHODS[p.method],
                    }
                    for p in company.payments
                    if p.invoice == i.number and p.status is PaymentStatus.SUCCEEDED
                ],
            }
            for i in company.invoices
        ],
    }


def _seeded(programs: Path, company: Company, databases: Path) -> Path:
    """Return the folder with the application's key; the database, seeded with the facts, is copied."""
    home = SYSTEMS / "tryton-8.2"
    with install_lock():
        home.mkdir(exist_ok=True)
        _make(home, programs, company)
        # While the lock is held: another test process may want other facts.
        shutil.copy(home / "erp.sqlite", databases / "erp.sqlite")
    return home


def _make(home: Path, programs: Path, company: Company) -> None:
    books = orjson.dumps(books_of(company))
    stamp = hashlib.sha256(books + _SEED.read_bytes() + TRYTON.wanted.encode() + PASSWORD.encode()).hexdigest()
    seeded = home / "seeded.txt"
    if not seeded.exists() or seeded.read_text() != stamp:
        work = home / "building"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        _seed(programs, work, books)
        for name in ("erp.sqlite", "application.key"):
            shutil.move(work / name, home / name)
        shutil.rmtree(work)
        seeded.write_text(stamp)


def _seed(programs: Path, work: Path, books: bytes) -> None:
    (work / "db").mkdir()
    database = work / "db" / "erp.sqlite"
    database.touch()
    configuration = _configuration(work, work / "db", free_port())
    (work / "password").write_text(PASSWORD)
    (work / "books.json").write_bytes(books)
    environment = {**os.environ, "TRYTONPASSFILE": str(work / "password")}
    admin = [str(programs / "trytond-admin"), "-c", str(configuration), "-d", "erp"]
    steps = [
        [*admin, "--all", "--email", "admin@concord.example"],
        [*admin, "-u", *_MODULES, "--activate-dependencies"],
        [str(programs / "python"), str(_SEED), str(configuration), "erp", "books.json", "application.key"],
    ]
    for step in steps:
        done = subprocess.run(step, cwd=work, env=environment, check=False, capture_output=True, text=True, timeout=900)
        if done.returncode:
            raise RuntimeError(f"{step[0]} failed: {done.stderr[-2000:]}")
    # One file without a write-ahead log beside it, so that a copy is whole.
    with sqlite3.connect(database) as connection:
        connection.execute("vacuum into ?", (str(work / "erp.sqlite"),))
    connection.close()


def _configuration(folder: Path, databases: Path, port: int) -> Path:
    path = folder / "trytond.conf"
    path.write_text(
        f"[database]\nuri = sqlite://\npath = {databases}\n[web]\nlisten = 127.0.0.1:{port}\n[session]\nsuper_pwd =\n"
    )
    return path


def serve_tryton(folder: Path, company: Company) -> TrytonServer:
    """Serve a copy of the seeded database."""
    databases = folder / "db"
    databases.mkdir(parents=True)
    programs = required(TRYTON) / "bin"
    home = _seeded(programs, company, databases)
    port = free_port()
    configuration = _configuration(folder, databases, port)
    command = [str(programs / "trytond"), "-c", str(configuration), "-d", "erp"]
    url = f"http://127.0.0.1:{port}"
    process = serve_program(command, folder, url, "/erp/rest/model/party.party", {})
    return TrytonServer(process, f"{url}/erp", (home / "application.key").read_text())
