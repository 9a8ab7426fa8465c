"""What outsiders might send: good examples, bent. Pure noise is refused at the first byte and tells nothing of what comes after."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("CONCORD_FUZZ_EXAMPLES", "40"))
"""How many inputs each parser gets; `make fuzz` gives thousands."""

fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)

WORDS = (
    b"",
    b"\0",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    "é\u2028\U0001f600".encode(),
    b"{}[]",
    b'"',
    b"\\u0000",
    b"null",
    b"true",
    b"NaN",
    b"-1",
    b"1e999",
    b"99999999999999999999",
    b"\xd9\xa1\xd9\xa2",
    b"..",
    b"../",
    b"%00",
    b"0",
    b"=",
    b":",
    b";",
    b",",
    b"[" * 300,
    b"{" * 300,
    b'{"a":' * 300,
    b"a" * 3000,
    b"__proto__",
    b"__class__",
)
"""Pieces that break parsers."""


@st.composite
def bent(draw: st.DrawFn, seeds: Sequence[bytes], words: Sequence[bytes] = ()) -> bytes:
    """Return one of some good texts after a few edits: pieces cut out, doubled, exchanged or put in."""
    text = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 4))):
        begin = draw(st.integers(0, len(text)))
        end = min(len(text), begin + draw(st.sampled_from([0, 1, 2, 5, 40, 1000])))
        match draw(st.integers(0, 4)):
            case 0:
                del text[begin:end]
            case 1:
                text[begin:begin] = draw(st.sampled_from([*WORDS, *words]))
            case 2:
                text[begin:end] = draw(st.sampled_from([*WORDS, *words]))
            case 3:
                text[begin:begin] = text[begin:end]
            case _:
                text[begin:end] = draw(st.binary(max_size=6))
    return bytes(text)


def bent_text(seeds: Sequence[str], words: Sequence[str] = ()) -> st.SearchStrategy[str]:
    """Return a text instead of bytes; what isn't UTF-8 in it is what HTTP headers make of it."""
    found = bent([each.encode() for each in seeds], [each.encode() for each in words])
    return found.map(lambda text: text.decode("latin-1")) | found.map(lambda text: text.decode(errors="replace"))


def nested(depth: int, key: str | None = None) -> Any:
    """Return lists in lists, or objects in objects."""
    value: Any = 1
    for _ in range(depth):
        value = [value] if key is None else {key: value}
    return value


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.sampled_from([-1, 0, 1, 2**31, 2**53 + 1, 1e300, -0.0, 0.1])
    | st.text(max_size=8)
    | st.sampled_from(["", "0", "NaN", "2026-01-31", "2026-01-31T09:30:00Z", "0001-01-01", "9999-12-31T23:59:59-23:59",
                       "1e400", "\0", "__typename", "x" * 500, "\u202e", "sNaN"])
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
) | st.sampled_from([nested(120), nested(300), nested(500), nested(300, "a"), nested(600, "data")])


@st.composite
def warped(draw: st.DrawFn, seeds: Sequence[Any]) -> Any:
    """Return one of some good JSON values with a few of its parts removed or replaced."""
    value = copy.deepcopy(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 3))):
        holder, step, at = None, None, value
        while isinstance(at, dict | list) and at and draw(st.integers(0, 5)):
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            holder, step = at, draw(st.sampled_from(keys))
            at = at[step]
        if holder is None:
            value = copy.deepcopy(draw(JSON)) if draw(st.integers(0, 3)) == 0 else value
        elif draw(st.booleans()):
            del holder[step]
        else:
            holder[step] = copy.deepcopy(draw(JSON))
    return value


def warped_text(seeds: Sequence[Any]) -> st.SearchStrategy[bytes]:
    """Return JSON texts: of warped values, and bent ones."""
    texts = [json.dumps(each).encode() for each in seeds]
    return warped(seeds).map(lambda value: json.dumps(value).encode()) | bent(texts)
