"""What a planning did, stage by stage, as text for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gateway.federation.plan import print_path
from gateway.federation.planner.document import print_step_selections
from gateway.federation.planner.path import Leaf, Path
from gateway.federation.planner.query_tree import Branch, print_tree
from gateway.federation.planner.step import Step


class Trace:
    """Collects stages while an operation is planned: `[("paths", …), ("query tree", …), ("fetch graph", …), …]`.

    A mutation's root fields are planned one by one, each with stages of its own.
    """

    def __init__(self) -> None:
        self.stages: list[tuple[str, str]] = []
        self._last_steps = ""

    def paths(self, leaves: Sequence[Leaf], chosen: Iterable[Path]) -> None:
        """Note every path to every leaf, with its cost; a star marks the one taken."""
        lines: list[str] = []
        for leaf, taken in zip(leaves, chosen, strict=True):
            lines.append(".".join(leaf.position))
            for path in leaf.candidates:
                requests, depth = path.cost
                mark = "*" if path is taken else "-"
                lines.append(f"  {mark} {requests} request{'s' * (requests != 1)}, {depth + 1} in a row: {path}")
        self.stages.append(("paths", _text(lines)))

    def trees(self, trees: Iterable[Branch]) -> None:
        """Note the query trees, one for each subgraph that the operation starts in."""
        texts = [f"{tree.node}\n{print_tree(tree, '  ')}" for tree in trees]
        self.stages.append(("query tree", _text(texts)))

    def steps(self, stage: str, steps: Sequence[Step]) -> None:
        """Note the fetch graph after a pass, or that the pass left it as it was."""
        text = _text(_print_steps(steps))
        self.stages.append((stage, "as before\n" if text == self._last_steps else text))
        self._last_steps = text


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def _print_steps(steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        after = ", ".join(f"#{number}" for number in sorted(parent.id for parent in step.parents))
        place = "the root" if step.entry is None else f"{print_path(step.entry.path)} as {step.entry.type_condition}"
        yield f"#{step.id} {step.subgraph} at {place}, stage {step.stage}{f', after {after}' if after else ''}"
        sent = () if step.entry is None else step.entry.representation.fields
        if sent:
            yield f"   sends {' '.join(sent)}"
        yield f"   selects {print_step_selections(step.selected, step.conditions).text}"
