"""The addresses at which browsers reach the front, on this machine and from others."""

from __future__ import annotations

import argparse
import ipaddress
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from jupyter_ext.fleet.advertised_address import in_url, is_ours
from jupyter_ext.fleet.failure import FleetError

LOOPBACK = "127.0.0.1"


def public_address(text: str) -> str:
    """The kind of `--public-url`: scheme and host, perhaps a port, and nothing else."""
    if text == "":
        return text
    parts = urlsplit(text)
    try:
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        whole = False
    if not whole or parts.username is not None or parts.query or parts.fragment:
        raise argparse.ArgumentTypeError(f"{text!r} is no address such as https://fleet.example")
    if parts.path not in ("", "/"):
        raise argparse.ArgumentTypeError(
            f"{text!r} has a path: the fleet must have a host name, or a port, to itself"
        )
    return f"{parts.scheme}://{parts.netloc}"


def check_listen(address: str | None, ours: Callable[[str], bool] = is_ours) -> None:
    """Raises `FleetError` unless the front could listen on this address for browsers."""
    if address is None:
        return
    try:
        ipaddress.ip_address(address)
    except ValueError as error:
        raise FleetError(
            f"--listen {address} is not an IP address: use one of this machine"
            " (`ip -brief address` lists them), or 0.0.0.0 for all"
        ) from error
    if not ours(address):
        raise FleetError(
            f"--listen {address} is not an address of this machine (`ip -brief address` lists them)"
        )


def listen_addresses(address: str | None) -> list[str]:
    """All on which the front listens: 127.0.0.1 too, unless that is one of them."""
    if address is None:
        return [LOOPBACK]
    if address == str(ipaddress.IPv4Address(0)):
        return [address]
    return list(dict.fromkeys([LOOPBACK, address]))


def listens_everywhere(address: str | None) -> bool:
    """Whether the front listens on all addresses of this machine."""
    return address is not None and ipaddress.ip_address(address).is_unspecified


def reaches_others(address: str | None) -> bool:
    """Whether other machines can connect to the front."""
    return address is not None and not ipaddress.ip_address(address).is_loopback


def address_for_others() -> str | None:
    """The address that this machine has in the network of its default route; None if there is none.
    Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # For documentation (RFC 5737): nobody's.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])


def host_for_browsers(address: str | None) -> str:
    """How a URL names the front that listens there."""
    if address is None:
        return LOOPBACK
    if listens_everywhere(address):
        return socket.gethostname()
    return in_url(address)
