"""A plan's canonical text: what people read, tests keep and `concord plan` prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Seq
from typing import assert_never

from graphql import parse, print_ast

from gateway.federation.plan.model import (
    Condition,
    EachItem,
    EntityFetch,
    EntityInput,
    FieldRewrite,
    Parallel,
    Path,
    PathKey,
    PlanNode,
    QueryPlan,
    RepresentationField,
    RepresentationFragment,
    RepresentationSelection,
    RootFetch,
    Sequence,
    SubscriptionPlan,
)

_INDENT = "  "


def print_plan(plan: QueryPlan) -> str:
    """Return the plan as text; equal plans have equal texts.

    sequence
      fetch products
        {
          topProducts {
            upc
            __typename
          }
        }
      enter reviews
        $representations: topProducts.@ as Product { __typename upc }
        query ($representations: [_Any!]!) {
          _entities(representations: $representations) {
            …
    """
    if plan.root is None:
        return "nothing to fetch\n"
    return "\n".join(_print_root(plan.root)) + "\n"


def print_path(path: Path) -> str:
    """Return a path as text: `products.@[Book].author`, where `@` is each item of a list and `^` one step up."""
    text = ""
    for element in path:
        types = f"[{'|'.join(sorted(element.possible_types))}]" if element.possible_types is not None else ""
        match element:
            case PathKey(".."):
                text += ".^" if text else "^"
            case PathKey(name):
                text += f"{types}.{name}" if text else f"{types}{name}"
            case EachItem():
                text += f".@{types}"
    return text


def _print_root(root: PlanNode | SubscriptionPlan) -> Iterator[str]:
    if isinstance(root, SubscriptionPlan):
        yield "subscription"
        yield from _indented(_print_node(root.primary))
        if root.rest is not None:
            yield f"{_INDENT}on each event"
            yield from _indented(_indented(_print_node(root.rest)))
    else:
        yield from _print_node(root)


def _print_node(node: PlanNode) -> Iterator[str]:
    match node:
        case RootFetch():
            yield f"fetch {node.subgraph}"
            yield from _indented(_print_document(node.document))
            yield from _indented(_print_rewrites("answer", node.output_rewrites))
        case EntityFetch(inputs=(EntityInput(is_root=True) as root,)):
            of_type = f" as {root.type_condition}" if isinstance(root.representation[0], RepresentationFragment) else ""
            yield f"fetch {node.subgraph} at {', '.join(print_path(path) for path in root.paths)}{of_type}"
            yield from _indented(_print_document(node.document))
            yield from _indented(_print_rewrites("answer", root.output_rewrites))
        case EntityFetch():
            yield f"enter {node.subgraph}"
            for entity_input in node.inputs:
                yield from _indented(_print_input(entity_input))
            yield from _indented(_print_document(node.document))
        case Sequence(nodes):
            yield "sequence"
            for child in nodes:
                yield from _indented(_print_node(child))
        case Parallel(nodes):
            yield "parallel"
            for child in nodes:
                yield from _indented(_print_node(child))
        case Condition(variable, if_true, if_false):
            if if_true is not None:
                yield f"if ${variable}"
                yield from _indented(_print_node(if_true))
            if if_false is not None:
                yield f"unless ${variable}"
                yield from _indented(_print_node(if_false))
        case _:
            assert_never(node)


def _print_input(entity_input: EntityInput) -> Iterator[str]:
    paths = ", ".join(print_path(path) for path in entity_input.paths)
    sent = _print_representation(entity_input.representation)
    wanted = "".join(f" {'if' if value else 'unless'} ${name}" for name, value in entity_input.conditions)
    yield f"${entity_input.variable}: {paths} as {entity_input.type_condition} {sent}{wanted}"
    yield from _print_rewrites("representation", entity_input.input_rewrites)
    yield from _print_rewrites("answer", entity_input.output_rewrites)
    for variable, path in entity_input.context_arguments:
        yield f"${variable} from {print_path(path)}"


def _print_representation(selection: RepresentationSelection) -> str:
    parts: list[str] = []
    for item in selection:
        if isinstance(item, RepresentationField):
            name = item.name if item.name == item.source else f"{item.name}={item.source}"
            parts.append(f"{name} {_print_representation(item.selection)}" if item.selection else name)
        else:
            types = "|".join(sorted(item.possible_types))
            condition = types if types == item.type_condition else f"{item.type_condition}[{types}]"
            parts.append(f"... on {condition} {_print_representation(item.selection)}")
    return f"{{ {' '.join(parts)} }}"


def _print_rewrites(what: str, rewrites: Seq[FieldRewrite]) -> Iterator[str]:
    for rewrite in rewrites:
        change = f"is {rewrite.set_value}" if rewrite.set_value is not None else f"becomes {rewrite.rename_to}"
        yield f"{what} {print_path(rewrite.path)} {change}"


def _print_document(document: str) -> Iterable[str]:
    return print_ast(parse(document, no_location=True)).splitlines()


def _indented(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield _INDENT + line
