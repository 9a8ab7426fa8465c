"""Generate what a typed fetch does with objects: the class of its results, collecting keys, setting what results hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from gateway.execution.collect import SKIP, build_value
from gateway.execution.ports import encode
from gateway.execution.shape import LeafKind, LeafShape
from gateway.execution.typed_tree import TYPENAME, NotTyped, Spot, default_of, value_type
from gateway.federation.plan import RepresentationField, RepresentationFragment, RepresentationSelection


class Irregular(Exception):  # noqa: N818 - a signal, never seen outside execution
    """The answer needs the general way: something is wrong, and it has to be told where and why."""


Keys = Callable[[list[Any], dict[Any, int], list[Any], list[Any], list[int]], None]
"""Objects, representation → its number, representations, objects asked for, their numbers: fills the last four."""

Merge = Callable[[list[Any], list[int], list[Any]], None]
"""Objects, the number of each one's result, results: sets what the results hold. Raises Irregular."""


def fields_of(spot: Spot, representation: RepresentationSelection) -> list[RepresentationField]:
    """Return the fields of a representation of the place's type."""
    found: list[RepresentationField] = []
    fragments = [each for each in representation if isinstance(each, RepresentationFragment)]
    if fragments and not any(spot.type_name in each.possible_types for each in fragments):
        raise NotTyped("a representation of another type")
    for each in representation:
        match each:
            case RepresentationField():
                found.append(each)
            case RepresentationFragment(_, possible_types, selection):
                if spot.type_name in possible_types:
                    found.extend(fields_of(spot, selection))
    joined: dict[str, RepresentationField] = {}
    for field in found:
        known = joined.get(field.name)
        joined[field.name] = field if known is None else replace(known, selection=known.selection + field.selection)
    return list(joined.values())


@dataclass(frozen=True, slots=True)
class Part:
    """What one fetch brings of an object: a class, and its attributes by response name."""

    made: Any
    attributes: Mapping[str, str]


def part_of(spots: Sequence[Spot], names: Mapping[str, object]) -> Part:
    attributes: dict[str, str] = {}
    definition: list[tuple[str, Any, Any]] = []
    for name in names:
        wanting = [spot for spot in spots if spot.wanted(name)]
        if not wanting:
            continue
        attribute = attributes[name] = f"p{len(attributes)}"
        visible = next((spot for spot in wanting if name in spot.fields), None)
        if visible is None:
            definition.append((attribute, Any | UnsetType, UNSET))
        else:
            default = msgspec.NODEFAULT if any(name in spot.sources for spot in wanting) else default_of(visible, name)
            definition.append((attribute, value_type(visible, name), default))
    renamed = {attribute: name for name, attribute in attributes.items()}
    return Part(msgspec.defstruct("Part", definition, kw_only=True, gc=False, rename=renamed.get), attributes)


def compile_merge(spot: Spot, part: Part) -> Merge:
    """Generate the function that sets what results hold."""
    moves = [
        f"o.{spot.attributes[name]} = r.{attribute}" for name, attribute in part.attributes.items() if spot.wanted(name)
    ]
    lines = [
        "def merge(objects, numbers, results):",
        "    for o, number in zip(objects, numbers):",
        "        r = results[number]",
        "        if r is not None:",
        f"            {'; '.join(moves) or 'pass'}",
        *_irregular_if_needed(spot, part, "        "),
    ]
    scope: dict[str, Any] = {"Irregular": Irregular}
    exec(compile("\n".join(lines), "<merge>", "exec"), scope)  # noqa: S102 - attributes are numbered, no text of the plan is pasted
    merge: Merge = scope["merge"]
    return merge


def _irregular_if_needed(spot: Spot, part: Part, indent: str) -> list[str]:
    """Return the lines for an object that gets nothing: where it has to get something, that has to be told."""
    needed = any(name in spot.fields and default_of(spot, name) is msgspec.NODEFAULT for name in part.attributes)
    return [f"{indent}else:", f"{indent}    raise Irregular"] if needed else []


def compile_keys(spot: Spot, representation: RepresentationSelection, part: Part) -> Keys:
    """Generate the function that collects representations of objects, equal ones once.

    An object that lacks what its representation needs is passed over, as in `collect.py`.
    """
    scope: dict[str, Any] = {
        "Irregular": Irregular,
        "UNSET": UNSET,
        "SKIP": SKIP,
        "build": build_value,
        "dumps": encode,
    }
    lines: list[str] = []
    useful: list[str] = []
    plain: list[str] = []
    arguments: list[str] = []
    names: list[str] = []
    for number, each in enumerate(fields_of(spot, representation)):
        attribute = f"r{number}"
        scope[f"n{number}"] = each.name
        if each.source == TYPENAME:
            scope[f"c{number}"] = spot.type_name
            arguments.append(f"n{number}: c{number}")
            continue
        arguments.append(f"n{number}: {attribute}")
        names.append(attribute)
        lines.append(f"{attribute} = o.{spot.attributes[each.source]}")
        if each.selection:
            scope[f"s{number}"] = each.selection
            lines.append(f"if {attribute} is not UNSET: {attribute} = build({attribute}, s{number})")
            useful.append(f"{attribute} is not SKIP")
        if each.source not in spot.fields:
            useful.append(f"{attribute} is not UNSET")
        if not each.is_nullable:
            useful.append(f"{attribute} is not None")
        if not _compares_as_json(spot, each):
            # Other values might not compare as their JSON does (true == 1) or have no hash, so their text is the key.
            plain.append(f"{attribute}.__class__ is str")
    values = f"({', '.join(names)},)" if len(names) > 1 else names[0] if names else "()"
    key = f"{values} if {' and '.join(plain)} else dumps({values})" if plain else values
    source = [
        "def keys(objects, seen, representations, taken, numbers):",
        "    for o in objects:",
        *(f"        {line}" for line in lines),
        f"        if {' and '.join(useful) or 'True'}:",
        f"            key = {key}",
        "            number = seen.get(key)",
        "            if number is None:",
        "                seen[key] = number = len(representations)",
        f"                representations.append({{{', '.join(arguments)}}})",
        "            taken.append(o); numbers.append(number)",
        *_irregular_if_needed(spot, part, "        "),
    ]
    exec(compile("\n".join(source), "<keys>", "exec"), scope)  # noqa: S102 - names are numbered, no text of the plan is pasted
    keys: Keys = scope["keys"]
    return keys


def _compares_as_json(spot: Spot, each: RepresentationField) -> bool:
    """Tell whether equal values of a field are equal as JSON: strings are, `true == 1` isn't."""
    if each.source not in spot.fields:
        return False
    shape = spot.fields[each.source].shape
    return isinstance(shape, LeafShape) and shape.kind in (
        LeafKind.STRING,
        LeafKind.ID,
        LeafKind.ENUM,
        LeafKind.INT,
        LeafKind.BOOLEAN,
    )
