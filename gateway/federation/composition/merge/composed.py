"""Custom directives that subgraphs carry into the supergraph with `@composeDirective`.

Spec: https://www.apollographql.com/docs/graphos/schema-design/federated-schemas/reference/directives#composedirective
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.federation.composition.model.element import Directive, DirectiveDefinition
from gateway.federation.composition.model.link import FEDERATION, LINK, Feature
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.normalise.specification import CARRIED_BY_IDENTITY

COMPOSED_BY_DEFAULT = ("tag", "inaccessible", "authenticated", "requiresScopes", "policy", "context")


@dataclass(frozen=True, slots=True)
class ComposedItem:
    """One `@composeDirective` that names a directive of a linked specification."""

    subgraph: Subgraph
    feature: Feature
    origin: str
    """The directive's name in its specification."""
    name: str
    """Its name in the subgraph."""
    applied: Directive


@dataclass(frozen=True, slots=True)
class ComposeProblem:
    """Why a directive can't be composed."""

    message: str
    at: tuple[tuple[Subgraph, Directive], ...]
    mend: str | None = None


@dataclass(frozen=True, slots=True)
class Composed:
    """The directives to compose, and what stands in the way."""

    items: tuple[ComposedItem, ...] = ()
    problems: tuple[ComposeProblem, ...] = ()
    needless: tuple[tuple[Subgraph, Directive, str], ...] = ()
    """`@composeDirective`s of directives that are composed anyway."""
    definitions: Mapping[str, DirectiveDefinition] = field(default_factory=dict)
    """Name to the definition the supergraph takes: that of the latest version."""
    features: tuple[tuple[Feature, tuple[tuple[str, str], ...]], ...] = ()
    """Specifications the supergraph links, with the names and original names of their directives."""

    names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Subgraph to the directives that it composes."""


def composed_directives(subgraphs: Sequence[Subgraph]) -> Composed:
    """What all `@composeDirective`s ask for."""
    items: list[ComposedItem] = []
    problems: list[ComposeProblem] = []
    needless: list[tuple[Subgraph, Directive, str]] = []
    for subgraph in subgraphs:
        for applied in subgraph.uses(subgraph.schema, "composeDirective"):
            match _read(subgraphs, subgraph, applied):
                case ComposedItem() as item:
                    items.append(item)
                case ComposeProblem() as problem:
                    problems.append(problem)
                case str(name):
                    needless.append((subgraph, applied, name))
    problems.extend(_disagreements(items))
    latest, version_problems = _latest(subgraphs, items)
    problems.extend(version_problems)
    definitions: dict[str, DirectiveDefinition] = {}
    features: dict[str, tuple[Feature, dict[str, str]]] = {}
    for item in items:
        chosen = latest.get(item.feature.url.identity)
        if chosen is None or item.name in definitions:
            continue
        feature, candidates = chosen
        definition = _definition(candidates, item)
        if definition is None:
            problems.append(
                ComposeProblem(
                    f"`{feature.url}` is the latest version of what carries `@{item.name}`, "
                    f"but no subgraph that links it defines that directive",
                    ((item.subgraph, item.applied),),
                )
            )
            continue
        definitions[item.name] = definition
        features.setdefault(feature.url.identity, (feature, {}))[1][item.name] = item.origin
    linked = tuple((feature, tuple(names.items())) for feature, names in features.values())
    names = {each.name: frozenset(item.name for item in items if item.subgraph is each) for each in subgraphs}
    return Composed(tuple(items), tuple(problems), tuple(needless), definitions, linked, names)


def _read(subgraphs: Sequence[Subgraph], subgraph: Subgraph, applied: Directive) -> ComposedItem | ComposeProblem | str:
    here = ((subgraph, applied),)
    text = applied.text("name")
    if not text:
        return ComposeProblem(f"[{subgraph.name}] `@composeDirective` needs the name of a directive", here)
    if not text.startswith("@"):
        return ComposeProblem(
            f'[{subgraph.name}] `@composeDirective(name: "{text}")` has no leading `@`', here, f'Write "@{text}".'
        )
    name = text[1:]
    if name not in subgraph.definitions:
        return ComposeProblem(
            f"[{subgraph.name}] there is no directive `@{name}` to compose",
            here,
            f"Define `@{name}`, or correct the name.",
        )
    source = subgraph.links.source_of_directive(name)
    if source is None:
        return ComposeProblem(
            f"[{subgraph.name}] `@{name}` cannot be composed: it does not belong to a linked specification",
            here,
            f"Link a specification that imports `@{name}`.",
        )
    feature, origin = source
    if feature.url.identity in (FEDERATION, LINK) or feature.url.identity in CARRIED_BY_IDENTITY:
        if origin in COMPOSED_BY_DEFAULT and feature.url.identity == FEDERATION:
            return name
        return ComposeProblem(f"[{subgraph.name}] the federation directive `@{name}` cannot be composed", here)
    for known in ("tag", "inaccessible"):
        others = [other.name for other in subgraphs if name in other.spellings.get(known, ())]
        if others:
            return ComposeProblem(
                f"[{subgraph.name}] `@{name}` cannot be composed: in {', '.join(others)} it is federation's `@{known}`",
                here,
                'Import it under another name with `as: "@…"`.',
            )
    return ComposedItem(subgraph, feature, origin, name, applied)


def _disagreements(items: Sequence[ComposedItem]) -> Iterator[ComposeProblem]:
    by_name: dict[str, list[ComposedItem]] = {}
    by_origin: dict[str, list[ComposedItem]] = {}
    for item in items:
        by_name.setdefault(item.name, []).append(item)
        by_origin.setdefault(item.origin, []).append(item)
    for name, same in by_name.items():
        at = tuple((item.subgraph, item.applied) for item in same)
        if len({item.origin for item in same}) > 1:
            yield ComposeProblem(f"`@{name}` is not the same directive in every subgraph that composes it", at)
        if len({item.feature.url.identity for item in same}) > 1:
            yield ComposeProblem(f"`@{name}` comes from different specifications in the subgraphs that compose it", at)
    for origin, same in by_origin.items():
        if len({item.name for item in same}) > 1:
            at = tuple((item.subgraph, item.applied) for item in same)
            listed = ", ".join(f"`@{item.name}` in {item.subgraph.name}" for item in same)
            yield ComposeProblem(f"the composed directive `@{origin}` has different names: {listed}", at)


_Latest = Mapping[str, tuple[Feature, tuple[Subgraph, ...]]]


def _latest(subgraphs: Sequence[Subgraph], items: Sequence[ComposedItem]) -> tuple[_Latest, tuple[ComposeProblem, ...]]:
    """Each composed specification's latest version, with the subgraphs that link it."""
    chosen: dict[str, tuple[Feature, tuple[Subgraph, ...]]] = {}
    problems: list[ComposeProblem] = []
    for identity in dict.fromkeys(item.feature.url.identity for item in items):
        using = [item for item in items if item.feature.url.identity == identity]
        majors = {item.feature.url.version.major for item in using}
        if len(majors) > 1:
            at = tuple((item.subgraph, item.applied) for item in using)
            problems.append(
                ComposeProblem(
                    f"the subgraphs that compose `{identity}` link incompatible major versions of it",
                    at,
                    "Link the same major version everywhere.",
                )
            )
            continue
        feature = max((item.feature for item in using), key=lambda feature: feature.url.version)
        linking = []
        for subgraph in subgraphs:
            linked = subgraph.links.find(identity)
            if linked is not None and linked.url.version == feature.url.version:
                linking.append(subgraph)
        chosen[identity] = (feature, tuple(reversed(linking)))
    return chosen, tuple(problems)


def _definition(candidates: Sequence[Subgraph], item: ComposedItem) -> DirectiveDefinition | None:
    for subgraph in candidates:
        feature = subgraph.links.find(item.feature.url.identity)
        if feature is not None and feature.directive_name(item.origin) in subgraph.definitions:
            return subgraph.definitions[feature.directive_name(item.origin)]
    return None
