"""Prints a step's selections as the text to send, and says what must be undone in the answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TypeAlias

from gateway.federation.plan import EachItem, FieldRewrite, Path, PathKey
from gateway.federation.planner.step import Selected, SelectedField
from gateway.federation.supergraph import Conditions, Directives


@dataclass(slots=True, eq=False)
class PrintedSelections:
    """A selection set as text, with the variables it uses and the renames its aliases call for."""

    text: str
    variables: dict[str, None] = field(default_factory=dict)
    rewrites: tuple[FieldRewrite, ...] = ()


def print_step_selections(selected: Selected, settled: Conditions) -> PrintedSelections:
    """Print the selections of one step, braces included. `settled` conditions are checked elsewhere and left out.

    Where object types give one response name different types, a subgraph would refuse the document, so all but the
    first are fetched under an alias: `...on User{id}...on Admin{_0_id:id}`, and renamed in the answer.
    https://spec.graphql.org/draft/#SameResponseShape()
    """
    printer = _Printer()
    printer.separate([selected], ())
    text = printer.print(selected, settled)
    return PrintedSelections(text, printer.variables, tuple(printer.rewrites))


LeafKey: TypeAlias = tuple[str, str]
"""Response name and signature of a leaf."""
_TYPENAME: LeafKey = ("__typename", "__typename")
_ALWAYS: Conditions = frozenset()


class _Printer:
    def __init__(self) -> None:
        self._aliases: dict[int, str] = {}
        self.rewrites: list[FieldRewrite] = []
        self.variables: dict[str, None] = {}

    def separate(self, sets: Sequence[Selected], path: Path) -> None:
        """Give aliases to fields of one response position whose shapes differ; inner ones come first in `rewrites`."""
        if len(sets) == 1 and not sets[0].fragments:
            for entry in sets[0].fields.values():
                if entry.below is not None:
                    self.separate([entry.below], _step_down(path, entry.response_name, entry))
            return
        by_name: dict[str, dict[str, list[SelectedField]]] = {}
        for entry in _all_fields(sets):
            by_name.setdefault(entry.response_name, {}).setdefault(_shape(entry), []).append(entry)
        for name, by_shape in by_name.items():
            for number, entries in enumerate(by_shape.values()):
                alias = self._free_alias(name, by_name, number - 1) if number else name
                below = [entry.below for entry in entries if entry.below is not None]
                if below:
                    self.separate(below, _step_down(path, alias, entries[0]))
                if number:
                    self._aliases.update((id(entry), alias) for entry in entries)
                    self.rewrites.append(FieldRewrite((*path, PathKey(alias)), rename_to=name))

    @staticmethod
    def _free_alias(name: str, taken: Iterable[str], number: int) -> str:
        names = set(taken)
        while (alias := f"_{number}_{name}") in names:
            number += 1
        return alias

    def print(self, selected: Selected, settled: Conditions) -> str:
        """Print a selection set in braces."""
        return f"{{{_join(self._parts(selected, settled, frozenset())) or '__typename'}}}"

    def _parts(self, selected: Selected, settled: Conditions, around: frozenset[LeafKey]) -> list[str]:
        """Print what is in a set. `around` has the leaves that the sets around a fragment select always."""
        parts: list[str] = []
        printed: set[LeafKey] = set()
        always = {key[:2] for key in selected.fields if key[2] <= settled and not key[3]}
        wrapped: list[SelectedField] = []
        for entry in selected.fields.values():
            if entry.around:
                wrapped.append(entry)
                continue
            conditions = entry.conditions - settled
            if entry.below is None:
                leaf = (entry.response_name, entry.selection.signature)
                if leaf in around and id(entry) not in self._aliases:
                    continue
                if leaf in always and (conditions or leaf in printed):
                    continue
                printed.add(leaf)
            parts.append(self._print_field(entry, conditions, settled))
        parts.extend(self._print_wrapped(wrapped, 0, settled))
        if selected.fragments:
            around |= {
                key[:2]
                for key, entry in selected.fields.items()
                if entry.below is None and key[2] == _ALWAYS and not entry.around
            }
        for name, below in selected.fragments.items():
            inner = self._parts(below, settled, around)
            if inner or _TYPENAME not in around:
                parts.append(f"...on {name}{{{_join(inner) or '__typename'}}}")
        return parts

    def _print_wrapped(self, entries: Sequence[SelectedField], level: int, settled: Conditions) -> Iterator[str]:
        """Print fields in the fragments whose directives are around them; those above `level` are printed already."""
        inner: dict[Directives, list[SelectedField]] = {}
        for entry in entries:
            if level == len(entry.around):
                yield self._print_field(entry, entry.conditions - settled, settled)
            else:
                inner.setdefault(entry.around[level], []).append(entry)
        for directives, below in inner.items():
            self.variables.update(dict.fromkeys(sorted(directives.variables)))
            yield f"...{directives.text}{{{_join(list(self._print_wrapped(below, level + 1, settled)))}}}"

    def _print_field(self, entry: SelectedField, conditions: Conditions, settled: Conditions) -> str:
        name = self._aliases.get(id(entry), entry.response_name)
        alias = "" if name == entry.selection.name else f"{name}:"
        self.variables.update(dict.fromkeys(sorted(entry.selection.variables)))
        own, *around = self._print_conditions(conditions) or [""]
        text = f"{alias}{entry.selection.signature}{own}"
        if entry.below is not None:
            text += self.print(entry.below, settled)
        for each in around:
            text = f"...{each}{{{text}}}"
        return text

    def _print_conditions(self, conditions: Conditions) -> list[str]:
        """Print conditions for as many nested places as they need: each may have one `@include` and one `@skip`.

        https://spec.graphql.org/draft/#sec-Directives-Are-Unique-per-Location
        """
        places: list[list[str]] = [[], []]
        for variable, wanted in sorted(conditions):
            self.variables[variable] = None
            places[wanted].append(f"@{'include' if wanted else 'skip'}(if:${variable})")
        skips, includes = places
        return ["".join(pair) for pair in zip_longest(includes, skips, fillvalue="")]


def _join(parts: list[str]) -> str:
    """Join selections with as little white space as the grammar asks for."""
    if not parts:
        return ""
    text = parts[0]
    for part in parts[1:]:
        needs_space = not (text.endswith(("}", ")")) or part.startswith("..."))
        text += f" {part}" if needs_space else part
    return text


def _all_fields(sets: Iterable[Selected]) -> Iterable[SelectedField]:
    for selected in sets:
        yield from selected.fields.values()
        yield from _all_fields(selected.fragments.values())


def _shape(entry: SelectedField) -> str:
    if entry.edge is None:
        return "String!"
    reference = entry.edge.field.type
    return reference.text if entry.below is None else reference.wrappers


def _step_down(path: Path, name: str, entry: SelectedField) -> Path:
    assert entry.edge is not None
    return (*path, PathKey(name), *(EachItem() for _ in range(entry.edge.field.type.list_depth)))
