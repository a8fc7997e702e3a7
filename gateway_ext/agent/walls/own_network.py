"""The network of a kernel's own: what is read of the machine's before that is left, and what is set
up in the new one while there are rights for it."""

from __future__ import annotations

import fcntl
import ipaddress
import re
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from jupyter_ext.wire.allowed_addresses import Allowed, Subnet, parse_allowed

from .name_files import HOSTS_FILE, RESOLVER_FILE, hosts_for, reachable, resolv_conf_for, resolvers
from .network import Network, Reach, loopback_subnets, private_subnets
from .packet_filter import add_rules, refusals, rules, set_rules
from .way_out import RESOLVER, making_a_way

_SET_FLAGS = 0x8914
_UP_AND_RUNNING = 0x41
_DNS = (53, 53)
_LOCAL = re.compile(r"\|-- ([\d.]+)\n\s+/(\d+) host LOCAL")


def local_subnets(fib_trie: str, if_inet6: str) -> list[Subnet]:
    """The addresses of a machine, by /proc/net/fib_trie and /proc/net/if_inet6."""
    old = {
        ipaddress.IPv4Network(f"{address}/{size}", strict=False)
        for address, size in _LOCAL.findall(fib_trie)
    }
    words = (line.split() for line in if_inet6.splitlines())
    new = {ipaddress.IPv6Network(int(first, 16)) for first, *_ in words}
    return [*sorted(old), *sorted(new)]


def _is_private(subnet: Subnet) -> bool:
    first, last = int(subnet.network_address), int(subnet.broadcast_address)
    same = (one for one in private_subnets() if one.version == subnet.version)
    return any(
        int(one.network_address) <= first and last <= int(one.broadcast_address) for one in same
    )


@dataclass(frozen=True)
class Outside:
    """The machine's network: its own addresses, and files by which it finds others."""

    addresses: tuple[Subnet, ...]
    resolv_conf: str
    hosts: str
    name: str

    @classmethod
    def look(cls) -> Outside:
        """Of this process's network."""
        trie, six = (_text(f"/proc/net/{name}") for name in ("fib_trie", "if_inet6"))
        addresses = tuple(local_subnets(trie, six))
        return cls(addresses, _text(RESOLVER_FILE), _text(HOSTS_FILE), socket.gethostname())

    def name_files(self) -> dict[str, str]:
        """What these files must hold inside, by their paths."""
        return {
            RESOLVER_FILE: resolv_conf_for(self.resolv_conf, RESOLVER),
            HOSTS_FILE: hosts_for(self.hosts, self.name),
        }

    @property
    def own_resolver(self) -> bool:
        """Whether names are asked of the machine itself, by RESOLVER inside."""
        return not reachable(resolvers(self.resolv_conf))

    def public(self) -> list[Subnet]:
        """The machine's own public addresses, which would otherwise count as the internet."""
        return [one for one in self.addresses if not _is_private(one)]

    def refused(self) -> list[Subnet]:
        """What kernels do not reach unless it is allowed."""
        return [*private_subnets(), *self.addresses]

    def allowed(self, network: Network) -> list[Allowed]:
        """What they reach of that: what operators say, and name servers."""
        servers = reachable(resolvers(self.resolv_conf)) or [ipaddress.ip_address(RESOLVER)]
        names = [Allowed(ipaddress.ip_network(server), _DNS) for server in servers]
        return [*map(parse_allowed, network.allowed), *names]


def set_up(network: Network, outside: Outside) -> None:
    """In the new network, before a way leads out of it. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sH22x", b"lo", _UP_AND_RUNNING))
    if network.reach is Reach.INTERNET:
        with making_a_way():
            set_rules(rules(loopback_subnets(), outside.allowed(network), outside.refused()))


def refuse(addresses: Iterable[Subnet]) -> None:
    """In a network that has been set up: refuse these as well. Raises OSError."""
    add_rules(refusals(addresses))


def _text(name: str) -> str:
    try:
        return Path(name).read_text()
    except OSError:
        # Without IPv6, or a machine that has no such file.
        return ""
