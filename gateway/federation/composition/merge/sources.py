"""An element as the subgraphs have it, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.federation.composition.model.element import Element

E_co = TypeVar("E_co", bound=Element, covariant=True)
F = TypeVar("F", bound=Element)


@dataclass(frozen=True, slots=True)
class Sources(Generic[E_co]):
    """Subgraph index to its version of an element.

    None stands for a subgraph that could have the element but hasn't: it has the parent type without this field, say.
    """

    by_index: Mapping[int, E_co | None]

    def present(self) -> Iterator[tuple[int, E_co]]:
        """The subgraphs that have the element."""
        for index, element in self.by_index.items():
            if element is not None:
                yield index, element

    def missing(self) -> tuple[int, ...]:
        """The subgraphs that could have it, but haven't."""
        return tuple(index for index, element in self.by_index.items() if element is None)

    def indices(self) -> tuple[int, ...]:
        """The subgraphs that have it."""
        return tuple(index for index, _ in self.present())

    def within(self, get: Callable[[E_co], F | None]) -> Sources[F]:
        """Something of each version, such as its argument of a name; subgraphs that lack the element are left out."""
        return Sources({index: get(element) for index, element in self.present()})

    def keep(self, wanted: Callable[[int, E_co], bool]) -> Sources[E_co]:
        """Unwanted versions count as missing."""
        return Sources(
            {
                index: element if element is not None and wanted(index, element) else None
                for index, element in self.by_index.items()
            }
        )
