"""What operators let kernels reach beside the internet: addresses and names, with ports."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Allowed:
    """Addresses that kernels reach although they are not the internet: at the ports from the first
    to the last, or at all of them."""

    subnet: Subnet
    ports: tuple[int, int] | None = None


_PORTS = r"(?::(?P<first>\d{1,9})(?:-(?P<last>\d{1,9}))?)?"
_ALLOWED = re.compile(
    r"(?:\[(?P<six>[0-9a-fA-F:.]+(?:/\d+)?)\]|(?P<four>[\d.]+(?:/\d+)?))" + _PORTS,
    re.ASCII,
)
_NAME = re.compile(r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)" + _PORTS, re.ASCII)


def parse_allowed(text: str) -> Allowed:
    """`10.1.2.3:6379`, `10.1.0.0/16`, `10.1.0.0/16:8000-9000`, `fd12::/48` or `[fd12::1]:6379`.
    Raises ValueError with words for people."""
    match = _ALLOWED.fullmatch(text)
    written = text if match is None else match["six"] or match["four"]
    read = ipaddress.IPv6Network if match is None else ipaddress.ip_network
    try:
        subnet = read(written, strict=False)
        address = ipaddress.ip_address(written.partition("/")[0])
    except ValueError as error:
        raise ValueError(
            f"{text!r} is not an address or a network, with or without ports, as in "
            "10.1.2.3:6379, 10.1.0.0/16:8000-9000 or [fd12::1]:6379"
        ) from error
    if address != subnet.network_address:
        raise ValueError(
            f"{text!r} is one address of a network: use {subnet} for the network, or {address} "
            "for the address"
        )
    ports = None if match is None else _ports(text, match["first"], match["last"])
    return _reachable(Allowed(subnet, ports), text)


def split_name(text: str) -> tuple[str, str] | None:
    """A name, and its ports as they follow it; None for what is an address or a network, or is to
    be one. Raises ValueError, with words for people, for ports that cannot be meant."""
    match = _NAME.fullmatch(text)
    # Nobody's name is a number: that is an address that is not whole.
    if match is None or match["name"].replace(".", "").isdigit():
        return None
    _ports(text, match["first"], match["last"])
    return match["name"], text.removeprefix(match["name"])


def check_allowed(text: str) -> None:
    """Raise ValueError, with words for people, for what cannot be meant: it must be an address or a
    network, or a name, and may have ports."""
    named = split_name(text)
    if named is None:
        parse_allowed(text)
    elif named[0] == "localhost":
        parse_allowed("127.0.0.1")


def _ports(text: str, first: str | None, last: str | None) -> tuple[int, int] | None:
    if first is None:
        return None
    numbers = int(first), int(last or first)
    if not 0 < numbers[0] <= numbers[1] < 65536:
        raise ValueError(f"the ports of {text!r} must be from 1 to 65535, the first one first")
    return numbers


def _reachable(allowed: Allowed, text: str) -> Allowed:
    if allowed.subnet.is_loopback:
        raise ValueError(
            f"{text!r} is a loopback address, which is the kernel's own inside its walls: use an "
            "address that the machine has for others, and have the server listen there"
        )
    return allowed
