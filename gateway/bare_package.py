"""Use parts of a library without what it loads for those who use all of it: command lines, servers, supervisors.

    bare_package("uvicorn", Config="uvicorn.config")
    from uvicorn.server import Server  # uvicorn.main, its command line and its supervisors stay on the disk

A serving process would hold them in its memory for as long as it serves; `tests/cache/test_loaded_modules.py` tells where
a new version of a library loads them after all.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import Any


def bare_package(name: str, **attributes: str) -> None:
    """Make a package importable without running its `__init__`, unless it was imported before.

    `attributes` gives, for names that the package's own parts take from it, the module that has them, or is
    meant itself. Whoever asks the
    package for another name gets the whole package, as if this had never been called.
    """
    if name in sys.modules:
        return
    spec = find_spec(name)
    assert spec is not None
    assert spec.loader is not None
    loader = spec.loader
    package = module_from_spec(spec)

    def find(attribute: str) -> Any:
        """Find what the package does not have yet. <https://peps.python.org/pep-0562/>"""
        if attribute in attributes:
            module = import_module(attributes[attribute])
            return module if module.__name__ == f"{name}.{attribute}" else getattr(module, attribute)
        if attribute.startswith("__") and attribute not in ("__all__", "__version__"):
            raise AttributeError(attribute)  # questions of the import system and of debuggers
        if vars(package).pop("__getattr__", None) is not None:
            loader.exec_module(package)
        return getattr(package, attribute)

    vars(package)["__getattr__"] = find
    sys.modules[name] = package
