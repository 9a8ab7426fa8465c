"""`python -m bench.latency`: what the gateway adds to the time that subgraphs take for a customer view of three fetches.

Each subgraph notes when it had read a fetch and when it wrote the answer. By the plan, the slowest chain of them is the time
that no gateway could save; whatever a client waited beyond it, loopback and the waking of processes included, is told as the
gateway's. Requests come by a schedule, at random times, and are measured from the time they were due: one that has to wait
because others are slow is told in full.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bench.figures import compare_and_keep
from bench.latency_stage import GATEWAY_CORE, OTHER_CORE, QUERY, Stage, Times, staging
from bench.processes import core_busy_s, cpu
from bench.workplace import PLACE, install_tools
from gateway.federation.plan import EntityFetch, Parallel, PlanNode, RootFetch, SubscriptionPlan, print_plan
from gateway.federation.plan import Sequence as Steps

CUSTOMERS = 500
"""Each request asks for the next of them: reads that are alike and under way at a time would be sent once."""
SATURATING = 16
"""Connections that never pause, to see how many requests a second can be answered."""
COLUMNS = ("chain p50", "answer p50", "added p50", "added p95", "added p99", "before", "between", "after", "CPU ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One request, ns of the monotonic clock."""

    asked: str
    due: int
    sent: int
    answered: int


def slowest_chain_ns(node: PlanNode | SubscriptionPlan, times: Mapping[str, float]) -> float:
    """Return the least time in which a plan can be carried out, if subgraphs take so long: what follows what adds up."""
    match node:
        case RootFetch() | EntityFetch():
            return times[node.subgraph]
        case Steps(nodes):
            return sum(slowest_chain_ns(each, times) for each in nodes)
        case Parallel(nodes):
            return max(slowest_chain_ns(each, times) for each in nodes)
        case other:
            raise SystemExit(f"the plan holds what this bench does not reckon with: {other}")


