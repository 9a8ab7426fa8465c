"""What events do to the entities that a gateway keeps, where they come out of order, twice, broken or very late."""

from __future__ import annotations

from credit_holds import Erp, global_id, hold, hold_changed, publish, soon

TAKEN = {"accepted": 1, "duplicates": 0, "rejected": []}


class Customer:
    """A customer whose credit hold is kept, and how often it was read."""

    def __init__(self, erp, gateway, number):
        self.erp, self.gateway, self.id = erp, gateway, global_id(number)

    async def is_kept(self):
        """Whether what is kept is as good as read: asking costs no read."""
        await hold(self.gateway, self.id)
        before = self.erp.reads
        await hold(self.gateway, self.id)
        return self.erp.reads == before

    async def reads(self):
        """Ask, and return what was answered and whether the owner was asked for it."""
        before = self.erp.reads
        return await hold(self.gateway, self.id), self.erp.reads > before

    async def drops(self, *events):
        """Publish, and wait until the owner is asked once more; returns what the gateway answered to each."""
        answers = [await publish(self.gateway, *batch) for batch in events]
        before = self.erp.reads

        async def is_read_again():
            await hold(self.gateway, self.id)
            return self.erp.reads > before

        await soon(is_read_again)
        return answers


async def test_an_older_event_that_comes_after_a_newer_one_brings_no_old_value_back(graph):
    erp = Erp(graph)
    with graph.serve() as gateway:
        customer = Customer(erp, gateway, 1)
        assert await hold(gateway, customer.id) is False
        erp.holds[customer.id] = True
        newer = hold_changed(customer.id, time="2026-03-02T00:00:00Z")
        assert await customer.drops([newer]) == [TAKEN]
        assert await customer.is_kept()
        older = hold_changed(customer.id, time="2026-03-01T00:00:00Z")
        older["data"]["changes"] = [{"field": "creditHold", "from": "true", "to": "false"}]
        assert await customer.drops([older]) == [TAKEN]
        # The event only says that something changed: what it is, the owner says.
        assert await hold(gateway, customer.id) is True


async def test_a_copy_of_an_event_costs_its_owner_no_second_read(graph):
    erp = Erp(graph)
    with graph.serve() as gateway:
        customer, other = Customer(erp, gateway, 1), Customer(erp, gateway, 2)
        assert [await hold(gateway, each.id) for each in (customer, other)] == [False, False]
        event = hold_changed(customer.id)
        assert await customer.drops([event]) == [TAKEN]
        assert await customer.is_kept()
        assert await publish(gateway, event, event) == {"accepted": 0, "duplicates": 2, "rejected": []}
        # Drops come in the order of the log: once that of a later event is there, so would be that of the copies.
        assert await other.drops([hold_changed(other.id)]) == [TAKEN]
        assert await customer.reads() == (False, False)


async def test_a_broken_event_drops_nothing_and_keeps_no_other_from_doing_so(graph):
    erp = Erp(graph)
    with graph.serve() as gateway:
        customer, other = Customer(erp, gateway, 1), Customer(erp, gateway, 2)
        assert [await hold(gateway, each.id) for each in (customer, other)] == [False, False]
        erp.holds[customer.id] = erp.holds[other.id] = True
        poison = hold_changed(customer.id)
        poison["data"]["changes"] = "none"
        (answer,) = await other.drops([poison, "no event", hold_changed(other.id)])
        assert (answer["accepted"], [each["code"] for each in answer["rejected"]]) == (1, ["EVENT_CONTRACT_BROKEN"] * 2)
        assert await hold(gateway, other.id) is True
        # Nothing valid was said of this one: what is kept is served until its time is over.
        assert await customer.reads() == (False, False)


async def test_an_event_that_is_decades_late_still_drops_what_it_names(graph):
    erp = Erp(graph)
    with graph.serve() as gateway:
        customer = Customer(erp, gateway, 1)
        assert await hold(gateway, customer.id) is False
        erp.holds[customer.id] = True
        assert await customer.reads() == (False, False)
        assert await customer.drops([hold_changed(customer.id, time="1999-12-31T23:59:59Z")]) == [TAKEN]
        assert await hold(gateway, customer.id) is True
