"""An operation as the compiler reads it: fragments in place, arguments in order, constant conditions decided."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.operation.model import Operation
from gateway.federation.supergraph import Conditions, FieldSelection, Selection


def print_operation(operation: Operation) -> str:
    """Return an operation as normalised. What a fragment selects is printed where it is spread first.

    query
      products
        ... on Product @include(if: $more)
          price(currency:"EUR")
    """
    seen: set[int] = set()
    directives = operation.directives.get(operation.kind)
    first = f"{operation.kind.value} {directives.text}" if directives else operation.kind.value
    lines = [first, *_print(operation.selections, "  ", seen)]
    return "\n".join(lines) + "\n"


def _print(selections: tuple[Selection, ...], indent: str, seen: set[int]) -> Iterator[str]:
    for selection in selections:
        conditions = _conditions(selection.conditions)
        if isinstance(selection, FieldSelection):
            alias = "" if selection.response_name == selection.name else f"{selection.response_name}: "
            yield f"{indent}{alias}{selection.signature}{conditions}"
        else:
            condition = f" on {selection.type_condition}" if selection.type_condition else ""
            directives = f" {selection.directives.text}" if selection.directives else ""
            yield f"{indent}...{condition}{directives}{conditions}"
        if not selection.selections:
            continue
        if id(selection.selections) in seen:
            yield f"{indent}  (the same as above)"
            continue
        seen.add(id(selection.selections))
        yield from _print(selection.selections, indent + "  ", seen)


def _conditions(conditions: Conditions) -> str:
    return "".join(f" @{'include' if wanted else 'skip'}(if: ${name})" for name, wanted in sorted(conditions))
