"""How far the bytes of a TCP connection have come. Frames do not tell: a long one is under way for
longer than a silent peer is waited for."""

import socket
import struct

# Places of two 64 bit numbers in Linux' struct tcp_info (linux/tcp.h).
_BYTES_ACKNOWLEDGED = 120
_BYTES_RECEIVED = 128


def bytes_acknowledged(connection: socket.socket) -> int:
    """How many bytes the other machine has taken; 0 if that is not known."""
    return _counter(connection, _BYTES_ACKNOWLEDGED)


def bytes_received(connection: socket.socket) -> int:
    """How many bytes the other end has got through to this machine; 0 if that is not known."""
    return _counter(connection, _BYTES_RECEIVED)


def _counter(connection: socket.socket, place: int) -> int:
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, place + 8)
        return int(struct.unpack_from("=Q", info, place)[0])
    except (OSError, struct.error):
        return 0
