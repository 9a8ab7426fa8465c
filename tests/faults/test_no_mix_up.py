"""Nobody gets another's answer, however many ask at once and however many leave halfway."""

import asyncio
import random

from planned_gateway import root

from gateway.engine import Caller, GraphQLRequest
from gateway.upstream.bulkhead import Bulkhead
from gateway.upstream.coalesce import Coalesced
from gateway.upstream.deadline import Deadlined
from gateway.upstream.headers import Headered
from gateway.upstream.retry import Retried

SDL = "type Query { me(n: Int): String }"
PLAN = root("a", "query($n:Int){me(n:$n)}", "me", variables=("n",))
QUERY = "query($n: Int) { me(n: $n) }"


async def test_no_answer_reaches_another_caller(gateway, subgraphs):
    def wrap(client):
        return Headered(Coalesced(Retried(Bulkhead(Deadlined(client), most=20))), fixed={}, forwarded=["x-who"])

    gate = gateway(SDL, PLAN, wrap=wrap)
    server = subgraphs["a"]
    dice = random.Random(7)

    def echo(request):
        return {"data": {"me": str(request["variables"]["n"])}}

    server.say = echo
    answers, left = [], 0

    async def ask(number: int) -> None:
        who = f"c{number % 20}"
        wanted = number % 20 * 10 + number % 3
        request = GraphQLRequest(query=QUERY, variables={"n": wanted}, headers={"x-who": who})
        response = await gate.engine.execute(request, Caller(subject=who, token=who))
        answers.append((str(wanted), response.data["me"], response.errors))

    await ask(0)
    tasks = []
    for number in range(1500):
        tasks.append(asyncio.create_task(ask(number)))
        if dice.random() < 0.2:
            asyncio.get_running_loop().call_later(dice.random() / 50, tasks[-1].cancel)
        if number % 50 == 0:
            await asyncio.sleep(0.005)
    for done in await asyncio.gather(*tasks, return_exceptions=True):
        assert done is None or isinstance(done, asyncio.CancelledError)
        left += done is not None
    assert left > 20
    assert [each for each in answers if each[0] != each[1] or each[2]] == []
