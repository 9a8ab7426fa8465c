"""Run a typed plan: no tasks, no awaits. What follows a fetch is called when its answer comes.

Everything regular is done here. At the first thing that isn't (an error, a wrong value, a slow subgraph) the request is
handed over to the general way (`execute.py`), which starts from the beginning with the answers that came or are under
way: nothing is asked twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, assert_never

from msgspec import Struct

from gateway.execution.ports import Flight, RequestContext, SubgraphAnswer, SubgraphRequest
from gateway.execution.run import Landed
from gateway.execution.typed_fetch import TypedFetch
from gateway.execution.typed_generate import Irregular
from gateway.execution.typed_plain import plain
from gateway.execution.typed_plan import TypedNode, TypedParallel, TypedPlan, TypedSequence
from gateway.execution.typed_slices import Mention
from gateway.execution.typed_tree import Spot

Then: TypeAlias = Callable[[], None]

Done: TypeAlias = Callable[[bytes | None], None]
"""Takes the JSON of the answer's `data`, or None where the request has to be executed in the general way."""


class TypedRun:
    """One execution of a typed plan."""

    def __init__(self, plan: TypedPlan, variables: Mapping[str, Any], context: RequestContext, done: Done) -> None:
        self._plan = plan
        self.variables = variables
        self.context = context
        self._done: Done | None = done
        self._root = plan.tree.made()
        self._known: dict[Spot, list[Any]] = {plan.tree: [self._root]}
        self._slices: dict[Spot, list[Mention]] = {}
        self._flying: set[_Landing] = set()
        self._ended: list[tuple[_Landing, Any]] = []
        """Fetches whose answers joined the tree, and the answers' `data`."""
        self.landed: dict[tuple[int, bytes], Landed] = {}
        """Where the general way has to go on: what came so far."""
        self.is_late = False
        """Whether that is so because a subgraph is slow."""

    def start(self) -> None:
        """Begin, unless it was called off; `done` may be called at once."""
        if self._done is None:
            return
        try:
            self._run(self._plan.root, self._finish)
        except Exception as error:  # noqa: BLE001 - a bug here costs time, not the answer
            self._hand_over(error)

    def cancel(self) -> None:
        """Stop whatever is in flight; `done` is not called."""
        self._end()
        self._ended.clear()  # as in _finish
        for landing in self._flying:
            landing.cancel()
        self._flying.clear()

    def land(self, landing: _Landing, outcome: SubgraphAnswer | Exception) -> None:
        """Go on with what became of a fetch."""
        self._flying.discard(landing)
        if self._done is None:
            return
        try:
            self._ended.append((landing, self._merge(landing, outcome)))
        except Exception as error:  # noqa: BLE001 - as in start
            self.landed[landing.key] = outcome
            self._hand_over(error)
            return
        try:
            landing.then()
        except Exception as error:  # noqa: BLE001 - as in start
            self._hand_over(error)

    def _finish(self) -> None:
        # What follows a fetch holds the run: without this, only the collector would free both. And what is about to
        # be written can't be told to the general way any more.
        self._ended.clear()
        body = self._plan.finish(self._root, self._known, self._slices)
        done = self._end()
        if done is not None:
            done(body)

    def _end(self) -> Done | None:
        done, self._done = self._done, None
        self._plan.patience.end(self)
        return done

    def _hand_over(self, error: Exception | None = None) -> None:
        if error is not None and not isinstance(error, Irregular):
            self.context.note(system="gateway", fault=error)  # told with the answer's other causes, in one line
        done = self._end()
        if done is not None:
            for landing, data in self._ended:
                try:
                    self.landed[landing.key] = SubgraphAnswer({"data": plain(data, self._plan.said)})
                except (RecursionError, ValueError):
                    continue  # too deep for that, or no JSON where nobody looked: it is asked for once more
                except Exception as odd:  # noqa: BLE001 - as in start
                    self.context.note(system="gateway", fault=odd)
            self._ended.clear()
            for landing in self._flying:
                self.landed[landing.key] = landing.wait()
            self._flying.clear()
            done(None)

    def _run(self, node: TypedNode, then: Then) -> None:
        match node:
            case TypedFetch():
                self._fetch(node, then)
            case TypedSequence():
                self._run_sequence(node, 0, then)
            case TypedParallel(nodes):
                left = len(nodes)

                def ended() -> None:
                    nonlocal left
                    left -= 1
                    if not left:
                        then()

                for each in nodes:
                    self._run(each, ended)
            case _:
                assert_never(node)

    def _run_sequence(self, node: TypedSequence, index: int, then: Then) -> None:
        if index + 1 == len(node.nodes):
            self._run(node.nodes[index], then)
            return
        if index in node.hurried:
            self._plan.patience.begin(self, self.context.deadline)
        self._run(node.nodes[index], lambda: self._run_sequence(node, index + 1, then))

    def lose_patience(self) -> None:
        """Hand over since what runs is slow: the general way goes on without it."""
        self.is_late = True
        self._hand_over()

    def _fetch(self, fetch: TypedFetch, then: Then) -> None:
        plan, given = self._plan, self.variables
        variables = {name: given[name] for name in fetch.variables if name in given} if fetch.variables else {}
        taken: list[list[tuple[list[Any], list[int]]]] = []
        entities = 0
        for each in fetch.inputs:
            seen: dict[Any, int] = {}
            representations: list[Any] = []
            groups: list[tuple[list[Any], list[int]]] = []
            for path in each.paths:
                objects: list[Any] = []
                numbers: list[int] = []
                path.keys(plan.objects(path.spot, self._known), seen, representations, objects, numbers)
                groups.append((objects, numbers))
            variables[each.variable] = representations
            entities += len(representations)
            taken.append(groups)
        if fetch.inputs and not entities:
            then()
            return
        request = fetch.request(variables, entities)
        landing = _Landing(self, fetch, request, taken, then)
        self._flying.add(landing)
        try:
            landing.flight = fetch.begin(request, self.context, landing.land)
        except Exception:
            self._flying.discard(landing)  # nobody would answer it
            raise

    def _merge(self, landing: _Landing, outcome: SubgraphAnswer | Exception) -> Any:
        """Let an answer join the tree, and return its `data`. Raises Irregular."""
        if isinstance(outcome, Exception):
            raise Irregular
        fetch = landing.fetch
        data = fetch.typed(outcome.value)
        if fetch.merge_root is not None:
            fetch.merge_root([self._root], [0], [data])
        for each, groups in zip(fetch.inputs, landing.taken, strict=True):
            results = getattr(data, each.attribute)
            if len(results) != len(landing.request.variables[each.variable]):
                raise Irregular
            for path, (objects, numbers) in zip(each.paths, groups, strict=True):
                path.merge(objects, numbers, results)
        if fetch.creates:
            for spot in fetch.creates:
                self._known.pop(spot, None)
                slicer = self._plan.slicers.get(spot)
                if slicer is not None:
                    assert spot.parent is not None
                    mentions = self._slices[spot] = slicer.read(self._plan.objects(spot.parent, self._known))
                    self._known[spot] = [mention.value for mention in mentions]
        return data


