"""Whether anything arrives on a connection."""

import socket
import struct

_BYTES_RECEIVED = 128
"""Place of tcpi_bytes_received in Linux' struct tcp_info (linux/tcp.h), a 64 bit number."""


def bytes_received(connection: socket.socket) -> int:
    """How many bytes the other end has got through to this machine; 0 if that is not known.

    Frames do not tell: a long one takes longer to arrive than a silent peer is waited for.
    """
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_RECEIVED + 8)
        return int(struct.unpack_from("=Q", info, _BYTES_RECEIVED)[0])
    except (OSError, struct.error):
        return 0
