"""The decisions a person takes about identities. Each can be repeated safely, by key or by what it says."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from typing import Any

import strawberry

from subgraphs.identity.by_hand import Decided, Decree, link_record, merge_customers, split_customer
from subgraphs.identity.context import IdentityInfo
from subgraphs.identity.customer_id import global_customer_id, local_customer_id
from subgraphs.identity.history import customer_of_write
from subgraphs.identity.record import RecordRefusedError, parse_external_id, parse_system
from subgraphs.identity.types import Customer, find_customer
from subgraphs.kit.current_request import current_request
from subgraphs.kit.outbox import Outbox
from subgraphs.kit.system_error import BadUserInputError, Outcome

_MAX_LIST = 100
_MAX_REASON = 500


@strawberry.input(description="One record of a system, named as that system names it.")
class RecordInput:
    """A system's name and its own id."""

    system: str = strawberry.field(description="Which system holds it, as `Identity.system` says.")
    external_id: str = strawberry.field(description="That system's own id of the record.")


@strawberry.input(description="Whose a record is. The link holds for good: no rule changes it.")
class LinkIdentityInput:
    """Input of `linkIdentity`."""

    customer_id: strawberry.ID = strawberry.field(
        description="Global id of the customer as read from the graph; an unknown one is refused with NOT_FOUND."
    )
    version: str = strawberry.field(
        description="The customer's `identityVersion` as it was read; a stale one is refused with CONFLICT."
    )
    system: str = strawberry.field(description="Which system holds the record, as `Identity.system` says.")
    external_id: str = strawberry.field(
        description="That system's own id of the record; refused if no system has told of it, or if it is the only one of another customer."
    )
    reason: str | None = strawberry.field(
        default=None, description="Why, for `Customer.history`; at most 500 characters."
    )
    client_mutation_id: str | None = None


@strawberry.input(description="Customers that are one and the same.")
class MergeCustomersInput:
    """Input of `mergeCustomers`."""

    customer_id: strawberry.ID = strawberry.field(
        description="Global id of the customer that stays; an unknown one is refused with NOT_FOUND."
    )
    version: str = strawberry.field(
        description="The `identityVersion` of the one that stays, as it was read; a stale one is refused with CONFLICT."
    )
    duplicate_ids: list[strawberry.ID] = strawberry.field(
        description="Global ids of the customers that are it too, 1 to 100; they go on as aliases of the one that stays."
    )
    reason: str | None = strawberry.field(
        default=None, description="Why, for `Customer.history`; at most 500 characters."
    )
    client_mutation_id: str | None = None


@strawberry.input(description="Records of a customer that are really another one.")
class SplitCustomerInput:
    """Input of `splitCustomer`."""

    customer_id: strawberry.ID = strawberry.field(
        description="Global id of the customer as read from the graph; an unknown one is refused with NOT_FOUND."
    )
    version: str = strawberry.field(
        description="The customer's `identityVersion` as it was read; a stale one is refused with CONFLICT."
    )
    records: list[RecordInput] = strawberry.field(
        description="The records to take away, 1 to 100 and not all that the customer has."
    )
    reason: str | None = strawberry.field(
        default=None, description="Why, for `Customer.history`; at most 500 characters."
    )
    client_mutation_id: str | None = None


@strawberry.type(description="What `linkIdentity` did.")
class LinkIdentityPayload:
    """Answer of `linkIdentity`."""

    customer: Customer = strawberry.field(description="The customer with the record linked.")
    client_mutation_id: str | None


@strawberry.type(description="What `mergeCustomers` did.")
class MergeCustomersPayload:
    """Answer of `mergeCustomers`."""

    customer: Customer = strawberry.field(description="The customer that stays, with the records of all.")
    client_mutation_id: str | None


@strawberry.type(description="What `splitCustomer` did.")
class SplitCustomerPayload:
    """Answer of `splitCustomer`."""

    customer: Customer = strawberry.field(description="The customer with the records that it keeps.")
    new_customer: Customer = strawberry.field(
        description="The customer that the records are now: the one once merged with just these, else a new one."
    )
    client_mutation_id: str | None


async def link_identity(info: IdentityInfo, input: LinkIdentityInput) -> LinkIdentityPayload | None:  # noqa: A002
    """Link a record by hand; no rule changes that link afterwards."""
    record = _record(input.system, input.external_id)
    answer = await _decide(
        info,
        "linkIdentity",
        input,
        {"record": record},
        lambda connection, decree: link_record(connection, decree, record),
    )
    return LinkIdentityPayload(
        customer=await _read(info, answer["customer"]), client_mutation_id=input.client_mutation_id
    )


