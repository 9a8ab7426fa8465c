"""Where this process may send events of its own accord: hosts that the configuration names, and no others."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit


class EgressRefused(Exception):  # noqa: N818 - reads as what it is
    """The address is not one that events may be sent to."""


class Egress:
    """The hosts that may be called: `hooks.example.com`, `*.example.com` for those below it, `127.0.0.1:9000`."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)

    def check(self, url: str) -> None:
        """Raise EgressRefused unless the address is http(s), without credentials, at one of the hosts."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError as error:
            raise EgressRefused("This is not a URL.") from error
        if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
            raise EgressRefused("Only http and https addresses can be called.")
        if parts.username is not None or parts.password is not None:
            raise EgressRefused("An address must not carry credentials.")
        names = {host, f"{host}:{port}"} | {f"*.{host.split('.', n)[-1]}" for n in range(1, host.count(".") + 1)}
        if not names & self._hosts:
            raise EgressRefused("The host is not among `events.egress_hosts`.")
