"""One serving process, which is all that it loads: `python -m gateway.cli.worker CONFIG [--among=NUMBER:FOLDER]`.

`concord serve` becomes this process, and `concord up` and `concord serve --workers` start it. The command line's
libraries would stay in its memory for as long as it serves.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

from gateway.cli.sparing import spare_memory


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM or Ctrl-C and return the exit status: 0 then, 1 if it could not start, 2 for a refused configuration."""
    try:
        spare_memory()
        from gateway.cli.serving import serve_process  # noqa: PLC0415 - once it is known what is left out

        return serve_process(arguments)
    except KeyboardInterrupt:  # before it served
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
