"""The billing subgraph as a process: `python -m subgraphs.billing.app`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from subgraphs.billing import drafts, renewals
from subgraphs.billing.access import ACCESS, CONSUMERS
from subgraphs.billing.agreement_writes import AgreementWrites
from subgraphs.billing.confined import ConfinedBooks
from subgraphs.billing.context import billing_context
from subgraphs.billing.drafts import DraftQueue
from subgraphs.billing.feed import BillingFeed, patiently
from subgraphs.billing.mutation import Mutation
from subgraphs.billing.query import Query
from subgraphs.billing.settings import BillingSettings
from subgraphs.billing.types.billed_line import BilledLine
from subgraphs.billing.types.customer import Customer
from subgraphs.billing.types.entitlement import Entitlement
from subgraphs.billing.types.invoice import Invoice
from subgraphs.billing.vendors import stripe_mapping, stripe_mirror, stripe_sync
from subgraphs.billing.vendors.stripe import StripeAdaptor, stripe_client
from subgraphs.billing.vendors.stripe_agreements import StripeAgreements
from subgraphs.billing.vendors.stripe_amendments import StripeAmendments
from subgraphs.billing.vendors.stripe_books import StripeBooks
from subgraphs.billing.vendors.stripe_dialect import STRIPE, StripeDialect
from subgraphs.billing.vendors.stripe_ledger import StripeLedger
from subgraphs.billing.vendors.stripe_sync import StripeSync
from subgraphs.billing.vendors.stripe_terms import StripeTerms
from subgraphs.billing.vendors.stripe_wire import StripeSignature
from subgraphs.billing.writes import ContractWrites
from subgraphs.kit.api_budget import open_budget
from subgraphs.kit.background import background
from subgraphs.kit.change_feed import ChangeFeed
from subgraphs.kit.confinement import Confinement
from subgraphs.kit.crosswalk import Crosswalk
from subgraphs.kit.first_synchronisation import FirstSynchronisation
from subgraphs.kit.idempotent_write import IdempotentWrites
from subgraphs.kit.instance_ids import InstanceIds
from subgraphs.kit.outbox import Outbox
from subgraphs.kit.replica import join_replicas, open_database
from subgraphs.kit.subgraph_app import Running, run_subgraph
from subgraphs.kit.subgraph_schema import subgraph_schema
from subgraphs.kit.system_of_record import describe
from subgraphs.kit.webhook import VendorEvent, WebhookInbox, webhook_route

schema = subgraph_schema(
    query=Query,
    mutation=Mutation,
    types=(Customer, Entitlement, BilledLine, Invoice),
    access=ACCESS,
    consumers=CONSUMERS,
)

_SCHEMAS = (
    *stripe_mirror.SCHEMAS,
    stripe_sync.SCHEMA,
    renewals.SCHEMA,
    drafts.SCHEMA,
    ChangeFeed.SCHEMA,
    FirstSynchronisation.SCHEMA,
    IdempotentWrites.SCHEMA,
    Outbox.SCHEMA,
    WebhookInbox.SCHEMA,
)


@asynccontextmanager
async def start(settings: BillingSettings, *, dialect: StripeDialect = STRIPE) -> AsyncIterator[Running]:
    """Open the store, connect to Stripe, and keep the mirror and the event log supplied."""
    secret = settings.signing_secret.get_secret_value()
    replica = await join_replicas(settings, "billing")
    database = await open_database(settings, "billing", _SCHEMAS)
    client = stripe_client(
        settings.vendor_url,
        settings.vendor_token.get_secret_value(),
        timeout_s=settings.vendor_timeout_s,
        dialect=dialect,
    )
    outbox = Outbox(database, events_url=settings.events_url, signing_secret=secret)
    async with (
        client,
        open_budget(settings, "stripe") as client.budget,
        Crosswalk(url=settings.crosswalk_url, signing_secret=secret, system="billing") as crosswalk,
    ):
        adaptor = StripeAdaptor(client, dialect)
        queue = DraftQueue(database, outbox, crosswalk)
        first = FirstSynchronisation(database, crosswalk, "billing")
        feed = BillingFeed(
            database,
            queue,
            crosswalk,
            first,
            renewal_days_before=settings.renewal_days_before,
            renewal_check_s=settings.renewal_check_s,
            threshold_percents=settings.threshold_percents,
            usage_refresh_s=settings.usage_refresh_s,
        )
        sync = StripeSync(
            adaptor,
            database,
            max_staleness_s=settings.max_staleness_s,
            serve_stale_for_s=settings.serve_stale_for_s,
            on_filled=feed.push_everything,
        )
        books = StripeBooks(database, dialect, ensure_current=sync.ensure_current, read_at=sync.read_at)
        inbox = WebhookInbox(database, lambda events: feed.work(sync, books, events))

        async def receive(events: Sequence[VendorEvent]) -> None:
            await inbox.add(events)

        events = ChangeFeed(database, "stripe_events", sync.poll, receive, interval_s=settings.poll_interval_s)
        sync.catch_up_with(events.poll_once)

        confinement = Confinement([(crosswalk, InstanceIds())])
        shown = ConfinedBooks(books, confinement)

        async def records_of(customer_id: str) -> Sequence[str]:
            owners = await crosswalk.resolve(await feed.customer_ids())
            return await confinement.own(sorted(record for record, owner in owners.items() if owner == customer_id))

        ledger = StripeLedger(adaptor, database)
        answers = IdempotentWrites(database, replica)
        writes = ContractWrites(shown, ledger, answers, feed, records_of, supported=adaptor.capabilities.writes)
        agreements = AgreementWrites(
            books,
            StripeAgreements(adaptor, database, books),
            StripeAmendments(adaptor, database, books),
            StripeTerms(adaptor, database, books),
            answers,
            supported=adaptor.capabilities.writes,
        )
        loops = [
            sync.fill_if_empty,
            events.run_forever,
            inbox.work_forever,
            queue.address_forever,
            outbox.deliver_forever,
            lambda: patiently(lambda: feed.push_forever(books)),
            lambda: patiently(lambda: feed.watch_renewals(books)),
        ]
        if dialect.has_meters:
            loops.append(lambda: patiently(lambda: feed.watch_usage(sync, books)))
        signature = StripeSignature(
            settings.webhook_secret.get_secret_value(), tolerance_s=settings.webhook_tolerance_s
        )
        system = partial(
            describe,
            name="billing",
            vendor="stripe",
            sheets={"objects": adaptor.capabilities},
            client=client,
            drift=sync.drift,
            mapping_version=stripe_mapping.VERSION,
            api_version=stripe_mapping.API_VERSION,
        )
        async with background(sync.follow_filling), replica.leading(*loops):
            yield Running(
                context=lambda: billing_context(shown, writes, agreements, records_of, system),
                routes=(webhook_route("/webhooks/stripe", signature, inbox, system="billing"),),
                synchronising=(first.pending,),
            )
        await sync.close()
    await database.close()
    await replica.leave()


def main() -> None:
    """Serve the subgraph, or print its SDL."""
    run_subgraph("billing", schema, BillingSettings, start)


if __name__ == "__main__":
    main()
