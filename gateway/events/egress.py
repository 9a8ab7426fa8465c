"""Where this process may send events of its own accord: hosts that the configuration names, and no others.

A name's owner decides where it leads, so an address is looked at again when a connection is opened (see `outbound`): names lead
to public addresses, or to networks that the configuration names too; never to this machine or a cloud's metadata.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9])?|[0-9a-f:.]+")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class EgressRefused(Exception):  # noqa: N818 - reads as what it is
    """The address is not one that events may be sent to."""


class Egress:
    """The hosts that may be called: `hooks.example.com`, `*.example.com` for those below it, `127.0.0.1:9000`."""

    def __init__(self, hosts: Iterable[str], networks: Iterable[str] = ()) -> None:
        """`networks`: those that are not public and that names may lead to, `10.20.0.0/16`. Raises ValueError for others."""
        self._hosts = frozenset(host.lower() for host in hosts)
        self._networks = tuple(ipaddress.ip_network(network) for network in networks)

    def check(self, url: str) -> None:
        """Raise EgressRefused unless the address is http(s), without credentials, at one of the hosts."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError as error:
            raise EgressRefused("This is not a URL.") from error
        is_plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
        if parts.scheme not in ("http", "https") or not is_plain or not _HOST.fullmatch(host):
            raise EgressRefused("Only http and https addresses can be called.")
        if parts.username is not None or parts.password is not None:
            raise EgressRefused("An address must not carry credentials.")
        names = {host, f"{host}:{port}"} | {f"*.{host.split('.', n)[-1]}" for n in range(1, host.count(".") + 1)}
        if not names & self._hosts:
            raise EgressRefused("The host is not among `events.egress_hosts`.")

    def check_address(self, host: str, address: str) -> None:
        """Raise EgressRefused unless a host, which passed `check`, may be called at this IP address."""
        try:
            if ipaddress.ip_address(host.strip("[]")) == ipaddress.ip_address(address):
                return  # the configuration names the address itself
        except ValueError:
            pass
        found = _embedded(ipaddress.ip_address(address))
        if host.lower() == "localhost" and found.is_loopback:
            return
        if not found.is_global or found.is_multicast:
            if any(found in network for network in self._networks if network.version == found.version):
                return
            raise EgressRefused("The host's address is not a public one, nor in `events.egress_networks`.")


def _embedded(address: IPAddress) -> IPAddress:
    """Return the IPv4 address that an IPv6 one stands for, or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
