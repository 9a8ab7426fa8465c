"""What account managers and customers do in Stripe on request: each change is a request to the API, and so leaves its events."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Mapping, Sequence

import httpx2

from subgraphs.billing.sandbox.api import StripeApi
from subgraphs.billing.sandbox.resources.invoices import FAILING_CARD
from subgraphs.billing.sandbox.store import Store, StripeObject
from subgraphs.kit.sandbox.changes import ChangeMaker, Made, NothingToChangeError, one_of

_YEAR = dt.timedelta(days=365)
_FEEDBACK = ("too_expensive", "unused", "switched_service", "missing_features")


class BillingChanges:
    """The changes of one account."""

    def __init__(self, store: Store, api: StripeApi, secret_key: str) -> None:
        self._store = store
        self._transport = httpx2.ASGITransport(app=api)
        self._headers = {"authorization": f"Bearer {secret_key}"}

    def makers(self) -> Sequence[ChangeMaker]:
        """Return the kinds."""
        return (
            ChangeMaker("usage_recorded", "A customer uses what is charged by use.", self.usage_recorded),
            ChangeMaker("contract_paused", "A contract is paused.", self.contract_paused),
            ChangeMaker("contract_resumed", "A paused contract goes on.", self.contract_resumed),
            ChangeMaker("quantity_changed", "A contract's quantity changes mid-term.", self.quantity_changed),
            ChangeMaker("cancellation_scheduled", "A contract will end with its period.", self.cancellation_scheduled),
            ChangeMaker("payment_failed", "A customer's bank refuses the payment of an invoice.", self.payment_failed),
            ChangeMaker("new_subscription", "A customer takes out another contract.", self.new_subscription),
        )

    async def usage_recorded(self, dice: random.Random) -> Made:
        """Send a meter event for a metered item of a running contract."""
        metered = [(body, meter) for body in self._running() for meter in _meters(body)]
        body, meter_id = one_of(dice, metered, "No running contract charges by use.")
        meter = self._store.get(meter_id, "billing.meter") or {"event_name": ""}
        value = str(dice.randint(1, 40) * 25)
        payload = {"payload[stripe_customer_id]": body["customer"], "payload[value]": value}
        event = await self._post("billing/meter_events", {"event_name": meter["event_name"], **payload})
        return Made(event["identifier"], f"{self._customer(body)} used {value} {meter['event_name']}.")

    async def contract_paused(self, dice: random.Random) -> Made:
        """Pause collection."""
        body = one_of(dice, self._running(), "No contract runs that could be paused.")
        await self._change(body, {"pause_collection[behavior]": "void"})
        return Made(body["id"], f"{self._name(body)} was paused.")

    async def contract_resumed(self, dice: random.Random) -> Made:
        """Resume collection."""
        paused = self._contracts(lambda body: body["status"] == "active" and body["pause_collection"] is not None)
        body = one_of(dice, paused, "No contract is paused.")
        await self._change(body, {"pause_collection": ""})
        return Made(body["id"], f"{self._name(body)} goes on.")

    async def quantity_changed(self, dice: random.Random) -> Made:
        """Change the quantity of an item, with proration, and the limit that follows from it."""
        items = [(body, item) for body in self._running() for item in body["items"]["data"] if item.get("quantity")]
        counted = [(body, item) for body, item in items if self._features(item["price"]["product"])]
        body, item = one_of(dice, counted, "No running contract has seats to add.")
        before: int = item["quantity"]
        after = before + max(1, before * dice.randint(5, 40) // 100) * (
            -1 if before > 1 and dice.random() < 0.25 else 1
        )
        values = {"items[0][id]": item["id"], "items[0][quantity]": str(after)}
        for key in self._features(item["price"]["product"]):
            if body["metadata"].get(f"limit.{key}") == str(before):
                values[f"metadata[limit.{key}]"] = str(after)
        await self._change(body, values)
        return Made(body["id"], f"{self._name(body)} has {after} {self._product(item)} instead of {before}.")

    async def cancellation_scheduled(self, dice: random.Random) -> Made:
        """Let a contract that renews by itself end with its period."""
        renewing = [body for body in self._running() if body["cancel_at"] is None]
        body = one_of(dice, renewing, "Every running contract ends already.")
        feedback = dice.choice(_FEEDBACK)
        await self._change(body, {"cancel_at_period_end": "true", "cancellation_details[feedback]": feedback})
        return Made(body["id"], f"{self._name(body)} will end with its period: {feedback.replace('_', ' ')}.")

    async def payment_failed(self, dice: random.Random) -> Made:
        """Try to collect an open invoice with a card that is declined."""
        waiting = [body for body in self._store.all("invoice") if body["status"] == "open"]
        invoice = one_of(dice, waiting, "There is no open invoice.")
        await self._post(f"invoices/{invoice['id']}/pay", {"payment_method": FAILING_CARD}, is_declined=True)
        money = f"{invoice['amount_due'] / 100:,.2f} {invoice['currency'].upper()}"
        number = invoice["metadata"].get("invoice_number") or invoice["number"]
        return Made(invoice["id"], f"{self._customer(invoice)}'s bank refused {money} for {number}.")

    async def new_subscription(self, dice: random.Random) -> Made:
        """Subscribe a customer to a listed price, for a year."""
        customers = [body for body in self._store.all("customer") if not body.get("deleted")]
        customer = one_of(dice, customers, "There is no customer.")
        listed = [price for price in self._store.all("price") if _is_listed(price, customer["currency"])]
        per_seat = [price for price in listed if self._features(price["product"])]
        price = one_of(dice, per_seat, f"No price is listed in {customer['currency']}.")
        number, quantity, today = self._next_contract_number(), dice.randint(3, 60), dt.datetime.now(dt.UTC).date()
        values = {
            "customer": customer["id"],
            "items[0][price]": price["id"],
            "items[0][quantity]": str(quantity),
            "metadata[contract_number]": number,
            "metadata[term_starts_on]": today.isoformat(),
            "metadata[term_ends_on]": (today + _YEAR).isoformat(),
            "metadata[notice_days]": "60",
            **{f"metadata[limit.{key}]": str(quantity) for key in self._features(price["product"])},
        }
        if customer["invoice_settings"]["default_payment_method"] is None:
            values |= {"collection_method": "send_invoice", "days_until_due": "30"}
        body = await self._post("subscriptions", values)
        return Made(body["id"], f"{customer['name']} took out {number}: {quantity} {self._product({'price': price})}.")

    async def _change(self, body: StripeObject, values: Mapping[str, str]) -> StripeObject:
        return await self._post(f"subscriptions/{body['id']}", values)

    async def _post(self, path: str, values: Mapping[str, str], *, is_declined: bool = False) -> StripeObject:
        async with httpx2.AsyncClient(transport=self._transport, base_url="http://stripe/v1/") as client:
            reply = await client.post(path, data=dict(values), headers=self._headers)
        answer: StripeObject = reply.json()
        if reply.is_error and not (is_declined and answer["error"].get("code") == "card_declined"):
            raise NothingToChangeError(f"Stripe refused the change: {answer['error']['message']}")
        return answer

    def _contracts(self, fits: Callable[[StripeObject], bool]) -> list[StripeObject]:
        bodies = self._store.all("subscription")
        return [body for body in bodies if "granted_feature" not in body["metadata"] and fits(body)]

    def _running(self) -> list[StripeObject]:
        return self._contracts(lambda body: body["status"] == "active" and body["pause_collection"] is None)

    def _features(self, product_id: str) -> list[str]:
        """Return the keys of the features that a product grants by its quantity: those with a meter."""
        granted = [entry["entitlement_feature"] for entry in self._store.all("product_feature", parent=product_id)]
        return [feature["lookup_key"] for feature in granted if (feature["metadata"] or {}).get("meter")]

    def _next_contract_number(self) -> str:
        prefix = f"CON-{dt.datetime.now(dt.UTC).year}-"
        bodies = (*self._store.all("subscription"), *self._store.all("subscription_schedule"))
        given = [str((body["metadata"] or {}).get("contract_number") or "") for body in bodies]
        used = [number.removeprefix(prefix) for number in given if number.startswith(prefix)]
        return f"{prefix}{max((int(text) for text in used if text.isdigit()), default=0) + 1:04}"

    def _name(self, body: StripeObject) -> str:
        return f"{self._customer(body)}'s contract {body['metadata'].get('contract_number') or body['id']}"

    def _customer(self, body: StripeObject) -> str:
        return str((self._store.get(body["customer"]) or {}).get("name") or body["customer"])

    def _product(self, item: StripeObject) -> str:
        return f"x {(self._store.get(item['price']['product']) or {}).get('name') or 'item'}"


def _meters(body: StripeObject) -> list[str]:
    return [
        item["price"]["recurring"]["meter"] for item in body["items"]["data"] if item["price"]["recurring"]["meter"]
    ]


def _is_listed(price: StripeObject, currency: str | None) -> bool:
    recurring = price["recurring"] or {}
    fits = price["active"] and price["lookup_key"] is not None and price["currency"] == currency
    return fits and recurring.get("usage_type") == "licensed"
