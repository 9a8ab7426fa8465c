"""Runs a module as a child of `concord up`, and ends it when that is gone.

`python -m gateway.cli.child subgraphs.crm.app` reads its standard input, a pipe whose other end `concord up` holds: it ends
with the process that holds it, however that dies. So no kill leaves children behind that keep their ports.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading

_STANDARD_INPUT = 0
_READ_BYTES = 4096


def _end_with_parent() -> None:
    while os.read(_STANDARD_INPUT, _READ_BYTES):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, name="end with parent", daemon=True).start()
    module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
