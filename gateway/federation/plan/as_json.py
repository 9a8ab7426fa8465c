"""A plan as JSON, for tools: the same tree, each node with its `kind`."""

from __future__ import annotations

from typing import Any, TypeAlias, assert_never

from gateway.federation.plan.model import (
    Condition,
    EntityFetch,
    EntityInput,
    FieldRewrite,
    Parallel,
    PlanNode,
    QueryPlan,
    RepresentationField,
    RepresentationSelection,
    RootFetch,
    Sequence,
    SubscriptionPlan,
)
from gateway.federation.plan.text import print_path

Json: TypeAlias = dict[str, Any]


def plan_to_json(plan: QueryPlan) -> Json:
    """Return the plan as values that any JSON encoder takes.

    {"kind": "QueryPlan", "operation": "query", "root": {"kind": "Sequence", "nodes": […]}}
    """
    match plan.root:
        case None:
            root = None
        case SubscriptionPlan(primary=primary, rest=rest):
            root = {"kind": "Subscription", "primary": _node(primary), "rest": _node(rest) if rest else None}
        case node:
            root = _node(node)
    return {"kind": "QueryPlan", "operation": plan.kind.value, "root": root}


def _node(node: PlanNode) -> Json:
    match node:
        case RootFetch():
            return {
                "kind": "RootFetch",
                "id": node.id,
                "subgraph": node.subgraph,
                "document": node.document,
                "variables": list(node.variables),
                "rootFields": list(node.root_fields),
                "outputRewrites": [_rewrite(item) for item in node.output_rewrites],
            }
        case EntityFetch():
            return {
                "kind": "EntityFetch",
                "id": node.id,
                "subgraph": node.subgraph,
                "document": node.document,
                "variables": list(node.variables),
                "inputs": [_input(item) for item in node.inputs],
            }
        case Sequence(nodes):
            return {"kind": "Sequence", "nodes": [_node(child) for child in nodes]}
        case Parallel(nodes):
            return {"kind": "Parallel", "nodes": [_node(child) for child in nodes]}
        case Condition(variable, if_true, if_false):
            return {
                "kind": "Condition",
                "variable": variable,
                "ifTrue": _node(if_true) if if_true else None,
                "ifFalse": _node(if_false) if if_false else None,
            }
        case _:
            assert_never(node)


def _input(entity_input: EntityInput) -> Json:
    return {
        "variable": entity_input.variable,
        "responseName": entity_input.response_name,
        "typeCondition": entity_input.type_condition,
        "paths": [print_path(path) for path in entity_input.paths],
        "needs": [list(ids) for ids in entity_input.needs],
        "representation": _representation(entity_input.representation),
        "fields": list(entity_input.fields),
        "inputRewrites": [_rewrite(item) for item in entity_input.input_rewrites],
        "outputRewrites": [_rewrite(item) for item in entity_input.output_rewrites],
        "contextArguments": {variable: print_path(path) for variable, path in entity_input.context_arguments},
        "conditions": dict(entity_input.conditions),
        "isRoot": entity_input.is_root,
    }


def _representation(selection: RepresentationSelection) -> list[Json]:
    return [
        {
            "name": item.name,
            "source": item.source,
            "nullable": item.is_nullable,
            "selection": _representation(item.selection),
        }
        if isinstance(item, RepresentationField)
        else {
            "typeCondition": item.type_condition,
            "possibleTypes": sorted(item.possible_types),
            "selection": _representation(item.selection),
        }
        for item in selection
    ]


def _rewrite(rewrite: FieldRewrite) -> Json:
    change = {"renameTo": rewrite.rename_to} if rewrite.set_value is None else {"setValue": rewrite.set_value}
    return {"path": print_path(rewrite.path), **change}
