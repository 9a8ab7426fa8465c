"""A port that several processes listen on; the system divides connections between them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.settings import SettingsRefused


@contextmanager
def shared_port(host: str, port: int) -> Iterator[socket.socket]:
    """Bind a port that other processes bind too; the system divides connections between those that listen.

    Port 0 takes a free one. Raises SettingsRefused if it is taken by somebody who does not share it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            bound.bind((host, port))
        except OSError as error:
            raise SettingsRefused((f"Can't listen on {host}:{port}: {error.strerror}.",)) from error
        yield bound
