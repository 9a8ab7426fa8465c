"""Refuse a document that asks for too much, before any work that grows with it.

`admit_text` goes before the parser and `admit` between the parser and validation. Both are linear in the text.
"""

from __future__ import annotations

import re

from graphql import DocumentNode

from gateway.access.limits import Limits, breach
from gateway.access.measure import measure_document
from gateway.errors import GatewayError, RequestRefused

_TOKEN = re.compile(
    r"(?P<skip>#[^\n\r]*|[\s,\ufeff]+)|(?P<open>[{(\[])|(?P<close>[})\]])"
    r'|"""(?:[^"\\]|\\"""|\\|"(?!""))*(?:"""|$)|"(?:[^"\\\n\r]|\\.)*"?'
    r"|[A-Za-z_]\w*|-?\d[\w.+-]*|\.\.\.|.",
    re.DOTALL,
)


def admit_text(text: str, limits: Limits, *, trusted: bool = False) -> None:
    """Refuse a text with too many characters, tokens or open brackets; nothing is parsed.

    Raises `GatewayError` with MAX_TOKENS_LIMIT or MAX_DEPTH_LIMIT.
    """
    most_characters, most_tokens = limits.of_text(trusted=trusted)
    if len(text) > most_characters:
        raise breach("MAX_TOKENS_LIMIT", "characters", most_characters, len(text))
    tokens = nesting = deepest = 0
    for token in _TOKEN.finditer(text):
        match token.lastgroup:
            case "skip":
                continue
            case "open":
                nesting += 1
                deepest = max(deepest, nesting)
            case "close":
                nesting -= 1
        tokens += 1
    if tokens > most_tokens:
        raise breach("MAX_TOKENS_LIMIT", "tokens", most_tokens, tokens)
    if deepest > limits.nesting:
        raise breach("MAX_DEPTH_LIMIT", "nesting", limits.nesting, deepest)


def admit(document: DocumentNode, limits: Limits, *, trusted: bool = False) -> None:
    """Refuse a parsed document above any limit, naming each limit, its value and the document's figure.

    The document need not be valid: unknown fragments count nothing and cycles end. Every operation must be within
    the limits, so the result may be cached by document alone.

    Raises `RequestRefused` with one error per limit that is broken.
    """
    figures = measure_document(document)
    fields = limits.trusted_fields if trusted else limits.fields
    rows = [
        ("MAX_DEFINITIONS_LIMIT", "operations", limits.operations, len(figures.operations)),
        ("MAX_DEFINITIONS_LIMIT", "fragments", limits.fragments, figures.fragments),
    ]
    for operation in figures.operations:
        is_mutation = operation.kind == "mutation"
        roots_name = "mutation root fields" if is_mutation else "root fields"
        roots = limits.mutation_root_fields if is_mutation else limits.root_fields
        rows += [
            ("MAX_DEPTH_LIMIT", "depth", limits.depth, operation.depth),
            ("MAX_DEPTH_LIMIT", "introspection depth", limits.introspection_depth, operation.introspection_depth),
            ("MAX_ALIASES_LIMIT", "aliases", limits.aliases, operation.aliases),
            ("MAX_FIELDS_LIMIT", "fields", fields, operation.fields),
            ("MAX_DIRECTIVES_LIMIT", "directives", limits.directives, operation.directives),
            ("MAX_VARIABLES_LIMIT", "variables", limits.variables, operation.variables),
            ("MAX_ROOT_FIELDS_LIMIT", roots_name, roots, operation.root_fields),
        ]
    breaches: dict[str, GatewayError] = {}
    for code, name, value, figure in rows:
        if figure > value:
            breaches.setdefault(name, breach(code, name, value, figure))
    if breaches:
        raise RequestRefused(tuple(breaches.values()))
    if figures.introspects and not limits.introspection:
        raise GatewayError("INTROSPECTION_DISABLED")
