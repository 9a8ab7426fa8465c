"""Billing's writes: what is allowed, idempotent, on the version that was read."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from subgraphs.billing.derivation import entitlements_of
from subgraphs.billing.feed import BillingFeed
from subgraphs.billing.port import Books, Grant, Held, Ledger, UsageReport
from subgraphs.billing.records import RUNNING, CancellationReason, Contract, ContractStatus, Entitlement, Feature
from subgraphs.billing.vendors.stripe_wire import refused_param
from subgraphs.kit.current_request import current_request
from subgraphs.kit.global_id import local_id
from subgraphs.kit.idempotent_write import IdempotentWrites
from subgraphs.kit.record_loader import whole
from subgraphs.kit.system_error import (
    BadUserInputError,
    ConflictError,
    NotFoundError,
    Outcome,
    StaleVersionError,
    VendorRejectedError,
)

_MAX_BACKDATED = dt.timedelta(days=35)
_MAX_AHEAD = dt.timedelta(minutes=5)
_MAX_QUANTITY = Decimal(10) ** 12


class BadArgumentError(BadUserInputError):
    """A value of the input that its type allows but this mutation does not; `argument` says which."""

    def __init__(self, argument: str, message: str) -> None:
        super().__init__(message, outcome=Outcome.NOT_APPLIED)
        self.argument = argument

    @property
    def extensions(self) -> dict[str, Any]:
        """As the kit's, with the argument's path."""
        return {**super().extensions, "argument": ["input", self.argument]}


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class ContractWrites:
    """The mutations, without GraphQL."""

    def __init__(
        self,
        books: Books,
        ledger: Ledger,
        answers: IdempotentWrites,
        feed: BillingFeed,
        records_of: Callable[[str], Awaitable[Sequence[str]]],
        *,
        supported: frozenset[str],
    ) -> None:
        """`records_of`: global customer id → the vendor's ids. `supported`: what the vendor can carry out."""
        self._books = books
        self._ledger = ledger
        self._answers = answers
        self._feed = feed
        self._records_of = records_of
        self._supported = supported

    async def record_usage(
        self, contract_id: str, feature: str, quantity: Decimal, at: dt.datetime | None, client_key: str | None
    ) -> str:
        """Count use; return the entitlement's local id."""
        self._require("recordUsage")
        number = local_id(contract_id, "Contract")
        if not 0 < quantity <= _MAX_QUANTITY or -int(quantity.as_tuple().exponent) > 6:
            raise BadArgumentError("quantity", "The quantity is above 0 and has at most six decimals.")
        key = _key(client_key)
        is_repeat = False

        def notice_repeat() -> None:
            nonlocal is_repeat
            is_repeat = True

        async def write() -> dict[str, str]:
            contract = await self._contract(contract_id)
            catalog = await self._books.catalog()
            known = catalog.features.get(feature)
            if known is None or known.meter is None:
                raise BadArgumentError("feature", "No metered feature has this key.")
            held_before = await self._held(contract.customer)
            if not is_repeat:
                # What an earlier try was allowed to do must not be refused for what has come since.
                await self._allow_usage(contract, feature, at, held_before)
            meter = known.meter
            report = UsageReport(customer=contract.customer, meter=meter, quantity=quantity, at=at)
            reading = await self._carried_out(
                self._ledger.record_usage(report, key=key, is_repeat=is_repeat), {"timestamp": "occurredAt"}
            )
            held = replace(held_before, readings={**held_before.readings, meter: reading})
            await self._feed.tell_usage(catalog, contract.customer, meter, held_before.readings, held, identity=key)
            return {"entitlement": f"{contract.customer}.{feature}"}

        arguments = {
            "mutation": "recordUsage",
            "contract": number,
            "feature": feature,
            "quantity": str(quantity),
            "at": at.isoformat() if at else None,
        }
        answer = await self._answers.run(key, arguments, write, in_doubt=notice_repeat)
        return str(answer["entitlement"])

    async def _allow_usage(self, contract: Contract, feature: str, at: dt.datetime | None, held: Held) -> None:
        if contract.status not in RUNNING:
            raise _state_error(contract, "records no use")
        if at is not None and not _now() - _MAX_BACKDATED <= at <= _now() + _MAX_AHEAD:
            raise BadArgumentError("occurredAt", "Use can be recorded for the past 35 days, not ahead.")
        if not any(e.feature.key == feature for e in await self._entitlements(contract.customer, held)):
            raise BadArgumentError("feature", "The customer has no entitlement to this feature.")

    async def grant(
        self,
        customer_id: str,
        feature: str,
        limit: int | None,
        valid_until: dt.date | None,
        reason: str | None,
        client_key: str | None,
    ) -> str:
        """Give a right outside of contracts; return the entitlement's local id."""
        self._require("grantEntitlement")
        local_id(customer_id, "Customer")
        if limit is not None and not 0 < limit <= 10**9:
            raise BadArgumentError("limit", "The limit is above 0; leave it out for none.")
        key = _key(client_key)
        is_repeat = False

        def notice_repeat() -> None:
            nonlocal is_repeat
            is_repeat = True

        async def write() -> dict[str, str]:
            records = await self._records_of(customer_id)
            if not records:
                raise NotFoundError("There is no such customer in billing.", outcome=Outcome.NOT_APPLIED)
            known = (await self._books.catalog()).features.get(feature)
            if known is None:
                raise BadArgumentError("feature", "There is no feature with this key.")
            if not is_repeat and valid_until is not None and valid_until < _now().date():
                raise BadArgumentError("validUntil", "The last day is today or later.")
            customer = whole(await self._books.customers([records[0]]))[records[0]]
            grant = Grant(
                customer=customer.id,
                feature=known,
                currency=customer.currency or "EUR",
                limit=limit,
                valid_until=valid_until,
                reason=reason,
            )
            await self._carried_out(self._ledger.grant(grant, key=key), {"cancel_at": "validUntil"})
            return {"entitlement": f"{customer.id}.{feature}"}

        arguments = {
            "mutation": "grantEntitlement",
            "customer": customer_id,
            "feature": feature,
            "limit": limit,
            "validUntil": str(valid_until),
            "reason": reason,
        }
        answer = await self._answers.run(key, arguments, write, in_doubt=notice_repeat)
        return str(answer["entitlement"])

    async def pause(self, contract_id: str, version: str, resumes_on: dt.date | None, client_key: str | None) -> str:
        """Pause a contract; return its number."""

        def allow() -> None:
            if resumes_on is not None and resumes_on <= _now().date():
                raise BadArgumentError("resumesOn", "The day to resume lies ahead.")

        def check(contract: Contract) -> None:
            if contract.status is not ContractStatus.ACTIVE:
                raise _state_error(contract, "can't be paused")

        return await self._update(
            "pauseContract",
            contract_id,
            version,
            client_key,
            {"resumesOn": str(resumes_on)},
            allow=allow,
            check=check,
            is_done=lambda c: c.status is ContractStatus.PAUSED and c.resumes_on == resumes_on,
            write=lambda contract, key: self._ledger.pause(contract, resumes_on=resumes_on, key=key),
            arguments_of={"pause_collection[resumes_at]": "resumesOn"},
        )

    async def resume(self, contract_id: str, version: str, client_key: str | None) -> str:
        """Resume a paused contract; return its number."""

        def check(contract: Contract) -> None:
            if contract.status is not ContractStatus.PAUSED:
                raise _state_error(contract, "can't be resumed")

        return await self._update(
            "resumeContract",
            contract_id,
            version,
            client_key,
            {},
            check=check,
            is_done=lambda c: c.status is ContractStatus.ACTIVE,
            write=lambda contract, key: self._ledger.resume(contract, key=key),
        )

    async def schedule_cancellation(
        self,
        contract_id: str,
        version: str,
        effective_on: dt.date | None,
        reason: CancellationReason | None,
        comment: str | None,
        client_key: str | None,
    ) -> str:
        """End a contract on a day, or with its term; return its number."""
        if comment is not None and len(comment) > 500:
            raise BadArgumentError("comment", "A comment has at most 500 characters.")

        def end_of(contract: Contract) -> dt.date:
            if effective_on is not None:
                return effective_on
            if contract.ends_on is None:
                raise BadArgumentError("effectiveOn", "The contract has no agreed end; name a day.")
            return contract.ends_on + dt.timedelta(days=1)

        def allow() -> None:
            if effective_on is not None and effective_on <= _now().date():
                raise BadArgumentError("effectiveOn", "The contract can end from tomorrow on.")

        def check(contract: Contract) -> None:
            if contract.status not in RUNNING:
                raise _state_error(contract, "can't be cancelled")
            end_of(contract)

        return await self._update(
            "scheduleCancellation",
            contract_id,
            version,
            client_key,
            {"effectiveOn": str(effective_on), "reason": reason, "comment": comment},
            allow=allow,
            check=check,
            is_done=lambda c: c.cancellation is not None and c.cancellation.effective_on == end_of(c),
            write=lambda contract, key: self._ledger.schedule_cancellation(
                contract, effective_on=end_of(contract), reason=reason, comment=comment, key=key
            ),
            arguments_of={"cancel_at": "effectiveOn", "cancellation_details[comment]": "comment"},
        )

    async def set_auto_renew(self, contract_id: str, version: str, auto_renews: bool, client_key: str | None) -> str:
        """Let a contract renew by itself or not; return its number. Switching it on withdraws a planned cancellation."""

        def check(contract: Contract) -> None:
            if contract.status not in RUNNING:
                raise _state_error(contract, "can't change its renewal")
            if contract.ends_on is None:
                raise BadArgumentError("contractId", "The contract has no agreed term that could renew.")

        return await self._update(
            "setAutoRenew",
            contract_id,
            version,
            client_key,
            {"autoRenews": auto_renews},
            check=check,
            is_done=lambda c: c.auto_renews is auto_renews and c.cancellation is None,
            write=lambda contract, key: self._ledger.set_auto_renew(contract, auto_renews=auto_renews, key=key),
        )

    async def _update(
        self,
        mutation: str,
        contract_id: str,
        version: str,
        client_key: str | None,
        arguments: Mapping[str, Any],
        *,
        check: Callable[[Contract], None],
        is_done: Callable[[Contract], bool],
        write: Callable[[Contract, str], Awaitable[Contract]],
        allow: Callable[[], None] = lambda: None,
        arguments_of: Mapping[str, str] | None = None,
    ) -> str:
        """Change a contract, if it still is as it was read. A try whose outcome is unknown is looked up first.

        `allow` refuses what the day forbids, which an earlier try may have been allowed.
        Nothing is read before the key is looked at: what can't be read says nothing of an earlier try.
        """
        self._require(mutation)
        number = local_id(contract_id, "Contract")
        key = _key(client_key)

        async def look_up() -> dict[str, str] | None:
            contract = await self._contract(contract_id)
            present = await self._ledger.current(contract)
            return {"contract": contract.number} if present is not None and is_done(present) else None

        async def carry_out() -> dict[str, str]:
            allow()
            contract = await self._contract(contract_id)
            present = await self._carried_out(self._ledger.current(contract), {})
            if present is None:
                if contract.status is ContractStatus.DRAFT:
                    raise _state_error(contract, "has not started")
                raise NotFoundError("There is no such contract in billing.", outcome=Outcome.NOT_APPLIED)
            if present.version != version:
                raise _stale(present)
            check(present)
            changed = await self._carried_out(write(present, key), arguments_of or {})
            return {"contract": changed.number}

        answer = await self._answers.run(
            key,
            {"mutation": mutation, "contract": number, "version": version, **arguments},
            carry_out,
            look_up=look_up,
        )
        return str(answer["contract"])

    def _require(self, mutation: str) -> None:
        if mutation not in self._supported:
            raise VendorRejectedError(
                "The billing system can't do this.", system="billing", outcome=Outcome.NOT_APPLIED
            )

    async def _contract(self, contract_id: str) -> Contract:
        number = local_id(contract_id, "Contract")
        contract = whole(await self._books.contracts([number])).get(number)
        if contract is None:
            raise NotFoundError("There is no such contract.", outcome=Outcome.NOT_APPLIED)
        return contract

    async def _held(self, customer: str) -> Held:
        return whole(await self._books.held([customer]))[customer]

    async def _entitlements(self, customer: str, held: Held) -> Sequence[Entitlement]:
        catalog = await self._books.catalog()
        features: Mapping[str, Feature] = catalog.features
        return entitlements_of(
            customer, held.contracts, held.active_keys, catalog.products, features, held.readings, _now().date()
        )

    async def _carried_out(self, work: Awaitable[Any], arguments_of: Mapping[str, str]) -> Any:
        """Await a call to the vendor; a refusal of a parameter that stands for an argument becomes one of that argument."""
        try:
            return await work
        except VendorRejectedError as error:
            argument = arguments_of.get(refused_param(error.reply) or "")
            if argument is None:
                raise
            raise BadArgumentError(argument, error.message) from error


def _key(client_key: str | None) -> str:
    """Return the write's idempotency key: the gateway's, else the client's, else one for this request alone."""
    current = current_request()
    return (current.idempotency_key if current else None) or client_key or str(uuid.uuid4())


def _stale(contract: Contract) -> StaleVersionError:
    current = {
        "version": contract.version,
        "status": contract.status.value,
        "autoRenews": contract.auto_renews,
        "endsOn": None if contract.ends_on is None else contract.ends_on.isoformat(),
        "resumesOn": None if contract.resumes_on is None else contract.resumes_on.isoformat(),
    }
    return StaleVersionError("The contract has changed since this version was read.", current=current)


def _state_error(contract: Contract, verb: str) -> ConflictError:
    return ConflictError(
        f"A contract that is {contract.status.value} {verb}.", outcome=Outcome.NOT_APPLIED, retryable=False
    )
