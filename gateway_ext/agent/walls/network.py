"""What of the network a kernel reaches: nothing, the internet, or what its machine reaches."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from jupyter_ext.wire.allowed_addresses import Subnet, parse_allowed

REACH, WHY = "FLEET_NETWORK", "FLEET_NETWORK_WHY"
"""Variables that tell a kernel's code how far it reaches, and why not further."""
TUN = "/dev/net/tun"
"""The device by which a program makes others."""

_PRIVATE_4 = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    # With what clouds say of a machine, and its credentials.
    "169.254.0.0/16",
    "168.63.129.16/32",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
)
_PRIVATE_6 = (
    "::/96",
    # Those of IPv4 in other words: ::ffff:0:0/96, and two kinds of tunnels.
    "::ffff:0:0/96",
    "2001::/32",
    "2002::/16",
    "64:ff9b:1::/48",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
)
_NAT64 = 0x0064_FF9B << 96


def _behind_nat64(subnet: ipaddress.IPv4Network) -> ipaddress.IPv6Network:
    address = ipaddress.IPv6Address(_NAT64 | int(subnet.network_address))
    return ipaddress.IPv6Network((address, 96 + subnet.prefixlen))


def private_subnets() -> list[Subnet]:
    """What is not the internet: private, shared and link-local networks, loopback, what clouds tell
    their machines, multicast, and all of these by other addresses."""
    old = [ipaddress.IPv4Network(text) for text in _PRIVATE_4]
    return [*old, *map(ipaddress.IPv6Network, _PRIVATE_6), *map(_behind_nat64, old)]


def loopback_subnets() -> list[Subnet]:
    """What leads to a machine itself. A program may send it to another device than the loopback,
    behind which it would be another machine's."""
    return [ipaddress.IPv4Network("127.0.0.0/8"), ipaddress.IPv6Network("::1/128")]


def versions_with_a_way(routes_4: str, routes_6: str) -> list[int]:
    """The versions of IP for which this network has a default route, by /proc/net/route and
    /proc/net/ipv6_route."""
    old = any(line.split()[1:2] == ["00000000"] for line in routes_4.splitlines()[1:])
    # The last field is the device: those to the loopback say that there is no way.
    new = any(
        line.split()[:2] == ["0" * 32, "00"] and line.split()[-1] != "lo"
        for line in routes_6.splitlines()
    )
    return [version for version, there in ((4, old), (6, new)) if there]


def ways_of(process: int | str) -> list[int]:
    """The same for the network of a process, or of `self`, as it is now."""
    files = (Path(f"/proc/{process}/net", name) for name in ("route", "ipv6_route"))
    # One of them is missing without that version.
    return versions_with_a_way(*(file.read_text() if file.exists() else "" for file in files))


class Reach(StrEnum):
    """How far a kernel reaches."""

    NONE = "none"
    INTERNET = "internet"
    """And no private network, and nothing of its machine."""
    HOST = "host"
    """Whatever its machine reaches, and the ports of that."""


@dataclass(frozen=True)
class Network:
    """A network of a kernel's own. `reach` is not HOST; `tun` is a device that its user can open in
    the place of /dev/net/tun, empty if it can open that one; `why` says why there is no way to the
    internet, if there was to be one; with `fallback` a kernel does without that way where it cannot
    be had at its start."""

    reach: Reach
    allowed: tuple[str, ...] = ()
    tun: str = ""
    why: str = ""
    fallback: bool = False

    @classmethod
    def from_json(cls, raw: Any) -> Network | None:
        """Reads the `network` of walls; None is the machine's network. Raises ValueError with words
        for people."""
        if raw is None:
            return None
        if not isinstance(raw, dict) or raw.get("reach") not in (Reach.NONE, Reach.INTERNET):
            raise ValueError("network of walls must be an object with reach: none or internet")
        allowed = raw.get("allowed", [])
        if not isinstance(allowed, list):
            raise ValueError("allowed of network must be a list of addresses")
        for text in allowed:
            parse_allowed(text)
        return cls(
            Reach(raw["reach"]),
            tuple(allowed),
            str(raw.get("tun", "")),
            str(raw.get("why", "")),
            bool(raw.get("fallback")),
        )

    def as_json(self) -> dict[str, Any]:
        """The opposite of `from_json`."""
        words = {"reach": self.reach.value, "tun": self.tun, "why": self.why}
        raw = {**{name: text for name, text in words.items() if text}, "allowed": [*self.allowed]}
        return {**raw, "fallback": True} if self.fallback else raw

    def as_reported(self) -> dict[str, str]:
        """What gateways are told of it."""
        return {"reach": self.reach.value, "why": self.why}

    def without_way(self, why: str) -> Network:
        """What a kernel has where no way leads to the internet."""
        return Network(Reach.NONE, why=why)


def network_variables(network: Network | None) -> dict[str, str]:
    """What a kernel's code is told of its network; nothing of the machine's."""
    return {} if network is None else {REACH: network.reach.value, WHY: network.why}
