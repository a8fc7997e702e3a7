"""Free TCP ports."""

import random
import socket

LOWEST, HIGHEST = 12000, 22700
"""Below the ephemeral range even after SeaweedFS adds 10000 for its gRPC ports."""


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_ports(count: int, *, grpc: bool = False) -> list[int]:
    """`count` different ports of 127.0.0.1 that are free now; with `grpc` so are port + 10000.

    Drawn at random, because several test runs share a machine: whoever gets a port only
    reserves it by binding, so start servers soon and try again if one is taken.
    """
    found: list[int] = []
    while len(found) < count:
        port = random.randint(LOWEST, HIGHEST)
        wanted = [port, port + 10000] if grpc else [port]
        if port not in found and all(_is_free(number) for number in wanted):
            found.append(port)
    return found
