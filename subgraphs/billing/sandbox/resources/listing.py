"""Lists and searches: Stripe's pagination, filters and search query language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from subgraphs.billing.sandbox.account import Account
from subgraphs.billing.sandbox.errors import StripeError
from subgraphs.billing.sandbox.params import Params
from subgraphs.billing.sandbox.store import StripeObject, Window

_TERM = re.compile(
    r"""\s*(-?)([a-z_]+)(?:\[["']([^"']+)["']\])?\s*(:|<=|>=|<|>|~)\s*(?:"([^"]*)"|'([^']*)'|(\S+))\s*"""
)


def window_of(account: Account, params: Params) -> Window:
    """Return the page asked for; https://docs.stripe.com/api/pagination."""
    after, before = params.text("starting_after"), params.text("ending_before")
    if after is not None and before is not None:
        raise StripeError.invalid("You may only specify one of these parameters: starting_after, ending_before.")
    for name, anchor in (("starting_after", after), ("ending_before", before)):
        if anchor is not None and account.store.get(anchor) is None:
            raise StripeError.no_such("object", anchor, param=name)
    return Window(limit=params.integer("limit", low=1, high=100) or 10, starting_after=after, ending_before=before)


def created_bounds(params: Params) -> dict[str, int]:
    """Return the `created` filter: one instant or bounds by gt, gte, lt, lte."""
    try:
        bounds = params.nested("created")
    except StripeError:
        exact = params.integer("created", low=0) or 0
        return {"gte": exact, "lte": exact}
    if bounds is None:
        return {}
    found = {name: bounds.integer(name, low=0) for name in ("gt", "gte", "lt", "lte")}
    return {name: value for name, value in found.items() if value is not None}


def list_of(
    account: Account,
    params: Params,
    kind: str,
    url: str,
    *,
    parent: str | None = None,
    where: Mapping[str, Any] | None = None,
    created: bool = True,
) -> StripeObject:
    """Return a list object of one page; `where` members that are None do not filter."""
    page = account.store.page(
        kind,
        window_of(account, params),
        parent=parent,
        where={path: wanted for path, wanted in (where or {}).items() if wanted is not None},
        created=created_bounds(params) if created else None,
    )
    return {"object": "list", "data": page.data, "has_more": page.has_more, "url": url}


def search(account: Account, params: Params, kind: str, url: str) -> StripeObject:
    """Answer a search such as `status:"active" AND metadata["contract_number"]:"CON-2025-0001"`.

    https://docs.stripe.com/search#search-query-language
    """
    terms, anyone = _parse_query(params.required("query"))
    limit = params.integer("limit", low=1, high=100) or 10
    page = params.text("page")
    if page is not None and not page.isdecimal():
        raise StripeError.invalid("Invalid page.", param="page")
    skip = int(page or 0)
    matching = [
        body
        for body in reversed(account.store.all(kind))
        if (any if anyone else all)(_matches(body, term) for term in terms)
    ]
    more = len(matching) > skip + limit
    return {
        "object": "search_result",
        "data": matching[skip : skip + limit],
        "has_more": more,
        "next_page": str(skip + limit) if more else None,
        "url": url,
    }


_Term = tuple[bool, str, str | None, str, str]


def _parse_query(text: str) -> tuple[list[_Term], bool]:
    pieces = re.split(r"\s+(AND|OR)\s+", text)
    joins = set(pieces[1::2])
    if len(joins) > 1:
        raise StripeError.invalid("AND and OR cannot be combined in one query.", param="query")
    terms: list[_Term] = []
    for piece in pieces[::2]:
        position = 0
        while position < len(piece.rstrip()) or not piece:
            found = _TERM.match(piece, position)
            if found is None:
                raise StripeError.invalid(f"We were unable to parse your search query: {text[:100]}", param="query")
            minus, field, key, sign, double, single, bare = found.groups()
            terms.append((bool(minus), field, key, sign, next(v for v in (double, single, bare) if v is not None)))
            position = found.end()
    return terms, joins == {"OR"}


def _matches(body: StripeObject, term: _Term) -> bool:
    negated, field, key, sign, wanted = term
    value = (body.get(field) or {}).get(key) if key is not None else body.get(field)
    if wanted == "null":
        hit = value is None
    elif value is None:
        hit = False
    elif sign == ":":
        hit = str(value).lower() == wanted.lower() or (isinstance(value, bool) and str(value).lower() == wanted)
    elif sign == "~":
        hit = wanted.lower() in str(value).lower()
    elif not wanted.isdecimal() or not isinstance(value, int):
        raise StripeError.invalid(f"Field `{field}` can't be compared with {sign}.", param="query")
    else:
        bound = int(wanted)
        hit = {"<": value < bound, ">": value > bound, "<=": value <= bound, ">=": value >= bound}[sign]
    return hit != negated
