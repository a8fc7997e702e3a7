"""How many bytes a TCP connection has transferred. Counting frames is not enough: a long one can
take longer than the timeout for a silent peer."""

import socket
import struct

# Offsets of two 64-bit numbers in Linux's struct tcp_info (linux/tcp.h).
_BYTES_ACKNOWLEDGED = 120
_BYTES_RECEIVED = 128


def bytes_acknowledged(connection: socket.socket) -> int:
    """How many bytes the other machine has acknowledged; 0 if unknown."""
    return _counter(connection, _BYTES_ACKNOWLEDGED)


def bytes_received(connection: socket.socket) -> int:
    """How many bytes this machine has received from the other end; 0 if unknown."""
    return _counter(connection, _BYTES_RECEIVED)


def _counter(connection: socket.socket, place: int) -> int:
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, place + 8)
        return int(struct.unpack_from("=Q", info, place)[0])
    except (OSError, struct.error):
        return 0
