"""The address under which pods and containers reach the gateways of this machine."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable

from jupyter_ext.fleet.failure import FleetError

_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_ALWAYS = ("127.0.0.1", "::1")


def in_url(host: str) -> str:
    """``host`` as it is written in a URL."""
    return f"[{host}]" if ":" in host else host


def addresses_of(host: str) -> list[str]:
    """What a name or address means on this machine; raises OSError if it means nothing."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return sorted({str(address[4][0]) for address in found})


def is_ours(address: str) -> bool:
    """Whether a server of this machine could listen on ``address``."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def check_advertised(
    host: str,
    resolve: Callable[[str], Iterable[str]] = addresses_of,
    ours: Callable[[str], bool] = is_ours,
) -> list[str]:
    """The addresses of ``host``; raises `FleetError` unless all are addresses of this machine that
    others can dial.

    A loopback address is accepted if it is typed as such and is not the one on which gateways
    listen anyway: programs in the machine's own network can use it.
    """
    told = f"--advertise {host}"
    literal = _literal(host)
    if literal is None and not _NAME.fullmatch(host):
        raise FleetError(
            f"{told} is neither a host name nor an address: name it without a scheme, a port and"
            " brackets"
        )
    try:
        found = list(resolve(host))
    except OSError as error:
        raise FleetError(f"{told} cannot be resolved on this machine: {error.strerror}") from error
    for one in found:
        address = ipaddress.ip_address(one.partition("%")[0])
        means = told if literal else f"{told}, which is {one} here,"
        if address.is_unspecified:
            raise FleetError(f"{means} is not an address that others can connect to")
        if address.is_loopback and literal is None:
            raise FleetError(
                f"{means} is a loopback address, which pods and containers cannot reach: name the"
                " address itself, or correct /etc/hosts"
            )
        if one in _ALWAYS:
            raise FleetError(
                f"{told} is where gateways listen anyway: name an address that clusters can reach,"
                " or leave the option out"
            )
        if not ours(one):
            raise FleetError(
                f"{means} is not an address of this machine (`ip -brief address` lists them)"
            )
    return found


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine can connect to ``host``."""
    literal = _literal(host)
    return literal is not None and literal.is_loopback


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
