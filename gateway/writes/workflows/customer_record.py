"""Who a workflow is about: the company as the CRM has it, the companies above it, and whether the ERP holds its credit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from gateway.writes.workflows.definition import StepContext, refuse
from gateway.writes.workflows.model import Json

COMPANY = "crmRef name status segment crmRecord{fields{name value}} parent{crmRef}"
"""The selection that `read_company` reads."""
_BY_CRM = f"query($r:[_Any!]!){{_entities(representations:$r){{...on Customer{{{COMPANY}}}}}}}"
_IDENTITY = (
    "query($r:[_Any!]!){_entities(representations:$r)"
    "{...on Customer{id crmRef erpRef billingRef identities{system externalId reference}}}}"
)
_HOLD = "query($r:[_Any!]!){_entities(representations:$r){...on Customer{erpRef creditHold}}}"
_HIGHEST = 10
"""Levels of a hierarchy that are followed; more are taken for a mistake in the CRM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """A customer's record in the CRM."""

    crm_ref: str
    name: str
    reference: str
    """The business key in all systems: the CRM's own, or for a prospect without one, one made of its id there."""
    status: str | None
    website: str | None
    street: str | None
    city: str | None
    country: str | None
    parent: str | None
    """`crmRef` of the company above."""
    segment: str | None = None
    """What routes to one of several ERPs know as the business unit, as the claims of callers do."""

    def to_json(self) -> Json:
        """Return it as a step's output keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Json]) -> Company:
        """Return what `to_json` kept."""
        return cls(**kept)


def read_company(answer: Mapping[str, Json]) -> Company:
    """Return the company in an answer to the selection COMPANY. Raises `CallFailed` for one without a name."""
    fields = {each["name"]: each["value"] for each in (answer.get("crmRecord") or {}).get("fields") or ()}
    crm_ref = str(answer["crmRef"])
    name = answer.get("name")
    if not name:
        raise refuse("CONFLICT", "The customer has no name in the CRM.", "crm")
    domain = fields.get("domain")
    return Company(
        crm_ref=crm_ref,
        name=name,
        reference=fields.get("customerReference") or f"CUST-H{crm_ref.partition('+')[0]}",
        status=answer.get("status"),
        website=f"https://{domain}" if domain else None,
        street=fields.get("address"),
        city=fields.get("city"),
        country=fields.get("country"),
        parent=(answer.get("parent") or {}).get("crmRef"),
        segment=answer.get("segment"),
    )


async def follow_parents(context: StepContext, company: Company) -> tuple[Company, ...]:
    """Return the companies above, the nearest first. Raises `CallFailed` where they go in a circle or have no end."""
    above: list[Company] = []
    seen, following = {company.crm_ref}, company.parent
    while following is not None:
        if following in seen or len(above) >= _HIGHEST:
            told = "The customer's parents in the CRM go in a circle, or have no end."
            raise refuse("CONFLICT", told, "crm")
        seen.add(following)
        (found,) = await context.read("crm", _BY_CRM, {"r": [{"__typename": "Customer", "crmRef": following}]})
        if found is None:
            raise refuse("CONFLICT", "A parent of the customer is not in the CRM anymore.", "crm")
        above.append(read_company(found))
        following = above[-1].parent
    return tuple(above)


async def refuse_credit_hold(context: StepContext, companies: Sequence[Company]) -> Json:
    """Return the first company's identity, null for one that identity does not know yet.

    Raises `CallFailed` where the ERP has it, or a company above it, on credit hold.
    """
    wanted = [{"__typename": "Customer", "crmRef": each.crm_ref.partition("+")[0]} for each in companies]
    identities = await context.read("identity", _IDENTITY, {"r": wanted})
    refs = [each["erpRef"] for each in identities if each is not None and each["erpRef"]]
    if refs:
        held = await context.read("erp", _HOLD, {"r": [{"__typename": "Customer", "erpRef": ref} for ref in refs]})
        if any(each is not None and each["creditHold"] for each in held):
            raise refuse("CONFLICT", "The customer, or one it belongs to, is on credit hold.", "erp")
    return identities[0]
