"""The port that a gateway listens on: its own, or one that several processes share."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from gateway.settings import SettingsRefused

_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""A name may have addresses that this machine has not, as `localhost` has `::1`."""


@contextmanager
def own_port(host: str, port: int) -> Iterator[list[socket.socket]]:
    """Bind a port on every address of the host.

    Port 0 takes a free one. Raises SettingsRefused if it is taken, or can't be had.
    """
    with ExitStack() as stack:
        bound: list[socket.socket] = []
        try:
            # A text would be encoded by tables of all scripts, which are large and which a name in ASCII has no use for.
            name = host.encode() if host.isascii() else host
            addresses = socket.getaddrinfo(name or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            for number, (family, kind, protocol, _, address) in enumerate(addresses, 1):
                try:
                    listening = stack.enter_context(socket.socket(family, kind, protocol))
                    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    if family == socket.AF_INET6:
                        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    listening.bind(address)
                    bound.append(listening)
                except OSError as error:
                    is_last_hope = number == len(addresses) and not bound
                    if is_last_hope or error.errno not in _NOT_HERE:
                        raise
        except OSError as error:
            raise _refused(host, port, error) from error
        yield bound


@contextmanager
def shared_port(host: str, port: int) -> Iterator[list[socket.socket]]:
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
            raise _refused(host, port, error) from error
        yield [bound]


def _refused(host: str, port: int, error: OSError) -> SettingsRefused:
    is_taken = error.errno == errno.EADDRINUSE
    mend = "; choose another by `server.port`, or by CONCORD_SERVER__PORT=4100" if is_taken else ""
    return SettingsRefused((f"Can't listen on {host}:{port}: {error.strerror}{mend}.",))
