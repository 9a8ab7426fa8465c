"""Tables of the configuration: declared as classes, read from TOML's values, refused with every problem and its place.

    class Server(Table, frozen=True, kw_only=True):
        host: str = "127.0.0.1"
        port: Annotated[int, Meta(ge=0, le=65535)] = 4000

    read_table(Server, {"port": 70_000, "hots": "::1"})
    # TableRefused: `port`: Expected `int` <= 65535. / unknown key `hots`; did you mean `host`?

What declares and reads them is msgspec, which the answers of subgraphs are decoded with anyway: a serving process holds
one library for both.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import structs

T = TypeVar("T", bound="Table")


class TableRefused(ValueError):  # noqa: N818 - reads as what it is
    """A table can't be used. `problems` holds one sentence each, all of them at once."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table of the configuration file: unknown keys are refused, values don't change once read.

    A rule over several keys stands in `__post_init__`, which raises ValueError with a sentence without its full stop.
    """

    hidden: ClassVar[frozenset[str]] = frozenset()
    """Fields whose values no log may show."""

    def __repr__(self) -> str:
        shown = (
            f"{name}={'…' if name in self.hidden else repr(getattr(self, name))}" for name in self.__struct_fields__
        )
        return f"{type(self).__name__}({', '.join(shown)})"


def read_table(kind: type[T], document: Mapping[str, Any]) -> T:
    """Return a table of a kind from TOML's values; texts, such as the environment has, also stand for numbers.

    Raises TableRefused.
    """
    problems: list[str] = []
    table = _read_table(kind, document, "", problems)
    if problems:
        raise TableRefused(tuple(problems))
    assert isinstance(table, kind)
    return table


def known_keys(kind: type[Table]) -> list[str]:
    """Return the keys of a table, as they are written."""
    return [each.encode_name for each in structs.fields(kind)]


def _read_table(kind: type[Table], document: Any, where: str, problems: list[str]) -> Any:
    if not isinstance(document, Mapping):
        problems.append(f"`{where}`: Expected a table, got `{type(document).__name__}`.")
        return None
    before = len(problems)
    values: dict[str, Any] = {}
    for each in structs.fields(kind):
        place = _below(where, each.encode_name)
        if each.encode_name in document:
            values[each.name] = _read(each.type, document[each.encode_name], place, problems)
        elif each.required:
            problems.append(f"`{place}`: is missing.")
    problems += (_unknown(kind, key, where) for key in document if key not in known_keys(kind))
    if len(problems) > before:
        return None
    try:
        return kind(**values)
    except ValueError as error:
        problems.append(f"`{where}`: {error}.")
        return None


def _read(annotation: Any, value: Any, where: str, problems: list[str]) -> Any:
    kind = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    match get_origin(kind), get_args(kind):
        case None, _ if _is_table(kind):
            return _read_table(kind, value, where, problems)
        case origin, (key_kind, value_kind) if origin is Mapping and isinstance(value, Mapping):
            return {
                _convert(key_kind, key, _below(where, key), problems): _read(
                    value_kind, each, _below(where, key), problems
                )
                for key, each in value.items()
            }
        case origin, (item_kind, *_) if origin is tuple and _is_table(item_kind) and isinstance(value, list):
            return tuple(_read(item_kind, each, f"{where}[{number}]", problems) for number, each in enumerate(value))
        case _:
            return _convert(annotation, value, where, problems)


def _convert(annotation: Any, value: Any, where: str, problems: list[str]) -> Any:
    try:
        # Not strict: the environment's values are texts, whatever they stand for.
        return msgspec.convert(value, annotation, strict=False, dec_hook=_make)
    except msgspec.ValidationError as error:
        says, _, inside = str(error).partition(" - at ")
        if says.startswith("Invalid enum value"):
            says += f"; known here: {', '.join(f'`{each}`' for each in sorted(set(_choices(annotation))))}"
        place = where + (inside.strip("`").removeprefix("$") if inside.startswith("`$") else "")
        problems.append(f"`{place}`: {says}.")
        return None


def _make(kind: type, value: Any) -> Any:
    """Make what msgspec knows nothing of."""
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise ValueError(f"Expected `str`, got `{type(value).__name__}`")


def _choices(annotation: Any) -> Iterator[str]:
    """Yield the texts of all enumerations in an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        yield from (str(each.value) for each in annotation)
    for each in get_args(annotation):
        if get_origin(annotation) is Literal:
            yield str(each)
        else:
            yield from _choices(each)


def _unknown(kind: type[Table], key: str, where: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - who makes no mistake does without

    known = known_keys(kind)
    near = get_close_matches(key, known, n=1, cutoff=0.5)
    mend = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(sorted(known))}."
    return f"unknown key `{_below(where, key)}`; {mend}"


def _below(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Table)
