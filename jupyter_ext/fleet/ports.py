"""Which program listens on which port of 127.0.0.1, gateways on that of other addresses too."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence

from jupyter_ext.fleet.failure import FleetError

# SeaweedFS listens for gRPC at its HTTP port + 10000; below these bounds both are outside of the
# range from which Linux takes the ports of outgoing connections (32768 and above).
LOWEST, HIGHEST = 10000, 22767
GRPC_OFFSET = 10000

FRONT = "front"
KERNEL_FRONT = "front-kernels"
"""The front's listener for kernels."""
FRONT_INSIDE = "front-inside"
"""Of a front that serves https: its listener for the fleet's own programs, without TLS."""


def is_free(port: int, address: str = "127.0.0.1") -> bool:
    """Whether a server could listen on ``port`` of ``address`` now."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        # As servers do, so that connections of a server that has just ended do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_or_held(
    held: Iterable[int], addresses: Sequence[str] = ("127.0.0.1",)
) -> Callable[[int], bool]:
    """`is_free` on all ``addresses``, for a fleet that itself holds some of its ports already."""
    ours = frozenset(held)
    return lambda port: port in ours or all(is_free(port, address) for address in addresses)


def held_ports(programs: Iterable[str], front: int, kept: Mapping[str, int]) -> set[int]:
    """The ports that running ``programs`` of the fleet hold."""
    running = set(programs)
    held = {port for name, port in kept.items() if name.startswith("store-") and "store" in running}
    held |= {port + GRPC_OFFSET for port in held}
    held |= {port for name, port in kept.items() if name in running}
    if FRONT in running:
        held |= {front, *(port for name, port in kept.items() if name == FRONT_INSIDE)}
    return held


def assign_ports(
    names: Iterable[str],
    front: int,
    kept: Mapping[str, int],
    free: Callable[[int], bool] = is_free,
    choose: Callable[[int, int], int] = random.randint,
    advertised: Callable[[int], bool] = lambda port: True,
) -> dict[str, int]:
    """Give each of ``names`` a port: the saved one, or else a free one. ``advertised`` says whether
    a gateway, or the front's listener for kernels, could listen on a port where clusters reach it.

    A saved port that another program has taken is replaced. For gateways, whose addresses are
    known to the agents of running kernels, and for the front, this raises `FleetError` instead.
    """
    if not free(front):
        raise FleetError(
            f"port {front} is in use by another program: stop that program, or choose another "
            "port with --port"
        )

    def usable(name: str, port: int) -> bool:
        return (
            free(port)
            and (not name.startswith("store-") or free(port + GRPC_OFFSET))
            and (not name.startswith(("gateway-", KERNEL_FRONT)) or advertised(port))
        )

    ports = {FRONT: front}
    for name in names:
        port = kept.get(name)
        if port and port not in ports.values() and usable(name, port):
            ports[name] = port
        elif port and name.startswith("gateway-"):
            raise FleetError(
                f"port {port} of {name}, which running kernels use, is in use by another "
                f"program: stop that program (`ss -ltnp 'sport = {port}'` names it)"
            )
        else:
            ports[name] = _new_port(name, {*ports.values(), *kept.values()}, usable, choose)
    return ports


def _new_port(
    name: str,
    taken: set[int],
    usable: Callable[[str, int], bool],
    choose: Callable[[int, int], int],
) -> int:
    for _ in range(1000):
        port = choose(LOWEST, HIGHEST)
        if port not in taken and usable(name, port):
            return port
    raise FleetError(f"no free port between {LOWEST} and {HIGHEST} was found for {name}: free some")
