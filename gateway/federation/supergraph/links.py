"""What a supergraph links: the specifications, and what their elements are called in it.

https://specs.apollo.dev/link/v1.0/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from graphql.language import ast

_HOSTS = ("https://specs.apollo.dev/", "https://concord.invalid/")
"""Whose specifications are for gateways and not for clients: Apollo's, and our own (`@classified`)."""
_LINKING = ("link", "core")
_ALWAYS = ("join", *_LINKING)


@dataclass(frozen=True, slots=True)
class Link:
    """One specification, as `@link` (or `@core`) brings it in."""

    feature: str
    """Its own name: `tag` of `https://specs.apollo.dev/tag/v0.3`."""
    namespace: str
    """What stands before its elements here: `tag`, or what `as:` says."""
    imports: Mapping[str, str]
    """Element → its name here: `{"@tag": "@label", "FieldSet": "FieldSet"}`."""


class Links:
    """All specifications for gateways that a supergraph links."""

    def __init__(self, links: Iterable[Link] = ()) -> None:
        self._links = {link.feature: link for link in links}
        names = {*_ALWAYS, *(link.namespace for link in self._links.values())}
        imported = {name for link in self._links.values() for name in link.imports.values()}
        self._prefixes = tuple(f"{name}__" for name in sorted(names))
        self._directives = names | {name[1:] for name in imported if name.startswith("@")}
        self._types = imported

    def directive(self, name: str, feature: str | None = None) -> str:
        """Return what a specification's directive is called here; `feature` where it isn't named after it.

        One of a specification that isn't linked has its own name.
        """
        link = self._links.get(feature or name)
        if link is None:
            return name
        default = link.namespace if name == link.feature else f"{link.namespace}__{name}"
        return link.imports.get(f"@{name}", default).removeprefix("@")

    def owns_directive(self, name: str) -> bool:
        """Whether a directive of this name comes from a specification."""
        return name in self._directives or name.startswith(self._prefixes)

    def owns_type(self, name: str) -> bool:
        """Whether a type of this name comes from a specification."""
        return name in self._types or name.startswith(self._prefixes)


def read_links(document: ast.DocumentNode) -> Links:
    """Read what the schema definition of a supergraph links, and its extensions."""
    applied = [
        directive
        for definition in document.definitions
        if isinstance(definition, ast.SchemaDefinitionNode | ast.SchemaExtensionNode)
        for directive in definition.directives or ()
    ]
    return Links(link for directive in applied if (link := _read(directive)) is not None)


def _read(directive: ast.DirectiveNode) -> Link | None:
    arguments = {argument.name.value: argument.value for argument in directive.arguments or ()}
    url = _text(arguments.get("url")) or _text(arguments.get("feature"))
    host = next((each for each in _HOSTS if url.startswith(each)), None)
    if host is None:
        return None
    feature = url.removeprefix(host).partition("/")[0]
    namespace = _text(arguments.get("as")) or feature
    if directive.name.value not in (*_LINKING, namespace):
        return None
    return Link(feature, namespace, dict(_imports(arguments.get("import"))))


def _imports(value: ast.ValueNode | None) -> Iterator[tuple[str, str]]:
    for item in value.values if isinstance(value, ast.ListValueNode) else (value,):
        if isinstance(item, ast.StringValueNode):
            yield item.value, item.value
        elif isinstance(item, ast.ObjectValueNode):
            parts = {field.name.value: _text(field.value) for field in item.fields}
            name = parts.get("name", "")
            yield name, parts.get("as") or name


def _text(value: ast.ValueNode | None) -> str:
    return value.value if isinstance(value, ast.StringValueNode) else ""
