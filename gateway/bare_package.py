"""Use parts of a library without what it loads for those who use all of it: command lines, servers, other algorithms.

    bare_package("uvicorn")
    from uvicorn.server import Server  # uvicorn.main, its command line and its supervisors stay on the disk
    from uvicorn import Config  # loads uvicorn.config, where the package's __init__ has it from

A serving process would hold them in its memory for as long as it serves.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec, module_from_spec, resolve_name
from pathlib import Path
from types import ModuleType
from typing import Any

_IMPORT = re.compile(r"^from ([\w.]+) import (?:\(([^)]*)\)|([^\n\\(]+)$)", re.MULTILINE)
_COMMENT = re.compile(r"#.*")


def bare_package(name: str, **attributes: str) -> None:
    """Make a package, or a module, importable without running it, unless it was imported before.

    A name that it takes from one of its parts is taken from there once somebody wants it. `attributes` gives the module
    of further ones, or is meant itself. Whoever asks for any other name gets the whole, as if this had never been called.
    """
    if name in sys.modules:
        return
    spec = find_spec(name)
    assert spec is not None
    is_package = spec.submodule_search_locations is not None
    package = module_from_spec(spec)
    taken = dict(_taken(Path(spec.origin), name)) if is_package and spec.origin else {}
    vars(package)["_bare_names"] = taken | attributes
    package.__class__ = _Bare
    sys.modules[name] = package
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, package)


class _Bare(ModuleType):
    """A module that has not been run."""

    _bare_names: Mapping[str, str]
    """Name → module that has it."""

    def __getattr__(self, name: str) -> Any:
        """Find what is not there yet."""
        if name in self._bare_names:
            module = import_module(self._bare_names[name])
            found = getattr(module, name, module)
            ModuleType.__setattr__(self, name, found)
            return found
        if name.startswith("__") and name not in ("__all__", "__version__"):
            raise AttributeError(name)  # questions of the import system and of debuggers
        assert self.__spec__ is not None
        assert self.__spec__.loader is not None
        self.__class__ = ModuleType  # type: ignore[assignment]  # which it is from here on
        self.__spec__.loader.exec_module(self)
        return getattr(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Keep a function that has its module's name from being hidden by it, as a package's own `__init__` would."""
        of_the_name = isinstance(value, ModuleType) and self._bare_names.get(name) == value.__name__
        ModuleType.__setattr__(self, name, getattr(value, name, value) if of_the_name else value)


def _taken(init: Path, name: str) -> Iterator[tuple[str, str]]:
    """Yield the names that a package's `__init__` takes from modules, with the module; those it renames are left out."""
    for source, listed, line in _IMPORT.findall(_COMMENT.sub("", init.read_text(encoding="utf-8"))):
        module = resolve_name(source, name)
        for each in (listed or line).split(","):
            attribute = each.strip()
            if attribute.isidentifier():
                yield attribute, f"{name}.{attribute}" if source == "." else module
