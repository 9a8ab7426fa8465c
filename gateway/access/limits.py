"""What one document may ask for: the numbers, not the counting."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import GatewayError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Upper bounds on one document, the same on every transport. Raising one is configuration: `[limits.document]`."""

    characters: int = 20_000
    """Length of the document's text."""
    tokens: int = 2_000
    """Lexical tokens, comments and commas not counted."""
    nesting: int = 60
    """Open brackets of any kind at one point of the text; keeps the parser's recursion shallow."""
    depth: int = 15
    """Levels of fields, through fragments."""
    introspection_depth: int = 20
    """The same below `__schema` and `__type`, whose standard query is deeper than any other needs to be."""
    aliases: int = 30
    """Aliases as written in the operation and the fragments it reaches."""
    fields: int = 400
    """Fields once every fragment is written out in each place it is spread."""
    trusted_characters: int = 100_000
    """Length of a text from the manifest of trusted documents …"""
    trusted_tokens: int = 10_000
    """… its tokens …"""
    trusted_fields: int = 2_000
    """… and its fields."""
    directives: int = 30
    """Directives as written in the operation and the fragments it reaches."""
    operations: int = 10
    """Operations in one document."""
    fragments: int = 50
    """Fragments in one document."""
    variables: int = 50
    """Variables one operation declares."""
    root_fields: int = 30
    """Root fields of a query, through fragments."""
    mutation_root_fields: int = 5
    """Root fields of a mutation, through fragments."""
    introspection: bool = True
    """Whether `__schema` and `__type` may be asked."""

    def of_text(self, *, trusted: bool) -> tuple[int, int]:
        """Return the most characters and tokens of a text."""
        return (self.trusted_characters, self.trusted_tokens) if trusted else (self.characters, self.tokens)


def breach(code: str, name: str, value: int, figure: int) -> GatewayError:
    """Return the refusal of a document whose `figure` is above the limit `name` of `value`."""
    return GatewayError(
        code,
        f"The document's {name} come to {figure}; the limit is {value}.",
        extensions={"limit": {"name": name, "value": value, "figure": figure}},
    )
