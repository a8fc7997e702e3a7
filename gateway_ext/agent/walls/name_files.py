"""The files by which programs find addresses, as they must be in a network of a kernel's own."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

RESOLVER_FILE = "/etc/resolv.conf"
HOSTS_FILE = "/etc/hosts"


def resolvers(resolv_conf: str) -> list[Address]:
    """The addresses of name servers, without those that belong to one device."""
    found: list[Address] = []
    for line in resolv_conf.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver" and "%" not in words[1]:
            try:
                found.append(ipaddress.ip_address(words[1]))
            except ValueError:
                continue
    return found


def reachable(addresses: Iterable[Address]) -> list[Address]:
    """Those that do not lead to the machine's loopback, which inside is another one."""
    return [address for address in addresses if not address.is_loopback]


def resolv_conf_for(resolv_conf: str, resolver: str) -> str:
    """The same with name servers that can be reached from inside; `resolver` is the one that leads
    to the machine's own."""
    lines = [line for line in resolv_conf.splitlines() if line.split()[:1] != ["nameserver"]]
    servers = [str(address) for address in reachable(resolvers(resolv_conf))]
    lines += [f"nameserver {server}" for server in servers or [resolver]]
    return "".join(f"{line}\n" for line in lines)


def hosts_for(hosts: str, name: str) -> str:
    """The same with the machine's `name` at the loopback: its address is not there inside, and
    programs that listen under their machine's name must be able to."""
    lines = [f"127.0.0.1 localhost {name}", f"::1 localhost {name}"]
    for line in hosts.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        others = [other for other in names if other not in (name, "localhost")]
        if others:
            lines.append(" ".join([address, *others]))
    return "".join(f"{line}\n" for line in lines)
