"""Every code that composition reports, read from the modules that report it: what each says, and its likely mend."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType

from gateway.federation.composition.hints import HINTS
from gateway.federation.composition.ownership import OWNERSHIP_RULES
from gateway.federation.composition.rules import API_RULES, MERGE_RULES, NAME_RULES, SUBGRAPH_RULES, SUPERGRAPH_RULES
from gateway.federation.composition.rules.field_set_faults import Fault, field_set_errors

_PACKAGE = "gateway.federation.composition."
_CODE = re.compile(r"[A-Z]+(_[A-Z]+)+")


@dataclass(frozen=True, slots=True)
class Code:
    """One code as one module reports it."""

    code: str
    sentence: str
    """What is wrong, or worth a look."""
    mends: tuple[str, ...]
    """Likely mends, names in them left open as `…`; the error itself names them."""
    module: str
    """Where it is reported, relative to the package: `rules/no_queries.py`."""


def error_codes() -> tuple[Code, ...]:
    """What keeps subgraphs from being composed, by code."""
    rules = (*SUBGRAPH_RULES, *NAME_RULES, *MERGE_RULES, *SUPERGRAPH_RULES, *API_RULES, *OWNERSHIP_RULES)
    named = (code for rule in rules for code in _of_module(sys.modules[rule.__module__]))
    return tuple(sorted((*named, *_OTHER_ERRORS), key=lambda code: (code.code, code.module)))


def hint_codes() -> tuple[Code, ...]:
    """What composes but is worth a look, by code."""
    found = (code for find in HINTS for code in _of_module(sys.modules[find.__module__]))
    return tuple(sorted((*found, *_OTHER_HINTS), key=lambda code: (code.code, code.module)))


def _of_module(module: ModuleType) -> Iterator[Code]:
    """The codes of a rule or hint: lines of its docstring that read `CODE: sentence`."""
    tree = ast.parse(inspect.getsource(module))
    mends = tuple(dict.fromkeys(_mends(tree))) or _field_set_mends(tree)
    path = module.__name__.removeprefix(_PACKAGE).replace(".", "/") + ".py"
    for line in (module.__doc__ or "").splitlines():
        code, _, sentence = line.partition(": ")
        if _CODE.fullmatch(code):
            yield Code(code, sentence[:1].upper() + sentence[1:], mends, path)


def _mends(tree: ast.AST) -> Iterator[str]:
    assigned: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            assigned.setdefault(node.targets[0].id, []).append(node.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "mend":
            values = assigned.get(node.value.id, []) if isinstance(node.value, ast.Name) else [node.value]
            for value in values:
                yield from _texts(value)


def _field_set_mends(tree: ast.AST) -> tuple[str, ...]:
    """The mends of the fault that a rule about field sets asks for."""
    wanted = {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in Fault.__members__
    }
    faults = ast.parse(inspect.getsource(sys.modules[field_set_errors.__module__]))
    found: list[str] = []
    for node in ast.walk(faults):
        match node:
            case ast.Tuple(elts=[ast.Attribute(attr=fault), _, mend]) if fault in wanted:
                found.extend(_texts(mend))
            case _:
                continue
    return tuple(dict.fromkeys(found))


def _texts(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts)
        case ast.IfExp(body=body, orelse=orelse):
            yield from _texts(body)
            yield from _texts(orelse)
        case _:
            return


def _row(code: str, sentence: str, module: str, *mends: str) -> Code:
    return Code(code, sentence, mends, module)


_OTHER_ERRORS: Iterable[Code] = (
    _row("NO_SUBGRAPHS", "There is no subgraph to compose.", "normalise/normalise.py", "Name at least one subgraph."),
    _row(
        "INVALID_SUBGRAPH_NAME",
        "A subgraph's name is reserved, empty, or that of another one.",
        "normalise/normalise.py",
        "Give the subgraph another name.",
    ),
    _row(
        "INVALID_GRAPHQL", "A subgraph's SDL is not valid GraphQL.", "normalise/validate.py", "Correct the SDL there."
    ),
    _row("INVALID_LINK_IDENTIFIER", "A @link's URL names no specification and version.", "normalise/link.py"),
    _row("INVALID_LINK_DIRECTIVE_USAGE", "A @link is malformed, or at odds with another one.", "normalise/link.py"),
    _row(
        "UNKNOWN_FEDERATION_LINK_VERSION",
        "A subgraph links a version of the federation specification that is not known here.",
        "normalise/link.py",
        "Link a known version.",
    ),
    _row(
        "UNKNOWN_LINK_VERSION",
        "A subgraph links a version of a known specification that is not known here.",
        "normalise/link.py",
        "Link a known version.",
    ),
    _row(
        "TYPE_DEFINITION_INVALID",
        "A subgraph defines a specification's type in another way than the specification.",
        "normalise/define.py",
        "Leave the definition out.",
    ),
    _row(
        "DIRECTIVE_DEFINITION_INVALID",
        "A subgraph defines a specification's directive in another way than the specification.",
        "normalise/define.py",
        "Leave the definition out.",
    ),
    *(
        _row(
            f"ROOT_{kind}_USED",
            f"A type has the default name of the {kind.lower()} root, which is another type.",
            "normalise/roots.py",
            "Rename the type.",
        )
        for kind in ("QUERY", "MUTATION", "SUBSCRIPTION")
    ),
    _row(
        "EXTENSION_WITH_NO_BASE",
        "A federation 1 subgraph extends a type that no subgraph defines.",
        "normalise/upgrade.py",
        "Define the type, or remove the extension.",
    ),
    _row(
        "INTERFACE_OBJECT_USAGE_ERROR",
        "A federation 1 subgraph meets an interface object, which it can't know.",
        "normalise/upgrade.py",
        "Link federation 2 there.",
    ),
    _row(
        "TYPE_WITH_ONLY_UNUSED_EXTERNAL",
        "Nothing is left of a federation 1 type once its unused @external fields are gone.",
        "normalise/upgrade.py",
        "Remove the type.",
    ),
    _row(
        "SATISFIABILITY_ERROR",
        "Clients can ask for a field that can't be reached from where they come; a witness operation is shown.",
        "satisfiability/check.py",
        "Add a @key that both sides have, or resolve the field there too (@shareable).",
    ),
    _row(
        "SHAREABLE_HAS_MISMATCHED_RUNTIME_TYPES",
        "A field is shared, but its subgraphs can never return the same object.",
        "satisfiability/check.py",
        "Let the subgraphs have an implementation in common, or let only one resolve the field.",
    ),
    _row(
        "MAX_VALIDATION_SUBGRAPH_PATHS_EXCEEDED",
        "Whether everything can be answered was not decided within the budget of steps.",
        "satisfiability/check.py",
        "Reduce the number of keys per type, or split the graph.",
    ),
)
"""Codes of the stages that are no tuple of rules."""

_OTHER_HINTS: Iterable[Code] = (
    _row(
        "INCONSISTENT_RUNTIME_TYPES_FOR_SHAREABLE_RETURN",
        "A field is shared, but its subgraphs know different types that it may return.",
        "satisfiability/check.py",
    ),
)