def main(
    requests: Annotated[int, typer.Option(min=100, help="Counted requests of each row.")] = 1_200,
    late_ms: Annotated[str, typer.Option(help="How late subgraphs answer: rows for each.")] = "0,5",
    loads: Annotated[str, typer.Option(help="Shares of what can be answered, by which requests come.")] = "0.2,0.5",
    first_port: Annotated[int, typer.Option()] = 14400,
    ahead: Annotated[
        bool, typer.Option(help="Run all of it ahead of what else the machine does; needs to be root.")
    ] = False,
) -> None:
    """Start three subgraphs and a gateway, ask for the view, and print what the gateway added."""
    install_tools()
    if ahead:
        try:
            # All that is started from here on has this too. Niceness would not do: the kernel weighs it within a session.
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        except PermissionError:
            raise SystemExit("--ahead needs the right to set real-time priorities (root, CAP_SYS_NICE)") from None
    console = Console(width=160, highlight=False)
    table = Table(title="Added by the gateway to the slowest chain of three fetches, ms", title_justify="left")
    table.add_column("late ms, requests")
    for heading in ("per s", *COLUMNS, "core taken by others"):
        table.add_column(heading, justify="right")
    figures: dict[str, dict[str, float]] = {}
    capacity = 0.0
    for late in (float(each) for each in late_ms.split(",")):
        with staging(late, first_port) as stage:
            if not figures:
                console.print(print_plan(stage.plan), markup=False)
            # Whatever is read for the first time, or compiled at first use, is over before anything counts.
            ask(stage, [0] * 3 * CUSTOMERS, connections=SATURATING)
            if not capacity:
                capacity, told = _row(stage, [0] * 2 * requests, connections=SATURATING)
                figures[f"{late:g}, {SATURATING} that never pause"] = told
            _, figures[f"{late:g}, one at a time"] = _row(stage, [0] * requests, connections=1)
            for share in (float(each) for each in loads.split(",")):
                schedule = arrivals(requests, share * capacity)
                _, figures[f"{late:g}, paced, {share:.0%} of the most"] = _row(stage, schedule, connections=256)
            figures[f"{late:g}, one hop, no gateway"] = _hop(stage, requests // 2)
    for name, told in figures.items():
        cells = (f"{told[each]:.2f}" if each in told else "" for each in COLUMNS)
        others = f"{told['others']:.0%}" if "others" in told else ""
        table.add_row(name, f"{told['per s']:.0f}", *cells, others)
    console.print(table)
    compare_and_keep(
        PLACE / "results/latency.json", {"requests": requests, "ahead": ahead}, figures, watched="added p50"
    )


def arrivals(count: int, per_second: float) -> list[int]:
    """Return when requests come that know nothing of each other, ns from the start; the same ones each time."""
    chance = random.Random(1)
    due, found = 0.0, []
    for _ in range(count):
        due += chance.expovariate(per_second) * 1e9
        found.append(int(due))
    return found


def ask(stage: Stage, schedule: Sequence[int], *, connections: int, hop: bool = False) -> tuple[list[Answered], Times]:
    """Ask for the view at these times, or a subgraph directly; return how that went, and what subgraphs noted."""
    file = PLACE / "latency/requests.txt"
    with file.open("w") as out:
        for number, due in enumerate(schedule):
            variables = {"id": f"customer-{number % CUSTOMERS:04}"}
            out.write(f"{due} request-{number:06} {json.dumps({'query': QUERY, 'variables': variables})}\n")
    stage.times()
    core, port = (GATEWAY_CORE, stage.subgraphs) if hop else (OTHER_CORE, stage.port)
    command = ("taskset", "-c", str(core), str(PLACE / "paced"), str(port), str(connections), str(file))
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    found = []
    for line in lines:
        asked, *at = line.split(" ")
        scheduled, sent, answered = map(int, at)
        # Without a schedule, a request is due when its connection is free.
        found.append(Answered(asked=asked, due=scheduled if any(schedule) else sent, sent=sent, answered=answered))
    return found, stage.times()


def _row(stage: Stage, schedule: Sequence[int], *, connections: int) -> tuple[float, dict[str, float]]:
    """Return how many requests a second were answered, and a row's figures."""
    root = stage.plan.root
    assert root is not None
    busy, used = core_busy_s(GATEWAY_CORE), cpu(stage.pid)
    answered, times = ask(stage, schedule, connections=connections)
    used = cpu(stage.pid) - used
    seconds = (max(each.answered for each in answered) - min(each.sent for each in answered)) / 1e9
    columns: dict[str, list[float]] = {"chain": [], "answer": [], "added": [], "before": [], "after": [], "between": []}
    for each in answered:
        noted = times[each.asked]
        chain = slowest_chain_ns(root, {name: written - read for name, (read, written) in noted.items()})
        waited = each.answered - each.due
        before = min(read for read, _ in noted.values()) - each.due
        after = each.answered - max(written for _, written in noted.values())
        values = (chain, waited, waited - chain, before, after, waited - chain - before - after)
        for column, value in zip(columns.values(), values, strict=True):
            column.append(value / 1e6)
    for column in columns.values():
        column.sort()
    told = {f"{name} p50": _quantile(columns[name], 50) for name in ("chain", "answer", "added")}
    told |= {f"added p{percent}": _quantile(columns["added"], percent) for percent in (95, 99)}
    told |= {name: _quantile(columns[name], 50) for name in ("before", "between", "after")}
    told["CPU ms"] = used.run * 1e3 / len(answered)
    others = max(0.0, core_busy_s(GATEWAY_CORE) - busy - used.run) / seconds
    return len(answered) / seconds, {"per s": len(answered) / seconds, **told, "others": others}


def _hop(stage: Stage, count: int) -> dict[str, float]:
    """Return the figures of a subgraph asked directly from the gateway's core: what two processes cost each other."""
    ask(stage, [0] * CUSTOMERS, connections=SATURATING, hop=True)
    answered, times = ask(stage, [0] * count, connections=1, hop=True)
    seconds = (max(each.answered for each in answered) - min(each.sent for each in answered)) / 1e9
    chains, waits, added = [], [], []
    for each in answered:
        ((read, written),) = times[each.asked].values()
        chains.append((written - read) / 1e6)
        waits.append((each.answered - each.due) / 1e6)
        added.append(waits[-1] - chains[-1])
    told = {"chain p50": _quantile(sorted(chains), 50), "answer p50": _quantile(sorted(waits), 50)}
    told |= {f"added p{percent}": _quantile(sorted(added), percent) for percent in (50, 95, 99)}
    return {"per s": count / seconds, **told}


def _quantile(ordered: Sequence[float], percent: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


if __name__ == "__main__":
    typer.run(main)
