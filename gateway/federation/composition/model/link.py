"""Linked specifications: what `@link` brings into a schema and under which names.

Spec: https://specs.apollo.dev/link/v1.0/
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

from graphql import Node

LINK = "https://specs.apollo.dev/link"
FEDERATION = "https://specs.apollo.dev/federation"
JOIN = "https://specs.apollo.dev/join"


class Version(NamedTuple):
    """A specification's version."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}"


class SpecificationUrl(NamedTuple):
    """`https://specs.apollo.dev/federation/v2.3` taken apart."""

    identity: str
    name: str
    version: Version

    def __str__(self) -> str:
        return f"{self.identity}/{self.version}"


def parse_specification_url(text: str | None) -> SpecificationUrl:
    """The parts of a specification's URL.

    Raises:
        ValueError: the text is no such URL; the message says why.

    """
    if not text:
        raise ValueError("a @link needs the `url` of a specification")
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise ValueError(f"`{text}` is not a URL") from error
    if not parts.scheme or not parts.netloc:
        raise ValueError(f"`{text}` is not an absolute URL")
    segments = parts.path.split("/")[1:]
    if segments in ([], [""]):
        raise ValueError(f"the URL `{text}` has no path: it should end in a name and a version, such as `/link/v1.0`")
    *path, last = segments
    version = _parse_version(last)
    if version is None:
        raise ValueError(f"the URL `{text}` should end in a version such as `v1.2`, but ends in `{last}`")
    if not path or not path[-1]:
        raise ValueError(f"the URL `{text}` has no specification name before its version")
    return SpecificationUrl(f"{parts.scheme}://{parts.netloc}/{'/'.join(path)}", path[-1], version)


def _parse_version(text: str) -> Version | None:
    major, dot, minor = text.removeprefix("v").partition(".")
    numeric = all(part.isascii() and part.isdigit() and len(part) < 6 for part in (major, minor))
    return Version(int(major), int(minor)) if text.startswith("v") and dot and numeric else None


class Import(NamedTuple):
    """An imported element; directives keep their `@`."""

    name: str
    alias: str


@dataclass(frozen=True, slots=True)
class Feature:
    """A specification linked into a schema."""

    url: SpecificationUrl
    alias: str
    """The namespace its elements have here: `federation` in `@federation__key`."""
    imports: tuple[Import, ...] = ()
    node: Node | None = field(default=None, compare=False)

    def directive_name(self, name: str) -> str:
        """The name that the specification's directive has in this schema, without `@`."""
        for imported in self.imports:
            if imported.name == f"@{name}":
                return imported.alias[1:]
        return self.alias if name == self.url.name else f"{self.alias}__{name}"

    def type_name(self, name: str) -> str:
        """The name that the specification's type has in this schema."""
        for imported in self.imports:
            if imported.name == name:
                return imported.alias
        return f"{self.alias}__{name}"

    def directive_origin(self, name: str) -> str | None:
        """The specification's own name of a directive of this schema, None if it isn't one of its."""
        for imported in self.imports:
            if imported.alias == f"@{name}":
                return imported.name[1:]
        if name == self.alias:
            return self.url.name
        return name.removeprefix(f"{self.alias}__") if name.startswith(f"{self.alias}__") else None

    def owns_type(self, name: str) -> bool:
        """Does a type of this schema belong to the specification?"""
        return name.startswith(f"{self.alias}__") or any(imported.alias == name for imported in self.imports)


@dataclass(frozen=True, slots=True)
class Links:
    """All specifications linked into a schema."""

    features: tuple[Feature, ...] = ()

    def find(self, identity: str) -> Feature | None:
        """The feature of an identity, None when it is not linked."""
        return next((feature for feature in self.features if feature.url.identity == identity), None)

    @property
    def federation(self) -> Feature | None:
        """The federation specification; None in a federation 1 schema."""
        return self.find(FEDERATION)

    def source_of_directive(self, name: str) -> tuple[Feature, str] | None:
        """The feature a directive of this schema comes from, and its name there."""
        for feature in self.features:
            origin = feature.directive_origin(name)
            if origin is not None:
                return feature, origin
        return None

    def source_of_type(self, name: str) -> Feature | None:
        """The feature a type of this schema comes from."""
        return next((feature for feature in self.features if feature.owns_type(name)), None)
