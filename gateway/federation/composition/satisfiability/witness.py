"""Prints an operation that shows where satisfiability ends."""

from __future__ import annotations

from gateway.federation.composition.model.element import (
    EnumType,
    Field,
    InputType,
    InterfaceType,
    ObjectType,
    UnionType,
)
from gateway.federation.composition.model.supergraph import SupergraphDraft
from gateway.federation.composition.model.type_reference import ListOf, TypeReference, named_type, nullable
from gateway.federation.composition.satisfiability.walk import Step

_SAMPLES = {"Int": "0", "Float": "0", "Boolean": "false", "ID": '"1"', "String": '""'}


def print_witness(draft: SupergraphDraft, operation: str, last: Step) -> str:
    """A shortest operation that needs the last step.

    Example:
        {
          users {
            name
          }
        }

    """
    steps: list[Step] = []
    step: Step | None = last
    while step is not None:
        steps.append(step)
        step = step.before
    steps.reverse()
    head = "" if operation == "query" else f"{operation} "
    lines = [f"{head}{{"]
    lines.extend(f"{'  ' * depth}{_line(draft, each)}{{" for depth, each in enumerate(steps[:-1], 1))
    depth = len(steps)
    indent = "  " * depth
    if last.field is not None and not _is_composite(draft, last.field):
        lines.append(f"{indent}{_line(draft, last).rstrip()}")
    else:
        lines.extend((f"{indent}{_line(draft, last)}{{", f"{indent}  __typename", f"{indent}}}"))
    lines.extend(f"{'  ' * level}}}" for level in range(depth - 1, -1, -1))
    return "\n".join(lines)


def _line(draft: SupergraphDraft, step: Step) -> str:
    if step.field is None:
        return f"... on {step.type} "
    required = [argument for argument in step.field.arguments.values() if argument.is_required]
    arguments = ", ".join(f"{argument.name}: {sample_value(draft, argument.type)}" for argument in required)
    return f"{step.field.name}({arguments}) " if arguments else f"{step.field.name} "


def _is_composite(draft: SupergraphDraft, field: Field) -> bool:
    return isinstance(draft.types.get(named_type(field.type)), ObjectType | InterfaceType | UnionType)


def sample_value(draft: SupergraphDraft, reference: TypeReference, depth: int = 0) -> str:
    """Some value of an input type."""
    bare = nullable(reference)
    if isinstance(bare, ListOf):
        return "[]"
    name = named_type(bare)
    element = draft.types.get(name)
    if isinstance(element, EnumType):
        return next(iter(element.values), "null")
    if isinstance(element, InputType):
        if depth > 5:
            return "{}"
        required = [field for field in element.fields.values() if field.is_required]
        inner = ", ".join(f"{field.name}: {sample_value(draft, field.type, depth + 1)}" for field in required)
        return f"{{{inner}}}"
    return _SAMPLES.get(name, '""')
