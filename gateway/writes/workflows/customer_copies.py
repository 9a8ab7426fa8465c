"""What the systems hold of one customer, and what has to change so that every copy says what its owner says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gateway.writes.workflows.definition import CallFailed, OnFailure, RetryPolicy, Run, Step, StepContext, refuse
from gateway.writes.workflows.model import Json, StepError

_IDENTITY = "query($r:[_Any!]!){_entities(representations:$r){...on Customer{id crmRef billingRef erpRef}}}"
_RECORDS = {
    "crm": "crmRef status segment crmRecord{name fields{name value}}",
    "billing": "billingRef billingRecord{name fields{name value}}",
    "erp": "erpRef taxIds erpRecord{name fields{name value}}",
}
_NOT_YET = "Identity does not know the new record yet."
_WAITS_FOR_IDENTITY = RetryPolicy(give_up_after_s=300.0, longest_pause_s=2.0)
_IDENTIFIED = frozenset({"concord.customer.created.v1", "concord.customer.updated.v1", "concord.customer.merged.v1"})
"""What identity tells when it has learned of a record, or whose it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """A customer's records, as a step's output keeps them: a system without one is not in `refs`."""

    customer: str
    """Global id."""
    refs: Mapping[str, str]
    """System → the record's own id there."""
    status: str | None
    """By the CRM."""
    name: str
    reference: str
    owned: Mapping[str, str | None]
    """Field → what its owner says: street, city, country and website by the CRM, taxId by the ERP."""
    held: Mapping[str, Mapping[str, str | None]]
    """System → field → what its record says."""
    segment: str | None = None
    """By the CRM."""

    def to_json(self) -> Json:
        """Return it as a step's output keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Json]) -> Copies:
        """Return what `to_json` kept."""
        return cls(**kept)

    @property
    def lacking(self) -> tuple[str, ...]:
        """The systems that should have a record and don't: a prospect needs none but the CRM's."""
        if "crm" in self.refs and self.status != "ACTIVE":
            return ()
        return tuple(system for system in _RECORDS if system not in self.refs)

    def changes(self, system: str) -> list[dict[str, str | None]]:
        """Return the fields of a system's record to be changed: `{"name", "before", "after"}`."""
        held = self.held.get(system)
        if held is None:
            return []
        wanted = {"name": self.name, **self.owned}
        found = []
        for name in held:
            after = wanted.get(name)
            # What the owner does not know is not taken from those who do.
            if name in wanted and after is not None and not _same(name, held[name], after):
                found.append({"name": name, "before": held[name], "after": after})
        return found


async def read_copies(context: StepContext, customer: str) -> Copies:
    """Read what all systems hold of a customer. Raises `CallFailed`, with NOT_FOUND for one that nobody knows."""
    (known,) = await context.read("identity", _IDENTITY, {"r": [{"__typename": "Customer", "id": customer}]})
    if known is None:
        raise refuse("NOT_FOUND", "There is no such customer.", "identity")
    answers: dict[str, Any] = {}
    for system, selection in _RECORDS.items():
        ref = known[f"{system}Ref"]
        if ref is None:
            continue
        document = f"query($r:[_Any!]!){{_entities(representations:$r){{...on Customer{{{selection}}}}}}}"
        representation = {"__typename": "Customer", f"{system}Ref": ref.partition("+")[0]}
        (found,) = await context.read(system, document, {"r": [representation]})
        if found is not None and found[f"{system}Record"] is not None:
            answers[system] = found
    records = {system: _fields(answer[f"{system}Record"]) for system, answer in answers.items()}
    crm, erp, billing = (records.get(system, {}) for system in ("crm", "erp", "billing"))
    name = crm.get("name") or billing.get("name") or erp.get("name")
    reference = crm.get("customerReference") or erp.get("reference") or billing.get("reference")
    if not name:
        raise refuse("CONFLICT", "No system has a name of the customer.", "crm")
    if reference is None:
        reference = (
            f"CUST-H{answers['crm']['crmRef'].partition('+')[0]}" if "crm" in answers else f"CUST-{known['id'][-12:]}"
        )
    tax_ids = answers["erp"]["taxIds"] or [] if "erp" in answers else []
    domain = crm.get("domain")
    held = {
        "erp": {each: erp.get(each) for each in ("street", "city", "country", "website")},
        "billing": {each: billing.get(each) for each in ("name", "city", "country", "taxId")},
    }
    return Copies(
        customer=str(known["id"]),
        refs={system: str(known[f"{system}Ref"]).partition("+")[0] for system in answers},
        status=answers["crm"]["status"] if "crm" in answers else None,
        name=name,
        reference=reference,
        owned={
            "street": crm.get("address"),
            "city": crm.get("city"),
            "country": crm.get("country"),
            "website": f"https://{domain}" if domain else None,
            "taxId": tax_ids[0] if tax_ids else None,
        },
        held={system: values for system, values in held.items() if system in answers},
        segment=answers["crm"]["segment"] if "crm" in answers else None,
    )


def identity_step(run: Run) -> Step:
    """Return the step in which identity learns of the records that were made; `run` calls `wait_for_identity`."""
    return Step(
        name="identity",
        system="identity",
        run=run,
        retry=_WAITS_FOR_IDENTITY,
        awaits=_IDENTIFIED,
        on_failure=OnFailure.ASK,
    )


async def wait_for_identity(context: StepContext, refs: Mapping[str, str]) -> Json:
    """Return the customer whose records these are, once identity knows them all as one. Raises `CallFailed`."""
    wanted = [{"__typename": "Customer", f"{system}Ref": ref} for system, ref in refs.items()]
    found = await context.read("identity", _IDENTITY, {"r": wanted})
    if any(each is None for each in found):
        # Systems tell identity of new records by themselves, within seconds; the step is tried again.
        raise CallFailed(StepError(code="SYSTEM_UNAVAILABLE", message=_NOT_YET, system="identity"))
    customers = sorted({str(each["id"]) for each in found})
    if len(customers) > 1:
        told = "Identity takes the records for different customers; `mergeCustomers` or `linkIdentity` says whose they are."
        raise refuse("CONFLICT", told, "identity")
    return {"customer": customers[0]}


def _fields(record: Mapping[str, Any]) -> dict[str, str | None]:
    return {"name": record["name"], **{each["name"]: each["value"] or None for each in record["fields"]}}


def _same(name: str, held: str | None, wanted: str) -> bool:
    if name == "website":
        return held is not None and wanted.removeprefix("https://").lower() in held.lower()
    if name == "taxId":
        return (
            held is not None
            and "".join(filter(str.isalnum, held)).upper() == "".join(filter(str.isalnum, wanted)).upper()
        )
    return held == wanted
