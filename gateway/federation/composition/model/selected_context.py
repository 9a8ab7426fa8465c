"""The argument of `@fromContext(field:)`: `$name { selection }`."""

from __future__ import annotations

_IGNORED = " \t\r\n,"


def parse_selected_context(text: str | None) -> tuple[str | None, str | None]:
    """The context's name and the selection's text, each None when it is missing."""
    rest = (text or "").lstrip(_IGNORED)
    if not rest.startswith("$"):
        return None, None
    rest = rest[1:].lstrip(_IGNORED)
    length = next((index for index, char in enumerate(rest) if not (char.isalnum() or char == "_")), len(rest))
    name, selection = rest[:length], rest[length:].strip()
    if not name.isidentifier():
        return None, None
    return name, selection or None
