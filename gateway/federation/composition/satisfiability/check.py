"""Checks a composed supergraph, and reports what clients could ask for but nobody could answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.federation.composition.model.result import CompositionError, CompositionHint, HintLevel
from gateway.federation.composition.rules.whole import Whole
from gateway.federation.composition.satisfiability.budget import DEFAULT_STEPS, Budget, BudgetExceededError
from gateway.federation.composition.satisfiability.reach import Reach
from gateway.federation.composition.satisfiability.reasons import reasons
from gateway.federation.composition.satisfiability.walk import DeadEnd, Disagreement, Walk
from gateway.federation.composition.satisfiability.witness import print_witness
from gateway.federation.query_graph import QueryGraph
from gateway.federation.supergraph import read_supergraph


@dataclass(frozen=True, slots=True)
class Satisfiability:
    """What the check found."""

    errors: tuple[CompositionError, ...] = ()
    hints: tuple[CompositionHint, ...] = ()


def check_satisfiability(whole: Whole, steps: int = DEFAULT_STEPS) -> Satisfiability:
    """Every field of the API schema is reachable wherever its type can appear, or there is an error with a witness.

    Progressive overrides are checked with no label active, with all, and with each alone.
    """
    supergraph = read_supergraph(whole.document, whole.sdl)
    labels = supergraph.override_labels
    choices = dict.fromkeys((frozenset[str](), labels, *(frozenset({label}) for label in sorted(labels))))
    budget = Budget(steps)
    errors: dict[tuple[str, str | None], CompositionError] = {}
    hints: dict[str, CompositionHint] = {}
    try:
        for active in choices:
            reach = Reach(QueryGraph(supergraph, active), budget)
            for found in Walk(whole, reach).run():
                if isinstance(found, Disagreement) and found.has_common:
                    hints.setdefault(found.coordinate, _hint(found))
                    continue
                error = _dead_end(whole, reach, found) if isinstance(found, DeadEnd) else _disagreement(whole, found)
                errors.setdefault((error.code, error.message.partition("\n")[0]), error)
    except BudgetExceededError:
        return Satisfiability((_budget_error(steps),), tuple(hints.values()))
    return Satisfiability(tuple(errors.values()), tuple(hints.values()))


def _dead_end(whole: Whole, reach: Reach, found: DeadEnd) -> CompositionError:
    witness = print_witness(whole.draft, found.state.operation, found.step)
    starts = tuple(dict.fromkeys(node.subgraph for node in found.state.nodes))
    if found.is_abstract or found.step.field is None:
        coordinate = found.step.type
        tried = [
            f"in {node.subgraph}, `{node.type.name}` is an @interfaceObject, and no subgraph that knows the "
            f"implementations can be entered from there"
            for node in found.state.nodes
        ]
        summary = f"whether an object is a `{coordinate}` cannot be found out after coming from {', '.join(starts)}"
        mend = "Give the interface a resolvable @key that the interface object has too."
    else:
        coordinate = f"{found.step.type}.{found.step.field.name}"
        tried = list(reasons(reach, found.state, found.step.field.name))
        summary = f"`{coordinate}` cannot be reached after coming from {', '.join(starts)}"
        mend = (
            f"Add a @key to `{found.step.type}` that both sides have, or resolve `{coordinate}` there too (@shareable)."
        )
    listed = "\n".join(f"- {sentence}" for sentence in tried)
    return whole.error(
        "SATISFIABILITY_ERROR",
        f"{summary}. This operation could not be answered:\n{witness}\nTried:\n{listed}",
        coordinate,
        mend=mend,
    )


def _type_lists(found: Disagreement) -> Iterator[str]:
    for subgraph, names in found.types:
        yield f"{subgraph} returns {', '.join(names) or 'no type'}"


def _disagreement(whole: Whole, found: Disagreement) -> CompositionError:
    return whole.error(
        "SHAREABLE_HAS_MISMATCHED_RUNTIME_TYPES",
        f"`{found.coordinate}` is shared, but its subgraphs can never return the same object: "
        + "; ".join(_type_lists(found)),
        found.coordinate,
        mend="Let the subgraphs have an implementation in common, or let only one resolve the field.",
    )


def _hint(found: Disagreement) -> CompositionHint:
    return CompositionHint(
        code="INCONSISTENT_RUNTIME_TYPES_FOR_SHAREABLE_RETURN",
        message=f"`{found.coordinate}` is shared, but its subgraphs know different types: "
        + "; ".join(_type_lists(found)),
        level=HintLevel.WARN,
        coordinate=found.coordinate,
        subgraphs=tuple(dict.fromkeys(subgraph for subgraph, _ in found.types)),
    )


def _budget_error(steps: int) -> CompositionError:
    return CompositionError(
        code="MAX_VALIDATION_SUBGRAPH_PATHS_EXCEEDED",
        message=f"whether the subgraphs can answer everything was not decided within {steps} steps",
        mend="Reduce the number of keys per type, or split the graph.",
    )
