"""Does each name that links bring into a schema mean one thing?

Spec: https://specs.apollo.dev/link/v1.0/#Import
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from gateway.federation.composition.model.link import Feature, Import

_ALIAS = re.compile(r"[_A-Za-z][\w.-]*", re.ASCII)
_NAMESPACED_FOR_SHORT = {"federation__tag", "federation__inaccessible"}
"""What gateways used to call these two specifications, which their own directives are named after."""

_RENAME = 'Give it another name with `as:`, such as {name: "@key", as: "@entityKey"}.'

Fault = tuple[str, str]
"""What is wrong, and the mend."""


def name_faults(feature: Feature, before: Sequence[Feature]) -> Iterator[Fault]:
    """What keeps a feature's names from being told from each other's and from those of features linked before it."""
    alias = feature.alias
    if not _ALIAS.fullmatch(alias) or alias.endswith("_") or ("__" in alias and alias not in _NAMESPACED_FOR_SHORT):
        yield (
            (
                f"`{feature.url}` can't be called `{alias}`: a specification's name is a GraphQL name without `__` that does "
                f"not end in `_`"
            ),
            "Give it another name with `as:`.",
        )
        return
    for other in before:
        for imported in other.imports:
            if _is_within(imported, alias):
                yield f"{_text(imported)} of `{other.url}` looks like an element of `{feature.url}`", _RENAME
    seen: dict[str, Import] = {}
    meanings: dict[str, str] = {}
    for imported in feature.imports:
        yield from _import_faults(imported, feature, before)
        if meanings.setdefault(imported.name, imported.alias) != imported.alias:
            yield (
                f"`{imported.name}` is imported both as `{meanings[imported.name]}` and as `{imported.alias}`",
                "Import it once.",
            )
        known = seen.setdefault(imported.alias, imported)
        if known.name != imported.name:
            yield f"`{known.name}` and `{imported.name}` are both called `{imported.alias}`", _RENAME


def _import_faults(imported: Import, feature: Feature, before: Sequence[Feature]) -> Iterator[Fault]:
    origin = imported.name.removeprefix("@")
    namespace, _, rest = imported.alias.removeprefix("@").partition("__")
    is_own = namespace == feature.alias and (rest != origin if rest else origin != feature.url.name)
    if is_own and (rest or imported.alias.startswith("@")):
        yield f"{_text(imported)} looks like another element of `{feature.url}`", _RENAME
    for other in before:
        if _is_within(imported, other.alias):
            yield f"{_text(imported)} looks like an element of `{other.url}`", _RENAME
        for known in other.imports:
            if known.alias == imported.alias:
                yield f"`{imported.alias}` is imported from `{other.url}` already", _RENAME


def _is_within(imported: Import, alias: str) -> bool:
    """Whether an import's name could be one that a feature's name stands before: `@alias` or `alias__…`."""
    return imported.alias == f"@{alias}" or imported.alias.removeprefix("@").startswith(f"{alias}__")


def _text(imported: Import) -> str:
    return f"`{imported.name}`" + (f", imported as `{imported.alias}`," if imported.alias != imported.name else "")
