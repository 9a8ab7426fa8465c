"""Fields that must be told how long their list may be: `requireOneSlicingArgument` of `@listSize`.

<https://ibm.github.io/graphql-specs/cost-spec.html>
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.access.arguments import ABSENT, GivenArguments, given_at, value_at
from gateway.errors import GatewayError


@dataclass(frozen=True, slots=True)
class Slicing:
    """One use of a field that takes exactly one of its slicing arguments."""

    coordinate: str
    paths: tuple[tuple[str, ...], ...]
    has_default: bool
    """Whether the schema gives one where the client gives none."""
    arguments: GivenArguments

    def is_met(self, variables: Mapping[str, Any]) -> bool:
        """Whether one is given, or none where the schema gives one."""
        given = self._given(variables)
        return given == 1 or (given == 0 and self.has_default)

    def check(self, variables: Mapping[str, Any], *, explains: bool) -> None:
        """Raise GatewayError with SLICING_ARGUMENT_REQUIRED where none is given, or more than one.

        The error names the arguments if it `explains`.
        """
        if self.is_met(variables):
            return
        if not explains:
            raise GatewayError("SLICING_ARGUMENT_REQUIRED")
        given = self._given(variables)
        names = ", ".join(f"`{'.'.join(path)}`" for path in self.paths)
        wanted = names if len(self.paths) == 1 else f"exactly one of {names}"
        counted = "none is" if not given else f"{given} are"
        raise GatewayError("SLICING_ARGUMENT_REQUIRED", f"`{self.coordinate}` takes {wanted}; {counted} given."[:300])

    @property
    def is_constant(self) -> bool:
        """Whether no variable decides it."""
        return all(self.arguments.is_constant(path[0]) for path in self.paths)

    def _given(self, variables: Mapping[str, Any]) -> int:
        return sum(self._is_given(path, variables) for path in self.paths)

    def _is_given(self, path: tuple[str, ...], variables: Mapping[str, Any]) -> bool:
        value = given_at(self.arguments.value(path[0], variables), path[1:])
        return value is not ABSENT and value is not None


def read_slicing(coordinate: str, definition: Any, names: Sequence[str], arguments: GivenArguments) -> Slicing | None:
    """Return what has to be looked at for each request; None where the document alone shows that one is given.

    `names` are the slicing arguments; those that clients can't give here, as an interface's field lacks them, don't count.
    """
    paths = tuple(path for name in names if (path := tuple(name.split(".")))[0] in definition.args)
    if not paths:
        return None
    defaults = (value_at(ABSENT, definition.args[root], rest) for root, *rest in paths)
    slicing = Slicing(coordinate, paths, any(each is not ABSENT and each is not None for each in defaults), arguments)
    return None if slicing.is_constant and slicing.is_met({}) else slicing