class _Landing(Struct, eq=False):
    """A fetch under way, and what follows it."""

    run: TypedRun | None
    fetch: TypedFetch
    request: SubgraphRequest
    taken: list[list[tuple[list[Any], list[int]]]]
    """For each input and path: the objects asked for, and the number of each one's representation."""
    then: Then
    flight: Flight | None = None
    future: asyncio.Future[SubgraphAnswer] | None = None

    @property
    def key(self) -> tuple[int, bytes]:
        return self.fetch.id, self.request.body

    def land(self, outcome: SubgraphAnswer | Exception) -> None:
        if self.future is not None:
            if self.future.done():
                return
            if isinstance(outcome, Exception):
                self.future.set_exception(outcome)
            else:
                self.future.set_result(outcome)
        elif self.run is not None:
            run, self.run, self.flight = self.run, None, None
            run.land(self, outcome)

    def cancel(self) -> None:
        self.run = None
        flight, self.flight = self.flight, None
        if flight is not None:
            flight.cancel()

    def wait(self) -> asyncio.Future[SubgraphAnswer]:
        """Return a future of the answer, for the general way; cancelling it cancels the fetch."""
        self.future = asyncio.get_running_loop().create_future()
        self.future.add_done_callback(lambda future: self.cancel() if future.cancelled() else None)
        return self.future
