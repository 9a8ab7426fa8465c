"""Reads Stripe's request format: form fields whose names nest by brackets.

    items[0][price]=price_1&items[0][quantity]=2&metadata[contract_number]=CON-2025-0001&expand[]=customer
    → {"items": [{"price": "price_1", "quantity": "2"}], "metadata": {"contract_number": "CON-2025-0001"},
       "expand": ["customer"]}

See https://docs.stripe.com/api#intro: bodies are form-encoded, never JSON.
"""

from __future__ import annotations

import re
from typing import TypeAlias
from urllib.parse import parse_qsl

from subgraphs.billing.sandbox.errors import StripeError

FormValue: TypeAlias = "str | list[FormValue] | dict[str, FormValue]"
Form: TypeAlias = dict[str, FormValue]

_NAME = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
_SEGMENT = re.compile(r"\[([^\[\]]*)\]")
_MAX_FIELDS = 1_000
_MAX_DEPTH = 8


def parse_form(text: str) -> Form:
    """Return the fields of a query string or body. Every leaf is a string; "" is how Stripe spells null.

    Raises StripeError for a malformed name, or one used both as a value and as an object.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise StripeError.invalid("Invalid request body: it is not form-encoded.") from error
    tree: dict[str, object] = {}
    for name, value in pairs:
        matched = _NAME.match(name)
        if matched is None:
            raise StripeError.invalid(f"Invalid parameter name: {name[:80]}", param=name[:80])
        path = [matched[1], *_SEGMENT.findall(matched[2])]
        if len(path) > _MAX_DEPTH:
            raise StripeError.invalid(f"Invalid parameter name: {name[:80]} is nested too deeply.", param=path[0])
        _put(tree, path, value, name)
    return {key: _settle(value) for key, value in tree.items()}


def _put(tree: dict[str, object], path: list[str], value: str, name: str) -> None:
    here = tree
    for segment in path[:-1]:
        key = segment or str(len(here))
        below = here.setdefault(key, {})
        if not isinstance(below, dict):
            raise StripeError.invalid(f"Invalid parameter: {name[:80]} is both a value and an object.", param=path[0])
        here = below
    last = path[-1] or str(len(here))
    if isinstance(here.get(last), dict):
        raise StripeError.invalid(f"Invalid parameter: {name[:80]} is both a value and an object.", param=path[0])
    here[last] = value


def _settle(value: object) -> FormValue:
    if not isinstance(value, dict):
        return str(value)
    if value and all(key.isdecimal() for key in value):
        return [_settle(value[key]) for key in sorted(value, key=int)]
    return {key: _settle(below) for key, below in value.items()}
