"""What network the kernels of this machine get, by what operators ask for."""

import logging
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gateway_ext.agent.walls.network import Network, Reach
from jupyter_ext.wire.allowed_addresses import split_name

_KNOWN_SECONDS = 60.0


class NetworkImpossible(Exception):
    """A kernel cannot have the network that it must have; the text says what to change."""


def wanted(mode: str, *, has_ports: bool) -> list[Reach]:
    """What to try, the best first. A kernel that `has_ports` is reached by its agent over TCP, and
    needs the network of its agent. Raises NetworkImpossible."""
    if mode == "auto":
        return [Reach.HOST] if has_ports else [Reach.INTERNET, Reach.NONE]
    if has_ports and mode != Reach.HOST:
        raise NetworkImpossible(
            "this kernel listens on TCP ports (metadata.fleet.transport is tcp), which its agent "
            f"does not reach with FleetGatewayApp.kernel_network {mode}: use auto or host"
        )
    return [Reach(mode)]


def has_ports(kernelspec: Mapping[str, Any]) -> bool:
    """Whether a kernelspec's kernels listen on TCP ports."""
    fleet = (kernelspec.get("metadata") or {}).get("fleet") or {}
    return fleet.get("transport") == "tcp"


class NetworkChoice:
    """What a gateway's configuration says of the network of kernels."""

    def __init__(self, mode: str, allowed: Iterable[str], tun: str, log: logging.Logger) -> None:
        """`mode` is one of NETWORKS, `tun` a device in the place of /dev/net/tun; empty: none."""
        self._mode = mode
        self._allowed = list(allowed)
        self._tun = tun
        self._log = log
        self._addresses: dict[str, tuple[float, list[str]]] = {}

    @property
    def must_be_its_own(self) -> bool:
        """Whether no kernel may have the machine's network."""
        return self._mode in (Reach.NONE, Reach.INTERNET)

    def to_try(self, kernelspec: Mapping[str, Any]) -> list[Network | None]:
        """The networks to try for a kernel, the best first; None for the machine's. Raises
        NetworkImpossible. Looks up names and blocks."""
        reaches = wanted(self._mode, has_ports=has_ports(kernelspec))
        return [self._network(reach) for reach in reaches]

    def _network(self, reach: Reach) -> Network | None:
        if reach is Reach.HOST:
            return None
        if reach is Reach.NONE:
            return Network(reach)
        allowed = tuple(self._allowed_addresses())
        return Network(reach, allowed, self._tun, fallback=self._mode == "auto")

    def _allowed_addresses(self) -> Iterator[str]:
        for text in self._allowed:
            named = split_name(text)
            if named is None:
                yield text
            else:
                yield from self._looked_up(text, *named)

    def _looked_up(self, text: str, name: str, ports: str) -> list[str]:
        since, found = self._addresses.get(text, (0.0, []))
        if found and time.monotonic() - since < _KNOWN_SECONDS:
            return found
        try:
            answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except OSError as error:
            self._log.warning("kernel_network_allowed: %s cannot be looked up: %s", name, error)
            return found
        # What leads to the machine's loopback would lead to the kernel's own.
        addresses = sorted(
            {str(answer[4][0]) for answer in answers} - {"127.0.0.1", "127.0.1.1", "::1"}
        )
        found = [f"[{one}]{ports}" if ":" in one else f"{one}{ports}" for one in addresses]
        self._addresses[text] = (time.monotonic(), found)
        return found