async def merge(info: IdentityInfo, input: MergeCustomersInput) -> MergeCustomersPayload | None:  # noqa: A002
    """Merge customers; the ids of the duplicates go on as aliases."""
    duplicates = [local_customer_id(id_) for id_ in _some(input.duplicate_ids, "duplicateIds")]
    answer = await _decide(
        info,
        "mergeCustomers",
        input,
        {"duplicates": duplicates},
        lambda connection, decree: merge_customers(connection, decree, duplicates),
    )
    return MergeCustomersPayload(
        customer=await _read(info, answer["customer"]), client_mutation_id=input.client_mutation_id
    )


async def split(info: IdentityInfo, input: SplitCustomerInput) -> SplitCustomerPayload | None:  # noqa: A002
    """Split records off; if they came by a merge, the merged customer gets its id back."""
    records = [_record(record.system, record.external_id) for record in _some(input.records, "records")]
    answer = await _decide(
        info,
        "splitCustomer",
        input,
        {"records": records},
        lambda connection, decree: split_customer(connection, decree, records),
    )
    return SplitCustomerPayload(
        customer=await _read(info, answer["customer"]),
        new_customer=await _read(info, answer["other"]),
        client_mutation_id=input.client_mutation_id,
    )


@strawberry.type
class Mutation:
    """What a person can decide about identities."""

    link_identity: LinkIdentityPayload | None = strawberry.mutation(
        resolver=link_identity,
        description="Say whose a record is, for good. CONFLICT if the customer changed meanwhile.",
    )
    merge_customers: MergeCustomersPayload | None = strawberry.mutation(
        resolver=merge,
        description="Say that customers are one; the others' ids go on as aliases. CONFLICT if the one that stays changed meanwhile.",
    )
    split_customer: SplitCustomerPayload | None = strawberry.mutation(
        resolver=split,
        description="Say that some of a customer's records are another customer. CONFLICT if it changed meanwhile.",
    )


async def _decide(
    info: IdentityInfo,
    name: str,
    input: LinkIdentityInput | MergeCustomersInput | SplitCustomerInput,  # noqa: A002 - the argument's name
    arguments: Mapping[str, Any],
    decide: Callable[[sqlite3.Connection, Decree], Decided],
) -> dict[str, Any]:
    """Carry a decision out once per key, with its events in the same transaction; return the customers' local ids."""
    request = current_request()
    key = request.idempotency_key if request is not None else None
    if key is None and input.client_mutation_id is not None:
        key = f"{name}:{input.client_mutation_id}"
    if input.reason is not None and len(input.reason) > _MAX_REASON:
        raise BadUserInputError(f"A reason has at most {_MAX_REASON} characters.", outcome=Outcome.NOT_APPLIED)
    decree = Decree(
        customer_id=local_customer_id(input.customer_id),
        version=input.version,
        reason=input.reason,
        write_key=key,
        at=time.time(),
        hidden=tuple(info.context.hidden_systems()),
        bounds=info.context.bounds,
    )
    context = info.context

    def transaction(connection: sqlite3.Connection) -> Decided:
        decided = decide(connection, decree)
        Outbox.insert(connection, decided.events)
        return decided

    async def write() -> dict[str, Any]:
        decided = await context.database.run(transaction)
        context.outbox.wake()
        return {"customer": decided.customer_id, "other": decided.other_customer_id}

    async def look_up() -> dict[str, Any] | None:
        assert key is not None
        return await context.database.run(lambda connection: _find_effect(connection, key))

    said = {"mutation": name, "customer": decree.customer_id, "version": decree.version, "reason": decree.reason}
    answer: dict[str, Any] = await context.writes.run(key, {**said, **arguments}, write, look_up=look_up)
    context.customers.clear_all()
    return answer


def _find_effect(connection: sqlite3.Connection, key: str) -> dict[str, Any] | None:
    customer = customer_of_write(connection, key)
    if customer is None:
        return None
    row = connection.execute(
        "select other_customer_id from history where write_key = ? order by number limit 1", (key,)
    ).fetchone()
    return {"customer": customer, "other": row[0]}


async def _read(info: IdentityInfo, customer_id: str) -> Customer:
    customer = await find_customer(info, global_customer_id(customer_id))
    assert customer is not None
    return customer


def _record(system: str, external_id: str) -> tuple[str, str]:
    try:
        return parse_system(system), parse_external_id(external_id)
    except RecordRefusedError as error:
        raise BadUserInputError(str(error), outcome=Outcome.NOT_APPLIED) from error


def _some(values: list[Any], argument: str) -> list[Any]:
    if not 1 <= len(values) <= _MAX_LIST:
        raise BadUserInputError(f"`{argument}` names between 1 and {_MAX_LIST}.", outcome=Outcome.NOT_APPLIED)
    return values
